"""Files of a local folder or of an object store, by the same functions.

A path with a scheme, such as gs://, s3:// or hdfs://, is read and written
through Apache Beam's file systems; any other is a local path, and needs no
Beam. A written file appears whole or not at all: an object store does no
other, and local files go through `atomic`.
"""

import contextlib
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from lgn_tf.files import atomic

_AS_IT_IS = "uncompressed"
# Else Beam would pack and unpack files by their suffix.


class MissingBeamError(ValueError):
    """Apache Beam is not installed."""

    def __init__(self) -> None:
        """Says how to install it."""
        super().__init__(
            "bulk scoring needs Apache Beam, which is not installed: "
            'pip install "lgn-tf[beam]"'
        )


def is_remote(path: str) -> bool:
    """Returns whether a path needs Beam's file systems."""
    return "://" in path


def join(folder: str, *names: str) -> str:
    """Returns the path of what lies in a folder."""
    if is_remote(folder):
        return _systems().join(folder, *names)
    return str(Path(folder, *names))


def exists(path: str) -> bool:
    """Returns whether there is such a file."""
    return _systems().exists(path) if is_remote(path) else Path(path).is_file()


def read(path: str) -> bytes:
    """Returns the contents of a file.

    Raises:
        OSError: where it cannot be read.
    """
    with _opened(path) as file:
        return file.read()


def write(path: str, contents: bytes) -> None:
    """Writes a file in one step, over one that is there.

    Raises:
        OSError: where it cannot be written, or no space is left.
    """
    if not is_remote(path):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        atomic.write_bytes(Path(path), contents)
        return
    with _systems().create(path, compression_type=_AS_IT_IS) as file:
        file.write(contents)


def remove(path: str) -> None:
    """Removes a file where there is one."""
    if not is_remote(path):
        Path(path).unlink(missing_ok=True)
    elif _systems().exists(path):
        _systems().delete([path])


def stream(path: str, length: int) -> Iterator[bytes]:
    """Yields the contents of a file, `length` bytes at a time.

    Only the last piece may be shorter.

    Raises:
        OSError: where it cannot be read.
    """
    with _opened(path) as file:
        while piece := _exactly(file, length):
            yield piece


def _exactly(file: BinaryIO, length: int) -> bytes:
    """Reads on where a connection hands out less than it was asked for."""
    found = file.read(length)
    while len(found) < length and (more := file.read(length - len(found))):
        found += more
    return found


@contextlib.contextmanager
def local(folder: str, names: Sequence[str]) -> Iterator[Path]:
    """Hands out a local folder with some files of another.

    Args:
        folder: a local one is handed out itself.
        names: files that are copied from a remote one, those that are there.

    Yields:
        The folder; a copy is removed where the block ends.
    """
    if not is_remote(folder):
        yield Path(folder)
        return
    with tempfile.TemporaryDirectory(prefix="lgn-") as copy:
        for name in names:
            path = join(folder, name)
            if exists(path):
                with Path(copy, name).open("wb") as file:
                    file.writelines(stream(path, 1 << 24))
        yield Path(copy)


def require_beam() -> None:
    """Raises `MissingBeamError` where Apache Beam is not installed."""
    _systems()


def _opened(path: str) -> Any:
    if is_remote(path):
        return _systems().open(path, compression_type=_AS_IT_IS)
    return Path(path).open("rb")


def _systems() -> Any:
    # Once imported, Beam warns of each cloud that it finds no client for.
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        from apache_beam.io.filesystems import FileSystems
    except ImportError as error:
        raise MissingBeamError from error
    finally:
        logging.disable(before)
    return FileSystems
