"""Moments at which a process touches the disk, to be killed just before one.

A moment drawn from the clock mostly falls into computing. The calls that make,
rename, flush and remove files are few, and each is a place where a kill leaves
another state behind.
"""

import itertools
import os
import signal
import sys
from collections.abc import Callable
from mmap import mmap
from pathlib import Path
from typing import Any

_CHANGES = {
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.truncate",
}
"""Audit events; `os.replace` raises that of a rename."""

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def arm(folder: Path, kill_at: int | None, counter: mmap) -> None:
    """Counts the calls of this process, and kills its group at one of them.

    It cannot be taken back: the process must be one that ends soon.

    Args:
        folder: opened files count where they lie in it.
        kill_at: the number of the call, from 0; None kills at none.
        counter: shared memory of 8 bytes, for the number of calls so far.
    """
    numbers = itertools.count()

    def reached() -> None:
        number = next(numbers)
        counter[:8] = (number + 1).to_bytes(8, "little")
        if number == kill_at:
            os.killpg(0, signal.SIGKILL)

    sys.addaudithook(_hook(os.fspath(folder), reached))
    flush = os.fsync

    def fsync(file: Any) -> None:
        reached()
        flush(file)

    os.fsync = fsync  # type: ignore[assignment]


def _hook(
    folder: str, reached: Callable[[], None]
) -> Callable[[str, tuple[Any, ...]], None]:
    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if (
                isinstance(path, str)
                and isinstance(flags, int)
                and flags & _WRITES
                and os.path.abspath(path).startswith(folder)  # noqa: PTH100
            ):
                reached()
        elif event in _CHANGES:
            reached()

    return hook
