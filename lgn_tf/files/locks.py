"""One process at a time: locks that a killed process leaves open."""

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def alone(
    lock: Path,
    of: Path,
    busy: str = "another process writes it",
    wait: bool = False,
) -> Iterator[None]:
    """Keeps other processes away while the block runs.

    A process that is killed keeps nobody away.

    Args:
        lock: a file that is locked, in a folder that is there; removed at the
            end.
        of: what nobody else may work on meanwhile.
        busy: what a second process is told of it.
        wait: whether a second process waits instead.

    Raises:
        BlockingIOError: naming `of`, where another process is at work on it.
        OSError: where the lock cannot be made.
    """
    try:
        file = _locked(lock, wait)
    except BlockingIOError as error:
        raise BlockingIOError(errno.EAGAIN, busy, str(of)) from error
    with file:
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _locked(lock: Path, wait: bool) -> BinaryIO:
    while True:
        file = lock.open("wb")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            if os.path.samestat(os.fstat(file.fileno()), lock.stat()):
                return file
        except FileNotFoundError:
            pass
        except BaseException:
            file.close()
            raise
        # Who had it removed it after it was opened here.
        file.close()


def beside(path: Path) -> Path:
    """Returns the lock of a file or folder that is replaced as a whole."""
    return path.with_name(f".{path.name}.lock")
