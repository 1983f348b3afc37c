"""Work spread over processes: one for each GPU, or for each two cores.

Each process has a pipe of its own. One that is killed closes it, and leaves no
lock of a shared queue behind.

No pool of a library keeps these promises. `ProcessPoolExecutor` cannot stop a
process that is busy, and does not tell how one died. loky kills a busy process,
which leaves half a file behind, and lets it live on where this process is
killed.
"""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import connection
from typing import Any, Protocol

from lgn_tf.backend import signals

FRAMES = 1000
"""Frames that are worth the seconds in which a process starts."""

_CORES = 2
"""Cores that even a small model keeps busy: two processes on two cores were
measured to score no more than one, and to start twice as long."""

_PATIENCE = 5.0
"""Seconds in which a process must end before it is killed."""

Report = Callable[[int], None]
"""A function that is told the frames done since it was called last."""


class Work(Protocol):
    """The work of every process; it is sent to each and started there."""

    def start(self) -> Callable[[Any, Report], Any]:
        """Makes ready, once in a process; returns the function of one item."""
        ...


def plan(
    wanted: int | None, items: int, frames: int, small: bool
) -> list[dict[str, str]]:
    """Decides how many processes there are, and what each may use.

    Where there are GPUs, each process has one of its own. Elsewhere a small
    model has a process for each two cores, and any other a single one, which
    keeps all cores busy itself. `FRAMES` says when another process is worth it.

    Args:
        wanted: number of processes; None decides as above.
        items: to be done; there are no more processes than these.
        frames: of all items.
        small: whether the work on one item leaves cores idle.

    Returns:
        For each process, the variables of its environment.

    Raises:
        ValueError: for less than one process, or more than there are GPUs.
    """
    if wanted is not None and wanted < 1:
        raise ValueError(
            f"`workers` must be at least 1. Received: workers={wanted}"
        )
    most = min(items, frames // FRAMES if wanted is None else wanted)
    if most < 2:
        return [{}]
    found = gpus()
    if found:
        if wanted is not None and wanted > len(found):
            raise ValueError(
                "`workers` must be at most the number of GPUs, "
                f"{len(found)}. Received: workers={wanted}"
            )
        return [{"CUDA_VISIBLE_DEVICES": gpu} for gpu in found[:most]]
    cores = len(os.sched_getaffinity(0))
    if wanted is None:
        most = min(most, cores // _CORES if small else 1)
    return [_threads(max(1, cores // most))] * most if most > 1 else [{}]


def gpus() -> list[str]:
    """Returns the visible GPUs as CUDA_VISIBLE_DEVICES names them.

    No framework is asked: it would take hold of all of them.
    """
    try:
        done = subprocess.run(
            ["nvidia-smi", "--list-gpus"],
            check=True,
            capture_output=True,
            text=True,
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    # The parts of a divided GPU follow on indented lines.
    count = sum(line.startswith("GPU ") for line in done.stdout.splitlines())
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return [str(number) for number in range(count)]
    names = [name.strip() for name in visible.split(",")]
    # As CUDA reads it: the first that is none ends the list.
    end = next((i for i, name in enumerate(names) if name in ("", "-1")), None)
    return names[:end]


def _threads(count: int) -> dict[str, str]:
    """Limits the threads of TensorFlow, of JAX, and of OpenCV."""
    return dict.fromkeys(
        ("TF_NUM_INTRAOP_THREADS", "NPROC", "OPENCV_FOR_THREADS_NUM"),
        str(count),
    )


def run(
    work: Work,
    items: Sequence[Any],
    environments: Sequence[dict[str, str]],
    report: Report,
) -> list[Any]:
    """Does all items, each in the process that is free first.

    The first failure ends all processes. So does an exception in this one,
    such as Ctrl-C, and its death.

    Args:
        work: what is done; for several processes it must be picklable.
        items: what it is done to; `name` of each tells it from the others.
        environments: from `plan`; a single one stays in this process.
        report: called in this process.

    Returns:
        What the work returned for each item, in their order.

    Raises:
        ValueError: what the work raised as ValueError or OSError.
        ChildProcessError: where a process died, naming the item.
    """
    if len(environments) < 2:
        one = work.start()
        return [one(item, report) for item in items]
    processes: list[_Process] = []
    try:
        for environment in environments[: len(items)]:
            processes.append(_Process(work, environment))
        return _share_out(items, processes, report)
    finally:
        _end(processes)


def _share_out(
    items: Sequence[Any], processes: list["_Process"], report: Report
) -> list[Any]:
    waiting = deque(enumerate(items))
    results: list[Any] = [None] * len(items)
    for process in processes:
        process.give(*waiting.popleft())
    busy: dict[Any, _Process] = {one.pipe: one for one in processes}
    while busy:
        for pipe in connection.wait(list(busy), signals.LOOK):
            process = busy[pipe]
            kind, value = process.hear()
            if kind == "frames":
                report(value)
                continue
            results[process.place] = value
            if waiting:
                process.give(*waiting.popleft())
            else:
                del busy[pipe]
    return results


class _Process:
    """One process, and the item that it works on."""

    def __init__(self, work: Work, environment: dict[str, str]) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(
            target=_serve, args=(theirs, work), daemon=True
        )
        with _started_with(environment):
            self.process.start()
        theirs.close()

    def give(self, place: int, item: Any) -> None:
        self.place, self.item = place, item
        with contextlib.suppress(OSError):  # It died: `hear` says so.
            self.pipe.send(item)

    def hear(self) -> tuple[str, Any]:
        try:
            kind, value = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join(_PATIENCE)
            code = self.process.exitcode or 0
            how = (
                f"was killed by {signal.Signals(-code).name}"
                if code < 0
                else f"ended with status {code}"
            )
            raise ChildProcessError(
                f"{self.item.name}: the process that worked on it {how}"
            ) from None
        if kind == "failed":
            raise ValueError(value)
        return kind, value


def _end(processes: list[_Process]) -> None:
    for one in processes:
        one.process.terminate()
    for one in processes:
        one.process.join(_PATIENCE)
        one.process.kill()
        one.process.join()
        one.pipe.close()


@contextlib.contextmanager
def _started_with(environment: dict[str, str]) -> Iterator[None]:
    """Lets a process start with some variables, and deaf to Ctrl-C.

    Set here and not in the process, which reads them as it imports. Ctrl-C
    reaches all processes of a terminal: this one hears it and ends the others.
    """
    before = {k: os.environ[k] for k in environment if k in os.environ}
    os.environ.update(environment)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for name in environment:
            del os.environ[name]
        os.environ.update(before)


def _serve(pipe: Any, work: Work) -> None:
    """Does what comes through the pipe, in a process of its own."""
    # Raised, so that half a file is removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    lock = threading.Lock()

    def say(kind: str, value: Any) -> None:
        with lock:  # Frames may be read, and told, in another thread.
            pipe.send((kind, value))

    try:
        one = work.start()
        while True:
            item = pipe.recv()
            say("done", one(item, lambda count: say("frames", count)))
    except (ValueError, OSError) as error:
        with contextlib.suppress(OSError):
            say("failed", str(error))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
