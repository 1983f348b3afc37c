"""HDF5 and MATLAB files as an adversary makes them; see `hostile_files`."""

import struct
import zlib

import h5py
import numpy as np

from tests.helpers.hostile_files import BLOCK, DEEP, LARGE, once, text


def _hdf5(name, change):
    """The good file with a change."""

    def write(path, good):
        path.write_bytes(good)
        with h5py.File(path, "r+") as file:
            change(file, path)

    write.__name__ = name
    return write


def _first(file):
    found = []
    file.visititems(
        lambda name, one: (
            found.append(name) if isinstance(one, h5py.Dataset) else None
        )
    )
    return found[0]


def _replace(file, **arguments):
    place = _first(file)
    shape, dtype = file[place].shape, file[place].dtype
    del file[place]
    return file.create_dataset(
        place, **({"shape": shape, "dtype": dtype} | arguments)
    )


def _link(file, link):
    place = _first(file)
    del file[place]
    file[place] = link


def _packed(file, _):
    _replace(
        file, data=np.zeros((2**26,), "f4"), compression="gzip", shape=(2**26,)
    )


def _virtual(file, _):
    place = _first(file)
    layout = h5py.VirtualLayout(file[place].shape, "f4")
    layout[:] = h5py.VirtualSource(
        "/etc/passwd", "data", shape=file[place].shape
    )
    del file[place]
    file.create_virtual_dataset(place, layout)


def _loop(file, _):
    file[f"{_first(file).partition('/')[0]}/again"] = file["/"]


def _deep(file, _):
    group = file
    for _ in range(200):
        group = group.create_group("a")


WEIGHTS = (
    _hdf5(
        "external_link",
        lambda f, _: _link(f, h5py.ExternalLink("/etc/passwd", "/a")),
    ),
    _hdf5("soft_link", lambda f, _: _link(f, h5py.SoftLink("/decoder"))),
    _hdf5(
        "storage_elsewhere",
        lambda f, _: _replace(f, external=[("/etc/passwd", 0, 10**6)]),
    ),
    _hdf5("virtual", _virtual),
    _hdf5("packed", _packed),
    _hdf5(
        "huge_and_empty",
        lambda f, _: _replace(f, shape=(2**40,), chunks=(2**10,)),
    ),
    _hdf5("huge_and_whole", lambda f, _: _replace(f, shape=(2**40,))),
    _hdf5("letters", lambda f, _: _replace(f, dtype=h5py.string_dtype())),
    _hdf5("references", lambda f, _: _replace(f, dtype=h5py.ref_dtype)),
    _hdf5("another_shape", lambda f, _: _replace(f, shape=(3,))),
    _hdf5("missing", lambda f, _: f.__delitem__(_first(f))),
    _hdf5("loop", _loop),
    _hdf5("deep", _deep),
)


def _tag(kind, length):
    return struct.pack("<II", kind, length)


def _matrix(kind, sides, name, body):
    """An element of a `.mat` file."""
    name_bytes = name + bytes(-len(name) % 8)
    side_bytes = struct.pack(f"<{len(sides)}i", *sides)
    inner = (
        _tag(6, 8)
        + struct.pack("<II", kind, 0)
        + _tag(5, len(side_bytes))
        + side_bytes
        + bytes(-len(side_bytes) % 8)
        + _tag(1, len(name))
        + name_bytes
        + body
    )
    return _tag(14, len(inner)) + inner


HEAD = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM"
NUMBER = _matrix(6, (1, 1), b"", _tag(9, 8) + bytes(8))


def deep_cells(path):
    """Cells within cells; a parser that follows them crashes."""
    pieces, size = [NUMBER], len(NUMBER)
    for depth in range(DEEP):
        name = b"gt" if depth == DEEP - 1 else b""
        head = _matrix(1, (1, 1), name, b"")[8:]
        size += len(head)
        pieces.append(_tag(14, size) + head)
        size += 8
    path.write_bytes(HEAD + b"".join(reversed(pieces)))


def hidden_cell(path):
    """A cell behind the numbers of an entry, which one parser sees there."""
    inner = _matrix(
        6, (1, 1), b"", _tag(9, 8) + bytes(8) + _matrix(1, (1, 1), b"", NUMBER)
    )
    path.write_bytes(HEAD + _matrix(1, (1, 2), b"gt", inner))


@once
def packed_bomb(path):
    """Half a gigabyte of zeros, which say that they are four."""
    packer = zlib.compressobj(1)
    body = packer.compress(_tag(14, LARGE // 2 - 8))
    body += b"".join(packer.compress(BLOCK) for _ in range(33))
    body += packer.flush()
    path.write_bytes(HEAD + _tag(15, len(body)) + body)


MAT = (
    deep_cells,
    hidden_cell,
    packed_bomb,
    text("huge_cell", HEAD + _matrix(1, (2**15, 2**15), b"gt", b"")),
    text(
        "huge_entry",
        HEAD
        + _matrix(
            1,
            (1, 1),
            b"gt",
            _matrix(6, (2**15, 2**15), b"", _tag(9, 2**32 - 8)),
        ),
    ),
    text("no_cell", HEAD + _matrix(6, (1, 1), b"gt", _tag(9, 8) + bytes(8))),
    text("structure", HEAD + _matrix(2, (1, 1), b"gt", b"")),
    text("head_alone", HEAD),
    text("version_4", struct.pack("<5i", 0, 2**30, 2**30, 0, 3) + b"gt\0"),
)


def modern_mat(name, change):
    """A `.mat` file of version 7.3."""

    def write(path):
        with h5py.File(path, "w") as file:
            change(file)

    write.__name__ = name
    return once(write)


def _same_array_often(file):
    array = file.create_dataset("a", (2**20,), "f8", data=np.zeros(2**20))
    found = file.create_dataset("gt", (1, 10_000), h5py.ref_dtype)
    found[:] = [[array.ref] * 10_000]


def _swelling(file):
    """A piece that says it has 4 MiB, and swells to half a gigabyte."""
    packed = zlib.compressobj(1)
    contents = b"".join(packed.compress(BLOCK) for _ in range(33))
    contents += packed.flush()
    array = file.create_dataset(
        "a", (2**22,), "u1", chunks=(2**22,), compression="gzip"
    )
    array.id.write_direct_chunk((0,), contents)
    found = file.create_dataset("gt", (1, 1), h5py.ref_dtype)
    found[0, 0] = array.ref


MODERN_MAT = (
    modern_mat(
        "link",
        lambda f: f.__setitem__("gt", h5py.ExternalLink("/etc/passwd", "/a")),
    ),
    modern_mat("a_group", lambda f: f.create_group("gt")),
    modern_mat(
        "huge",
        lambda f: f.create_dataset(
            "gt", (1, 2**40), h5py.ref_dtype, chunks=(1, 64)
        ),
    ),
    modern_mat(
        "null_references",
        lambda f: f.create_dataset("gt", (1, 2), h5py.ref_dtype),
    ),
    modern_mat("same_array_often", _same_array_often),
    modern_mat("swelling", _swelling),
)
