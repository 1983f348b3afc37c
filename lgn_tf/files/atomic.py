"""Files and folders that appear whole or not at all.

What is written goes under another name first, is flushed to disk, and then is
renamed: a full disk or a kill leaves what was there before.
"""

import contextlib
import errno
import filecmp
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import ArrayLike

from lgn_tf.files import listings, locks, scratch


@contextlib.contextmanager
def replaced(path: Path, keep_equal: bool = False) -> Iterator[Path]:
    """Writes a file in one step: a reader sees the old one or the new.

    Args:
        path: of the file.
        keep_equal: whether a file of the same bytes stays as it is.

    Yields:
        Another path of the same name, to be written. It takes the place of
        `path` where the block ends, and is removed where the block raises.

    Raises:
        OSError: naming `path`, where it cannot be written, or no space is
            left.
    """
    with _naming(path, path), scratch.scratch(path.parent) as place:
        partial = place / path.name
        yield partial
        if keep_equal and equal(partial, path):
            return
        _sync(partial)
        partial.replace(path)
    sync_folder(path.parent)


def equal(path: Path, other: Path) -> bool:
    """Returns whether both are there and hold the same bytes."""
    return other.is_file() and filecmp.cmp(path, other, shallow=False)


@contextlib.contextmanager
def _naming(path: Path, shown: Path) -> Iterator[None]:
    """Lets errors name what is written, and not what it is called meanwhile.

    Without a name, nobody knows which disk is full.
    """
    try:
        yield
    except OSError as error:
        meanwhile = f"{path.parent / scratch.PREFIX}"
        name = str(error.filename or meanwhile)
        if error.errno is None or not name.startswith(meanwhile):
            raise
        raise OSError(error.errno, error.strerror, str(shown)) from error


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
    with replaced(path) as partial, partial.open("wb") as file:
        yield file


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
def folder(
    path: Path,
    may_replace: Callable[[Path], None] | None = None,
    lock: bool = True,
) -> Iterator[Path]:
    """Hands out an empty folder that takes the place of `path` at the end.

    Where the block raises, `path` stays as it was. What a killed process left
    behind is removed by the next one.

    Args:
        path: need not be there; an empty folder that is there is replaced.
        may_replace: raises where what lies at `path` must stay; what is not
            empty always stays where it is None.
        lock: whether others are kept away; False where the caller does so.

    Yields:
        The folder to fill, beside `path`.

    Raises:
        BlockingIOError: where another process fills it.
        FileExistsError: where `path` is there and not replaced; before
            anything is written, and again at the end.
        OSError: naming `path`, where it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    shown, path = path, listings.settled(path)
    with contextlib.ExitStack() as held:
        if lock:
            held.enter_context(locks.alone(locks.beside(path), shown))
        scratch.sweep(path.parent)
        _require_free(shown, may_replace)
        held.enter_context(_naming(path, shown))
        place = held.enter_context(scratch.scratch(path.parent))
        new = place / "new"
        new.mkdir()
        yield new
        _sync_tree(new)
        _require_free(shown, may_replace)
        _swap(new, path, place / scratch.OLD)
    sync_folder(path.parent)


def _require_free(
    path: Path, may_replace: Callable[[Path], None] | None
) -> None:
    if not os.path.lexists(path) or (path.is_dir() and not any(path.iterdir())):
        return
    if may_replace is None:
        raise FileExistsError(f"{path} exists, and is not overwritten")
    may_replace(path)


def _swap(new: Path, path: Path, old: Path) -> None:
    if not os.path.lexists(path):
        new.rename(path)
        return
    old.mkdir()
    # Stopped between the two, or killed: `scratch` puts it back.
    path.rename(old / path.name)
    new.rename(path)


def _sync_tree(folder: Path) -> None:
    """Writes all files of a folder to the disk, and their names."""
    for place, _, names in os.walk(folder):
        for name in names:
            _sync(Path(place, name))
        sync_folder(Path(place))


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Makes a rename in a folder last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
