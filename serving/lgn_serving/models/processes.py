"""The processes of the versions, as the server sees them.

A version has a process of its own. Loading it takes nothing from the requests
of other versions, unloading it gives all of its memory back, and a crash ends
that version alone.
"""

import concurrent.futures
import contextlib
import itertools
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from lgn_serving.failure import Failure, late
from lgn_serving.models import channel, launcher

_log = logging.getLogger(__name__)

_TURN = 0.005
"""Seconds for which a process that loads runs, or is stopped."""

_SHARE = 4
"""While requests run, a process that loads runs one of so many turns."""


class Process:
    """The process of one version.

    Args:
        path: the folder of the version.
        starter: starts and ends it.
    """

    def __init__(self, path: Path, starter: launcher.Launcher) -> None:
        """Starts the process, which loads nothing yet.

        Raises:
            OSError: where it cannot be started.
        """
        # The fork server may have been started in another folder.
        self._path = path.absolute()
        self._launcher = starter
        self._line, other = socket.socketpair()
        with other:
            self.id = starter.start(other)
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._numbers = itertools.count()
        self._waiting: dict[int, Future[Any]] = {}
        self._loads = False
        self._closed = False
        self._end = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def alive(self) -> bool:
        """Whether the process answers."""
        return not self._end

    @property
    def busy(self) -> bool:
        """Whether a request waits for an answer."""
        return bool(self._waiting) and not self._loads

    def load(self, others_busy: Callable[[], bool]) -> dict[str, bytes]:
        """Loads the version.

        Args:
            others_busy: whether requests run on other versions. The process
                then runs in a part of the time only, and leaves them the
                processors. A priority would not do: a process may lower its
                own, but often not raise it again.

        Returns:
            The signature definitions as messages, by name.

        Raises:
            Failure: where it cannot be loaded, or the process ends.
        """
        with self._asked(self._path) as answer:
            self._loads = True
            stopped = 0
            try:
                while not concurrent.futures.wait([answer], _TURN).done:
                    stopped = (stopped + 1) % _SHARE if others_busy() else 0
                    self._signal(signal.SIGSTOP if stopped else signal.SIGCONT)
            finally:
                self._signal(signal.SIGCONT, last=True)
            return dict(answer.result())

    def pause(self) -> None:
        """Stops the process, where it is loading, until its next turn."""
        if self._loads:
            self._signal(signal.SIGSTOP)

    def _signal(self, number: int, last: bool = False) -> None:
        with self._lock:
            if self._loads and not self._end:
                # Without the fork server, nobody would end a process that is
                # stopped.
                obeys = self._launcher.alive
                with contextlib.suppress(OSError):
                    os.kill(self.id, number if obeys else signal.SIGCONT)
            if last:
                self._loads = False

    def run(self, *arguments: Any, deadline: float | None) -> Any:
        """Runs a signature.

        Args:
            *arguments: those of `GraphSession.run` before the deadline.
            deadline: moment of `time.monotonic()`.

        Raises:
            Failure: where the graph refuses the inputs, the deadline has
                passed, or the process ends.
        """
        with self._asked((*arguments, deadline)) as answer:
            left = None if deadline is None else deadline - time.monotonic()
            try:
                return answer.result(left)
            except TimeoutError:
                raise late() from None
            finally:
                # No ring of an error, its trace and what holds it.
                del answer

    @contextlib.contextmanager
    def _asked(self, message: Any) -> Iterator[Future[Any]]:
        """Sends a message, and yields what will be its answer."""
        answer: Future[Any] = Future()
        with self._lock:
            if self._end:
                raise Failure("UNAVAILABLE", self._end)
            number = next(self._numbers)
            self._waiting[number] = answer
        try:
            # Where the process has ended, the reader says so to all.
            with self._sending, contextlib.suppress(OSError):
                channel.send(self._line, (number, message))
            yield answer
        finally:
            with self._lock:
                del self._waiting[number]
            del answer

    def _read(self) -> None:
        """Hands out the answers until the process ends."""
        with contextlib.suppress(EOFError, OSError):
            while True:
                number, *answer = channel.receive(self._line)
                with self._lock:
                    asked = self._waiting.get(number)
                # Where nobody waits, the deadline has passed.
                if asked is not None:
                    _settle(asked, *answer)
        with self._lock:
            # Nobody signals it any more: another process may get its number.
            self._end = f"{self._path}: its process ended"
        code = self._launcher.end(self.id)
        how = f"its process {launcher.how_it_ended(code)}"
        if self._closed:
            how = "was unloaded"
        with self._lock:
            self._end = f"{self._path}: {how}"
            waiting = list(self._waiting.values())
        if not (self._closed or self._launcher.closed):
            _log.error("%s; %d requests failed", self._end, len(waiting))
        for asked in waiting:
            _settle(asked, None, ("UNAVAILABLE", self._end), None)

    def close(self) -> None:
        """Ends the process; what still runs on it fails."""
        self._closed = True
        self._signal(signal.SIGCONT, last=True)
        # Where it has ended by itself, nothing is connected any more.
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        self._reader.join()
        self._line.close()


def _settle(
    asked: Future[Any],
    value: Any,
    error: tuple[str, str] | None,
    trace: str | None,
) -> None:
    """Ends the waiting for an answer; see `lgn_serving.models.worker`."""
    if asked.done():
        return
    if error is not None:
        asked.set_exception(Failure(*error))
    elif trace is not None:
        asked.set_exception(RuntimeError(trace))
    else:
        asked.set_result(value)


class Processes:
    """The processes of all versions of a server."""

    def __init__(self) -> None:
        """Starts the fork server, which imports TensorFlow meanwhile.

        Raises:
            OSError: where it cannot be started.
        """
        self._lock = threading.Lock()
        self._processes: set[Process] = set()
        self._closed = False
        self._held = contextlib.ExitStack()
        self._held.enter_context(launcher.held())

    def start(self, path: Path) -> Process:
        """Starts a process for a version.

        Raises:
            Failure: where the server is ending, or no process can be started.
        """
        with self._lock:
            if self._closed:
                raise Failure("UNAVAILABLE", "The server is ending")
            try:
                process = Process(path, launcher.shared())
            except OSError as error:
                raise Failure(
                    "UNAVAILABLE", f"{path}: no process for it: {error}"
                ) from error
            self._processes.add(process)
            return process

    def busy(self) -> bool:
        """Returns whether requests run."""
        with self._lock:
            return any(one.busy for one in self._processes)

    def pause_loading(self) -> None:
        """Leaves the processors to a request that is about to run."""
        with self._lock:
            for one in self._processes:
                one.pause()

    def end(self, process: Process) -> None:
        """Ends a process; what still runs on it fails."""
        with self._lock:
            self._processes.discard(process)
        process.close()

    def close(self) -> None:
        """Ends all processes, also those that are loading a version."""
        with self._lock:
            self._closed = True
            processes = list(self._processes)
        for process in processes:
            self.end(process)
        self._held.close()
