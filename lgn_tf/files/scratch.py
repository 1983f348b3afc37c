"""Folders for what is not finished yet, beside what will take its place.

Their names are random, and nobody can have put a link there before. A killed
process leaves its folder behind; the next one that writes beside it removes
it. A folder is locked while its process lives.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

PREFIX = ".partial-lgn-"
"""What the names begin with."""

_RANDOM_BYTES = 8
_NAME = PREFIX + 2 * _RANDOM_BYTES * "[0-9a-f]"

OLD = "old"
"""In it lies what is being replaced, under its own name.

It is put back where nothing has taken its place.
"""

_swept: set[Path] = set()


@contextlib.contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """Hands out an empty folder that is removed when the block ends.

    Args:
        folder: where it is made; what killed processes left there is removed
            once a process.

    Yields:
        Its path.

    Raises:
        OSError: where it cannot be made.
    """
    if folder.absolute() not in _swept:
        _swept.add(folder.absolute())
        sweep(folder)
    path, descriptor = _made(folder)
    try:
        yield path
    finally:
        # While it is locked: nobody else takes it for one that was left.
        with contextlib.suppress(OSError):
            _put_back(path)
            shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def _made(folder: Path) -> tuple[Path, int]:
    while True:
        path = folder / f"{PREFIX}{secrets.token_hex(_RANDOM_BYTES)}"
        path.mkdir()
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            # Some network file systems lock no folders; what is left there
            # stays.
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists():
                return path, descriptor
            os.close(descriptor)
        # Another process took it for one that was left.


def is_scratch(path: Path) -> bool:
    """Returns whether a path has the name of a folder that is made here."""
    return path.match(_NAME)


def sweep(folder: Path) -> None:
    """Removes what killed processes left in a folder.

    What one of them was about to replace is put back.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for path in folder.glob(f"{_NAME}/"):
            _remove_dead(path)


def restore(path: Path) -> None:
    """Puts back what a killed process was about to replace.

    Args:
        path: that is to be read; nothing is done where it is there.
    """
    if not os.path.lexists(path):
        sweep(path.parent)


def _remove_dead(path: Path) -> None:
    # Gone, alive, or on a disk that is read-only or locks no folders.
    with contextlib.suppress(OSError):
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
        descriptor = os.open(path, flags)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _put_back(path)
            shutil.rmtree(path)
        finally:
            os.close(descriptor)


def _put_back(path: Path) -> None:
    for old in (path / OLD).glob("*"):
        if not os.path.lexists(path.parent / old.name):
            old.rename(path.parent / old.name)
