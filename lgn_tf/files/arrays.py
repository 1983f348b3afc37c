"""Arrays in `.npz` files that a stranger may have made.

Nothing is unpickled. All that an archive says of itself is checked before
memory is taken for its contents: some kilobytes may claim to be terabytes.
"""

import math
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lgn_tf.files import untrusted
from lgn_tf.files.untrusted import MEBIBYTE

MOST_BYTES = 256 * MEBIBYTE
"""Of all arrays of a file together, where its reader does not say more."""

LARGEST_SIDE = 4096
"""Pixels of a frame, and places of a map, along each side at most."""

_DIRECTORY = MEBIBYTE
"""Bytes of the list of members at most; the library reads it whole."""

_END, _LOCATOR, _END_64 = b"PK\5\6", b"PK\6\7", b"PK\6\6"

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

_BLOCK = 16 * MEBIBYTE


class Header(NamedTuple):
    """What an array says of itself, in front of its numbers.

    Attributes:
        shape: of the array.
        dtype: of its elements.
        by_columns: whether the first axis is the fastest.
        offset: bytes in front of the numbers.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    by_columns: bool
    offset: int

    @property
    def bytes(self) -> int:
        """Size of the numbers."""
        return math.prod(self.shape) * self.dtype.itemsize


def shapes(headers: Mapping[str, Header]) -> str:
    """Returns in words what the arrays are, by name; cut off where long."""
    words = [f"{name} {one.dtype} {one.shape}" for name, one in headers.items()]
    return f"{', '.join(words) or 'none':.200}"


def are_floats(header: Header, rank: int, bits: int = 32) -> bool:
    """Returns whether an array holds floats along so many axes.

    Its last two axes, if it has several, must be no longer than a picture's.
    """
    sides = header.shape[-2:] if rank > 1 else ()
    return (
        header.dtype == np.dtype(f"f{bits // 8}")
        and len(header.shape) == rank
        and all(0 < side <= LARGEST_SIDE for side in sides)
    )


Accept = Callable[[Mapping[str, Header]], None]
"""Raises ValueError where the arrays, by name, are not the wanted ones."""


def read_arrays(
    path: Path, *, most: int = MOST_BYTES, accept: Accept | None = None
) -> dict[str, NDArray[Any]]:
    """Reads the arrays of an `.npz` file, as `atomic.write_arrays` writes it.

    Args:
        path: of the file.
        most: bytes of all arrays together.
        accept: called with their headers before their numbers are read.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: naming the file, where it holds no arrays of numbers or
            letters, is cut short, or holds more than `most`; and what `accept`
            raises.
    """
    return _read(path, accept, most, _loaded)


def map_arrays(
    path: Path, *, accept: Accept | None = None
) -> dict[str, NDArray[Any]]:
    """Reads arrays that may be larger than the memory; see `read_arrays`.

    What is not compressed stays in the file, and is read where it is used. All
    that is compressed together must fit into `MOST_BYTES`.
    """
    return _read(path, accept, MOST_BYTES, _mapped)


_Load = Callable[[BinaryIO, zipfile.ZipFile, zipfile.ZipInfo, Header], Any]


def _read(
    path: Path, accept: Accept | None, most: int, load: _Load
) -> dict[str, NDArray[Any]]:
    with untrusted.opened(path) as file:
        try:
            _require_directory(file)
            with zipfile.ZipFile(file) as archive:
                members = _members(archive)
                headers = {
                    name: _header(archive, member)
                    for name, member in members.items()
                }
                _require_size(members, headers, most, load is _mapped)
        except OSError:
            raise
        except Exception as error:
            raise _damaged(path, error) from error
        if accept is not None:
            accept(headers)
        try:
            with zipfile.ZipFile(file) as archive:
                return {
                    name: load(file, archive, members[name], header)
                    for name, header in headers.items()
                }
        except OSError:
            raise
        except Exception as error:
            raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> ValueError:
    # A damaged archive raises what its parsers raise, of many kinds.
    return ValueError(
        f"{path}: must be an .npz archive of arrays, not cut short. "
        f"Found there: {str(error) or type(error).__name__:.200}"
    )


def _require_directory(file: BinaryIO) -> None:
    """Refuses a list of members that is too long, or not at the very end."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 98))
    tail = file.read(98)
    end, length = tail[-22:], int.from_bytes(tail[-10:-6], "little")
    if tail[-42:-38] == _LOCATOR:
        # Of an archive of many gigabytes; a record of its own has the length.
        place = int.from_bytes(tail[-34:-26], "little")
        if place != size - 98 or not tail.startswith(_END_64):
            raise ValueError("an archive whose end is damaged")
        length = int.from_bytes(tail[40:48], "little")
    if not end.startswith(_END):
        raise ValueError("no end of an archive")
    if length > _DIRECTORY:
        raise ValueError(f"a list of members of {length:,} bytes")


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    members: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        name = member.filename.removesuffix(".npy")
        if name in members:
            raise ValueError(f"two arrays named {name!r:.80}")
        if name == member.filename:
            raise ValueError(f"{name!r:.80}, which is no array")
        if member.flag_bits & 1:
            raise ValueError(f"{name!r:.80} encrypted")
        # Others take the memory for their tables from the file.
        if member.compress_type not in _METHODS:
            raise ValueError(f"{name!r:.80} compressed in an unusual way")
        members[name] = member
    return members


