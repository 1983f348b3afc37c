"""Work in forked processes, a few at a time, each killed at its moment.

The process that calls this has imported TensorFlow and run nothing of it. A
fork of it starts in hundredths of a second, where a new process takes seconds
to import. It has one thread, which also waits: a fork takes no other thread
along, and locks that one held would stay locked.
"""

import atexit
import dataclasses
import os
import resource
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from mmap import mmap
from pathlib import Path
from typing import TypeVar

from tests.soak import crash_points, orphans

LANES = max(2, min(8, len(os.sched_getaffinity(0))))
"""Scenarios that run at once: one for each core, each of up to 1 GB."""

MOST_BYTES = 24 << 30
"""Of address space: an allocation without bound fails before the machine."""

_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True)
class Job:
    """One process.

    Attributes:
        work: runs in the fork; returns its exit status.
        folder: its working directory; standard output and error lie beside.
        kill_after: seconds after which it is killed.
        kill_at: the number of the crash point at which it is killed.
        start_after: seconds before it begins.
        seconds: after which it counts as hung, and is killed.
        most_bytes: of address space.
    """

    work: Callable[[], int | None]
    folder: Path
    kill_after: float | None = None
    kill_at: int | None = None
    start_after: float = 0.0
    seconds: float = 180.0
    most_bytes: int = MOST_BYTES


@dataclasses.dataclass(frozen=True)
class Ended:
    """The end of a process.

    Attributes:
        status: exit status; the negative number of a signal.
        hung: whether it took too long.
        seconds: it ran.
        cpu: seconds of processor time.
        peak: largest resident size in MB.
        points: crash points that were reached.
        out: standard output.
        error: standard error.
    """

    status: int
    hung: bool
    seconds: float
    cpu: float
    peak: float
    points: int
    out: str
    error: str

    @property
    def killed(self) -> bool:
        """Whether it was killed at its moment."""
        return self.status == -signal.SIGKILL and not self.hung

    @property
    def lines(self) -> list[str]:
        """The lines of standard error that hold something."""
        return [line for line in self.error.splitlines() if line.strip()]


Scenario = Generator[Sequence[Job], list[Ended], _T]
"""Yields jobs that run at once, is sent their ends, and returns a result."""


class _Running:
    def __init__(self, job: Job) -> None:
        self.job, self.ended = job, None
        self._counter = mmap(-1, 8)
        self._files = [
            job.folder.with_name(f"{job.folder.name}.{id(self)}.{name}")
            for name in ("out", "error")
        ]
        for path in self._files:
            # It may be killed before it opens them.
            path.touch()
        sys.stdout.flush()
        sys.stderr.flush()
        self._begun = time.monotonic()
        self._hung = False
        parent = os.getpid()
        self._pid = os.fork()
        if not self._pid:
            orphans.end_with(parent)
            _child(job, self._counter, self._files)

    def poll(self) -> Ended | None:
        pid, status, used = os.wait4(self._pid, os.WNOHANG)
        ran = time.monotonic() - self._begun - self.job.start_after
        if pid:
            # Processes of its own that are still there end with it.
            self._kill()
            return self._end(os.waitstatus_to_exitcode(status), ran, used)
        if self.job.kill_after is not None and ran >= self.job.kill_after:
            self._kill()
        elif ran >= self.job.seconds:
            self._hung = True
            self._kill()
        return None

    def _kill(self) -> None:
        try:
            os.killpg(self._pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            # It has not yet made a group of its own, or is gone.
            pass

    def _end(
        self, status: int, ran: float, used: resource.struct_rusage
    ) -> Ended:
        texts = []
        for path in self._files:
            texts.append(path.read_text(errors="replace"))
            path.unlink()
        points = int.from_bytes(self._counter[:8], "little")
        self._counter.close()
        return Ended(
            status,
            self._hung,
            ran,
            used.ru_utime + used.ru_stime,
            used.ru_maxrss / 1024,
            points,
            *texts,
        )


def _child(job: Job, counter: mmap, files: Sequence[Path]) -> None:
    """Does the work and never returns."""
    status = 1
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        for number, path in enumerate(files, 1):
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            os.dup2(file, number)
        os.chdir(job.folder)
        tempfile.tempdir = None
        resource.setrlimit(resource.RLIMIT_AS, (job.most_bytes,) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        time.sleep(job.start_after)
        crash_points.arm(job.folder, job.kill_at, counter)
        status = job.work() or 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    try:
        # As the interpreter does at its end.
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def run(scenarios: Iterable[Scenario[_T]], lanes: int = LANES) -> Iterator[_T]:
    """Runs scenarios, and yields the result of each as it ends.

    Args:
        scenarios: are begun in order.
        lanes: that run at once.
    """
    waiting = iter(scenarios)
    running: list[tuple[Scenario[_T], list[_Running], list[Ended | None]]] = []
    more = True
    while more or running:
        while more and len(running) < lanes:
            scenario = next(waiting, None)
            if scenario is None:
                more = False
                break
            try:
                jobs = [_Running(job) for job in next(scenario)]
            except StopIteration as stopped:
                yield stopped.value
                continue
            running.append((scenario, jobs, [None] * len(jobs)))
        for each in list(running):
            scenario, jobs, ends = each
            for place, job in enumerate(jobs):
                if ends[place] is None:
                    ends[place] = job.poll()
            if any(end is None for end in ends):
                continue
            try:
                jobs[:] = [
                    _Running(job)
                    for job in scenario.send([end for end in ends if end])
                ]
                ends[:] = [None] * len(jobs)
            except StopIteration as stopped:
                running.remove(each)
                yield stopped.value
        time.sleep(0.002)


def alone(scenario: Scenario[_T]) -> _T:
    """Runs one scenario and returns its result."""
    (result,) = run([scenario], 1)
    return result
