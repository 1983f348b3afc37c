"""Files of a local folder or of an object store, by the same functions.

A path is a local one or a URL of an object store that fsspec knows, such as
gs:// or s3://. A written file appears whole or not at all: an object store
does no other, and a local file goes through `atomic`.
"""

import contextlib
import os
import posixpath
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lgn_tf.files import atomic, untrusted


def is_remote(path: str) -> bool:
    """Returns whether a path is a URL."""
    return "://" in path


def join(folder: str, *names: str) -> str:
    """Returns the path of a file in a folder."""
    return posixpath.join(folder, *names)


def exists(path: str) -> bool:
    """Returns whether there is such a file.

    Raises:
        OSError: where that cannot be found out, such as without permission.
    """
    with _located(path) as (system, place):
        try:
            # `isfile` would take a store that does not answer for an empty one.
            return system.info(place)["type"] == "file"
        except (FileNotFoundError, NotADirectoryError):
            return False


def is_empty(folder: str) -> bool:
    """Returns whether nothing lies in a folder, or it is not there.

    Raises:
        OSError: where that cannot be found out.
    """
    with _located(folder) as (system, place):
        try:
            found = system.ls(place, detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return True
        # The folder itself may be a file of no bytes.
        return all(name.rstrip("/") == place.rstrip("/") for name in found)


def read(path: str, most: int) -> bytes:
    """Returns the contents of a file, cut after `most` bytes.

    Raises:
        OSError: where it cannot be read.
        ValueError: where a local one is a pipe, a device or a folder.
    """
    with _opened(path) as file:
        return bytes(file.read(most))


def write(path: str, contents: bytes) -> None:
    """Writes a file in one step, over one that is there.

    Raises:
        OSError: where it cannot be written, or no space is left.
    """
    if not is_remote(path):
        with atomic.opened(Path(path)) as file:
            file.write(contents)
        return
    with _located(path) as (system, place):
        system.pipe_file(place, contents)


def remove(path: str) -> None:
    """Removes a file where there is one.

    Raises:
        OSError: where it cannot be removed.
    """
    with _located(path) as (system, place):
        with contextlib.suppress(FileNotFoundError):
            system.rm_file(place)


def stream(path: str, length: int) -> Iterator[bytes]:
    """Yields the contents of a file, `length` bytes at a time.

    Only the last piece may be shorter.

    Raises:
        OSError: where it cannot be read.
        ValueError: where a local one is a pipe, a device or a folder.
    """
    with _opened(path) as file:
        while piece := file.read(length):
            # A connection may hand out less than it was asked for.
            while len(piece) < length and (
                more := file.read(length - len(piece))
            ):
                piece += more
            yield piece


@contextlib.contextmanager
def local(folder: str, names: Sequence[str]) -> Iterator[Path]:
    """Hands out a local folder with some files of another.

    Args:
        folder: a local one is handed out itself.
        names: files that are copied from a remote one, those that are there.

    Yields:
        The folder; a copy is removed where the block ends.

    Raises:
        OSError: where a file cannot be read.
    """
    if not is_remote(folder):
        yield Path(folder)
        return
    with tempfile.TemporaryDirectory(prefix="lgn-") as copy:
        for name in names:
            path = join(folder, name)
            if exists(path):
                with _located(path) as (system, place):
                    system.get_file(place, str(Path(copy, name)))
        yield Path(copy)


@contextlib.contextmanager
def _opened(path: str) -> Iterator[Any]:
    """Hands out a file that can be read."""
    if not is_remote(path):
        with untrusted.opened(Path(path)) as local_file:
            yield local_file
        return
    with _located(path) as (system, place), system.open(place, "rb") as file:
        yield file


@contextlib.contextmanager
def _located(path: str) -> Iterator[tuple[Any, str]]:
    """Hands out the file system of a path, and what the path is called there.

    The clients of object stores raise what they like, an ImportError where
    one is not installed, and often do not name the file. Each becomes an
    OSError that does.
    """
    from fsspec import core
    from fsspec.implementations.local import LocalFileSystem

    try:
        if is_remote(path):
            # A listing that is kept would hide what others write.
            yield core.url_to_fs(path, use_listings_cache=False)
        else:
            # Never as a URL: a name may hold "::" or begin with "~".
            yield LocalFileSystem(), os.path.abspath(path)  # noqa: PTH100
    except Exception as error:
        if not is_remote(path):
            raise
        if isinstance(error, FileNotFoundError):
            raise FileNotFoundError(f"{path}: not found: {error}") from error
        raise OSError(f"{path}: {error}") from error