def _header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Header:
    with archive.open(member) as file:
        header = read_header(file)
    if header.offset + header.bytes != member.file_size:
        raise ValueError(
            f"{member.filename!r:.80} of {member.file_size:,} bytes, which "
            f"says that it has {header.offset + header.bytes:,}"
        )
    return header


def read_header(file: IO[bytes]) -> Header:
    """Reads the header of an `.npy` file, from its first byte on.

    Raises:
        ValueError: where there is none, or not one of numbers or letters.
    """
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"an array of format {version}")
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, by_columns, dtype = read(file)
    empty = 0 in shape
    # Elements of no size would let any number of them fit into nothing.
    if dtype.kind not in "biufU" or not (dtype.itemsize or empty):
        raise ValueError(f"an array of {dtype}")
    if any(isinstance(side, bool) or side < 0 for side in shape):
        raise ValueError(f"an array of shape {shape}")
    return Header(shape, dtype, by_columns, file.tell())


def _require_size(
    members: Mapping[str, zipfile.ZipInfo],
    headers: Mapping[str, Header],
    most: int,
    mapped: bool,
) -> None:
    size = sum(
        headers[name].bytes
        for name, member in members.items()
        if not (mapped and member.compress_type == zipfile.ZIP_STORED)
    )
    if size > most:
        raise ValueError(f"{size:,} bytes, more than {most:,}")


def _loaded(
    file: BinaryIO,
    archive: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    header: Header,
) -> NDArray[Any]:
    del file, header
    with archive.open(member) as contents:
        array: NDArray[Any] = np.lib.format.read_array(
            contents, allow_pickle=False
        )
        # The checksum is compared where the member ends.
        contents.read(1)
    return array


def _mapped(
    file: BinaryIO,
    archive: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    header: Header,
) -> NDArray[Any]:
    if member.compress_type != zipfile.ZIP_STORED or not header.bytes:
        return _loaded(file, archive, member, header)
    # The list of members does not say how long the local header is.
    file.seek(member.header_offset + 26)
    lengths = file.read(4)
    start = member.header_offset + 30
    start += int.from_bytes(lengths[:2], "little")
    start += int.from_bytes(lengths[2:], "little")
    _require_checksum(file, start, member)
    return np.memmap(
        file,
        header.dtype,
        mode="r",
        offset=start + header.offset,
        shape=header.shape,
        order="F" if header.by_columns else "C",
    ).view(np.ndarray)


def _require_checksum(
    file: BinaryIO, start: int, member: zipfile.ZipInfo
) -> None:
    file.seek(start)
    left, found = member.file_size, 0
    while left and (block := file.read(min(left, _BLOCK))):
        found = zlib.crc32(block, found)
        left -= len(block)
    if left or found != member.CRC:
        raise ValueError(f"{member.filename!r:.80} damaged")
