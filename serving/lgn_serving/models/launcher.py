"""Starts and ends worker processes, by a fork server that all servers share."""

import atexit
import contextlib
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from lgn_serving import allocator
from lgn_serving.models.fork_server import NUMBER

_log = logging.getLogger(__name__)

_LOOK = 1
"""Seconds between two looks whether the fork server lives."""

_lock = threading.Lock()
_holders = 0
_shared: "Launcher | None" = None


class Launcher:
    """A fork server.

    `multiprocessing` has one as well. It would import the main module again,
    which in a script without a guard starts the server once more.

    Where it dies, its workers go on. Each of them ends when its line is closed.

    Attributes:
        alive: whether it still obeys.
        closed: whether it was ended on purpose.
    """

    def __init__(self) -> None:
        """Starts it; it is ready some seconds later."""
        self.alive = True
        self.closed = False
        self._lock = threading.Lock()
        self._ending = threading.Lock()
        self._owner = os.getpid()
        self._line, other = socket.socketpair()
        # What this process can import, but nothing from the working directory
        # that it would not.
        path = os.pathsep.join(each or str(Path.cwd()) for each in sys.path)
        defaults = {
            "TF_CPP_MIN_LOG_LEVEL": "3",
            # Two versions share a GPU while one takes over from the other.
            "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        }
        with other:
            number = other.fileno()
            self._program = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m"),
                    *("lgn_serving.models.fork_server", str(number)),
                ],
                stdin=subprocess.DEVNULL,
                pass_fds=[number],
                env=defaults
                | os.environ
                | allocator.without_thread_caches()
                | {"PYTHONPATH": path},
                start_new_session=True,
            )
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        atexit.register(self.close)

    def _watch(self) -> None:
        """Waits until it has ended."""
        ends = select.poll()
        ends.register(self._line, 0)
        code = None
        while code is None:
            # A worker that was stopped early may still hold the other end.
            hung_up = ends.poll(1000 * _LOOK)
            with self._ending:
                code = self._program.wait() if hung_up else self._program.poll()
                # Nobody signals its group any more: the number is free now.
                self.alive = code is None
        if not self.closed:
            _log.error(
                "the fork server %s; what is loaded is served, and another "
                "starts with the next version",
                how_it_ended(code),
            )

    def start(self, line: socket.socket) -> int:
        """Starts a worker process.

        Args:
            line: what the worker reads and writes.

        Returns:
            Its process id.

        Raises:
            OSError: where the fork server has ended.
        """
        with self._lock:
            socket.send_fds(self._line, [NUMBER.pack(0)], [line.fileno()])
            return self._answer()

    def end(self, process: int) -> int | None:
        """Ends a worker process, and waits until it is gone.

        Returns:
            Its exit code; None where the fork server has ended. Without it, a
            worker ends when its line is closed.
        """
        try:
            with self._lock:
                self._line.sendall(NUMBER.pack(process))
                return self._answer()
        except OSError:
            return None

    def _answer(self) -> int:
        answer = self._line.recv(NUMBER.size, socket.MSG_WAITALL)
        if len(answer) < NUMBER.size:
            raise OSError("the process that starts them has ended")
        return int(NUMBER.unpack(answer)[0])

    def close(self) -> None:
        """Ends it, and all workers that are left; not those of a dead one."""
        if os.getpid() != self._owner:
            return
        atexit.unregister(self.close)
        with self._ending:
            if self.alive:
                self.closed = True
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._program.pid, signal.SIGKILL)
        self._watcher.join()
        self._line.close()


def how_it_ended(code: int | None) -> str:
    """Returns how a process ended.

    Args:
        code: its exit code; None where nobody knows.
    """
    if code is None:
        return "ended"
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Starts the shared fork server, and keeps it while the context lasts.

    Raises:
        OSError: where it cannot be started.
    """
    global _holders
    with _lock:
        _holders += 1
    try:
        shared()
        yield
    finally:
        with _lock:
            _holders -= 1
            if not _holders:
                _close()


def shared() -> Launcher:
    """Returns the shared fork server, inside `held`.

    Raises:
        OSError: where the last one has ended, and no other can be started.
    """
    global _shared
    with _lock:
        if _shared is None or not _shared.alive:
            _close()
            _shared = Launcher()
        return _shared


def _close() -> None:
    global _shared
    if _shared is not None:
        _shared.close()
        _shared = None
