"""One process at a time: locks that a killed process leaves open."""

import contextlib
import errno
import fcntl
import hashlib
import os
import platform
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from lgn_tf.files import untrusted

LONGEST_NAME = 255
"""Bytes that the name of a file may have."""


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
            lock.unlink(missing_ok=True)


def _locked(lock: Path, wait: bool) -> BinaryIO:
    while True:
        # Opened, not emptied: it may be another's. A link is not followed.
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
        file = os.fdopen(os.open(lock, flags, 0o666), "wb")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            if os.path.samestat(os.fstat(file.fileno()), lock.stat()):
                _sign(file)
                return file
        except FileNotFoundError:
            pass
        except BaseException:
            file.close()
            raise
        # Who had it removed it after it was opened here.
        file.close()


def _sign(file: BinaryIO) -> None:
    """Writes which process this is; the lock holds without it."""
    command = shlex.join(sys.orig_argv)
    words = f"process {os.getpid()} on {platform.node()}: {command}"
    with contextlib.suppress(OSError):
        os.ftruncate(file.fileno(), 0)
        os.pwrite(file.fileno(), words.encode(errors="replace"), 0)


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
    name = f".{path.name}.lock"
    if len(os.fsencode(name)) > LONGEST_NAME:
        digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()
        name = f".{digest}.lock"
    return path.with_name(name)
