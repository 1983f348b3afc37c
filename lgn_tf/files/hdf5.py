"""HDF5 files that a stranger may have made.

Such a file is more than numbers: a dataset may lie in any other file of the
machine, have a size that no memory holds, or be packed a thousandfold. What is
checked here is read afterwards by other libraries.
"""

import math
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import h5py

_MOST_OBJECTS = 100_000
_DEPTH = 32

_DEFLATE, _SHUFFLE, _FLETCHER = 1, 2, 3
_MOST_CHUNK = 64 * 2**20


def require_plain_numbers(path: Path, most: int) -> None:
    """Refuses a file that holds anything but groups and arrays of numbers.

    Args:
        path: of the file; a regular one.
        most: bytes of all arrays together.

    Raises:
        OSError: where it is no HDF5 file.
        ValueError: saying what was found.
    """
    import h5py

    with h5py.File(path, "r") as file:
        left, places = [(file, 0)], {h5py.h5o.get_info(file.id).addr}
        size = 0
        while left:
            group, depth = left.pop()
            for name in group:
                if group.get(name, getlink=True).__class__ is not h5py.HardLink:
                    raise ValueError(f"the link {name!r:.80}")
                found = group[name]
                place = h5py.h5o.get_info(found.id).addr
                if place in places or len(places) > _MOST_OBJECTS:
                    raise ValueError(f"{name!r:.80} twice, or too many things")
                places.add(place)
                if isinstance(found, h5py.Group) and depth < _DEPTH:
                    left.append((found, depth + 1))
                    continue
                size += _plain_bytes(name, found, packed=False)
                if size > most:
                    raise ValueError(f"more than {most:,} bytes")


def require_plain(name: str, found: object, most: int) -> int:
    """Refuses an array that lies elsewhere, is too large, or no array.

    It may be packed by deflate, as MATLAB does.

    Args:
        name: of the array.
        found: what a file has under the name.
        most: bytes.

    Returns:
        Its size in bytes.

    Raises:
        ValueError: saying what was found.
    """
    size = _plain_bytes(name, found, packed=True)
    if size > most:
        raise ValueError(f"more than {most:,} bytes")
    return size


def _plain_bytes(name: str, found: object, packed: bool) -> int:
    import h5py

    if not isinstance(found, h5py.Dataset):
        raise ValueError(f"{name!r:.80}, which is no array")
    named = packed and found.dtype == h5py.ref_dtype
    if found.dtype.kind not in "biuf" and not named:
        raise ValueError(f"{name!r:.80} of {found.dtype}")
    if found.external or found.is_virtual:
        raise ValueError(f"{name!r:.80}, which lies in another file")
    if found.shape is None:
        return 0
    size = math.prod(found.shape) * found.dtype.itemsize
    if found.chunks is not None:
        if not packed:
            raise ValueError(f"{name!r:.80} in pieces")
        _require_honest_pieces(name, found, size)
    return size


def _require_honest_pieces(name: str, found: "h5py.Dataset", size: int) -> None:
    """Refuses pieces that are longer when they are unpacked than they say."""
    piece = math.prod(found.chunks) * found.dtype.itemsize
    made = found.id.get_create_plist()
    filters = [made.get_filter(k)[0] for k in range(made.get_nfilters())]
    known = {_DEFLATE, _SHUFFLE, _FLETCHER}
    if piece > _MOST_CHUNK or not set(filters) <= known:
        raise ValueError(f"{name!r:.80} in pieces of {piece:,} bytes")
    if len(set(filters)) < len(filters):
        raise ValueError(f"{name!r:.80} packed twice")
    stored = found.id.get_num_chunks()
    if stored * piece > 2 * size + _MOST_CHUNK:
        raise ValueError(f"{name!r:.80} in {stored} pieces")
    if _DEFLATE not in filters:
        return
    for k in range(stored):
        info = found.id.get_chunk_info(k)
        if info.size > piece + 2**16:
            raise ValueError(f"{name!r:.80} in longer pieces than it says")
        if info.filter_mask:
            continue
        _, packed = found.id.read_direct_chunk(info.chunk_offset)
        unpacked = zlib.decompressobj().decompress(packed, piece + 8)
        if len(unpacked) > piece + 4:
            raise ValueError(f"{name!r:.80} in longer pieces than it says")
