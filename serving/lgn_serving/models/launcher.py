"""Starts and ends worker processes, by a fork server that all servers share."""

import atexit
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from lgn_serving.models.fork_server import NUMBER

_lock = threading.Lock()
_holders = 0
_shared: "Launcher | None" = None


class Launcher:
    """A fork server.

    `multiprocessing` has one as well. It would import the main module again,
    which in a script without a guard starts the server once more.

    Attributes:
        closed: whether it was ended on purpose.
    """

    def __init__(self) -> None:
        """Starts it; it is ready some seconds later."""
        self.closed = False
        self._lock = threading.Lock()
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
                env=defaults | os.environ | {"PYTHONPATH": path},
                start_new_session=True,
            )
        atexit.register(self.close)

    @property
    def alive(self) -> bool:
        """Whether it still obeys."""
        return self._program.poll() is None

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
        """Ends it, and all workers that are left."""
        if os.getpid() != self._owner:
            return
        self.closed = True
        atexit.unregister(self.close)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._program.pid, signal.SIGKILL)
        self._program.wait()
        self._line.close()


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
