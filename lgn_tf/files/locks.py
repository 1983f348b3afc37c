"""One process at a time: locks that a killed process leaves open."""

import contextlib
import errno
import fcntl
import hashlib
import os
import platform
import shlex
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from lgn_tf.files import listings, untrusted

LONGEST_NAME = 255
"""Bytes that the name of a file may have."""

_BEGINNING = b"process "
"""Of what a lock says."""


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
        lock: a file that is locked, in a folder that is there; it says which
            process holds it, and is removed at the end.
        of: what nobody else may work on meanwhile.
        busy: what a second process is told of it.
        wait: whether a second process waits instead.

    Raises:
        BlockingIOError: naming `of` and the process that is at work on it.
        FileExistsError: where another file has the name of the lock.
        OSError: where the lock cannot be made.
    """
    try:
        file = _locked(lock, wait)
    except BlockingIOError as error:
        words = f"{busy}{_holder(lock)}"
        raise BlockingIOError(errno.EAGAIN, words, str(of)) from error
    with file:
        try:
            yield
        finally:
            # Another user's that was dead may lie where only its owner
            # removes it.
            with contextlib.suppress(PermissionError):
                lock.unlink(missing_ok=True)


def _locked(lock: Path, wait: bool) -> BinaryIO:
    while True:
        file = _opened(lock)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            if os.path.samestat(os.fstat(file.fileno()), lock.stat()):
                _require_lock(lock, file)
                _sign(file)
                return file
        except FileNotFoundError:
            pass
        except BaseException:
            file.close()
            raise
        # Who had it removed it after it was opened here.
        file.close()


def _opened(lock: Path) -> BinaryIO:
    # Opened, not emptied: it may be another's. A link is not followed, and a
    # pipe is not waited for.
    flags = os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | flags, 0o666)
    except PermissionError as error:
        # Of another user: it can be locked, and not signed.
        try:
            descriptor = os.open(lock, os.O_RDONLY | flags)
        except OSError:
            raise error from None
    return open(descriptor, "rb")  # noqa: PTH123


def _require_lock(lock: Path, file: BinaryIO) -> None:
    """Refuses what `_sign` would destroy: it is somebody's file."""
    found = os.fstat(file.fileno())
    head = b""
    if stat.S_ISREG(found.st_mode):
        head = os.pread(file.fileno(), len(_BEGINNING), 0)
    if (
        not stat.S_ISREG(found.st_mode)
        or found.st_nlink > 1
        or not _BEGINNING.startswith(head)
    ):
        raise FileExistsError(
            errno.EEXIST, "is no lock, and is not overwritten", str(lock)
        )


def _sign(file: BinaryIO) -> None:
    """Writes which process this is; the lock holds without it."""
    command = shlex.join(sys.orig_argv)
    words = f"{os.getpid()} on {platform.node()}: {command}"
    with contextlib.suppress(OSError):
        os.ftruncate(file.fileno(), 0)
        os.pwrite(file.fileno(), _BEGINNING + words.encode(errors="replace"), 0)


def _holder(lock: Path) -> str:
    """Returns the words of `_sign`, in brackets; or nothing."""
    try:
        with untrusted.opened(lock) as file:
            words = file.read(500).decode(errors="replace")
    except (OSError, ValueError):
        return ""
    return f" ({untrusted.one_line(words)})" if words else ""


def beside(path: Path) -> Path:
    """Returns the lock of a file or folder that is replaced as a whole."""
    path = listings.settled(path)
    name = f".{path.name}.lock"
    if len(os.fsencode(name)) > LONGEST_NAME:
        digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()
        name = f".{digest}.lock"
    return path.with_name(name)
