"""Files and folders that appear whole or not at all.

What is written goes under another name first, is flushed to disk, and then is
renamed: a full disk or a kill leaves what was there before.
"""

import contextlib
import errno
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import ArrayLike

from lgn_tf.files import locks


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Writes a file in one step: a reader sees the old one or the new.

    Args:
        path: of the file.

    Yields:
        Another path in the same folder, to be written. It takes the place of
        `path` where the block ends, and is removed where the block raises.

    Raises:
        OSError: where it cannot be written, or no space is left.
    """
    # The last suffixes stay: writers choose the format by them.
    partial = path.with_name(f".partial-{path.name}")
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_bytes(path: Path, contents: bytes) -> None:
    """Writes a file in one step, over one that is there.

    Raises:
        OSError: where it cannot be written, or no space is left.
    """
    with replaced(path) as partial:
        partial.write_bytes(contents)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Opens a file for writing that appears whole or not at all.

    Args:
        path: of the file; its folder is made where it is not there.

    Yields:
        The file, for bytes.

    Raises:
        OSError: naming the file, where it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with replaced(path) as partial, partial.open("wb") as file:
            yield file
    except OSError as error:
        if error.filename:
            raise
        # Without the name of the file nobody knows which disk is full.
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_arrays(
    file: BinaryIO | Path,
    arrays: Mapping[str, ArrayLike],
    compressed: bool = False,
) -> None:
    """Writes arrays that `numpy.load` reads, one after another.

    As `numpy.savez` does, which leaves its archive open where it fails: that
    would report a full disk once more when it is forgotten.

    Args:
        file: open for bytes, or its path.
        arrays: by name; of numbers or letters.
        compressed: whether to take time for a smaller file.

    Raises:
        OSError: where it cannot be written, or no space is left.
    """
    method = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(
                    member, np.asanyarray(array), allow_pickle=False
                )


def require_space(folder: Path, needed: int) -> None:
    """Refuses to begin what would not fit.

    For writers that make a bad end of a full disk.

    Args:
        folder: that will be written to.
        needed: bytes.

    Raises:
        OSError: naming the folder, where fewer are free.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(
            errno.ENOSPC,
            f"{os.strerror(errno.ENOSPC)}: {needed:,} bytes are needed, and "
            f"{free:,} free",
            str(folder),
        )


@contextlib.contextmanager
def folder(path: Path) -> Iterator[Path]:
    """Hands out an empty folder that takes the place of `path` at the end.

    Where the block raises, `path` stays as it was. What a killed process left
    behind is removed by the next one.

    Args:
        path: need not be there; a folder that is there is replaced.

    Yields:
        The folder to fill, beside `path`.

    Raises:
        BlockingIOError: where another process fills it.
        OSError: where it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with locks.alone(locks.beside(path), path), _folder(path) as partial:
        yield partial


@contextlib.contextmanager
def _folder(path: Path) -> Iterator[Path]:
    partial, old = (
        path.with_name(f".{path.name}.{name}") for name in ("partial", "old")
    )
    if old.exists() and not path.exists():
        # Killed between the two renames below.
        old.rename(path)
    for left in (partial, old):
        shutil.rmtree(left, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
        if path.exists():
            path.rename(old)
        partial.rename(path)
    except BaseException:
        if old.exists() and not path.exists():
            old.rename(path)
        shutil.rmtree(partial, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes a rename in a folder last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
