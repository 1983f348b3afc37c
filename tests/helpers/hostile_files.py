"""Files as an adversary makes them, small on disk; each function writes one."""

import functools
import io
import json
import os
import socket
import struct
import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np

LARGE = 2**33
"""Bytes that no reader may take."""

BLOCK = bytes(2**24)


def remove(path):
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def pipe(path):
    os.mkfifo(path)


def folder(path):
    path.mkdir()


def link_to_nothing(path):
    path.symlink_to("nothing")


def link_to_zeros(path):
    path.symlink_to("/dev/zero")


def link_to_itself(path):
    path.symlink_to(path.name)


def bound_socket(path):
    here = Path.cwd()
    # The path of a socket may have a hundred letters.
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(path.name)
    finally:
        os.chdir(here)


def empty(path):
    path.write_bytes(b"")


def noise(path):
    path.write_bytes(np.random.default_rng(3).bytes(5000))


def zeros(path):
    """Of a size that no disk need hold."""
    with path.open("wb") as file:
        file.truncate(LARGE)


def one_line(path):
    """A line of 8 GiB, which begins as text."""
    with path.open("wb") as file:
        file.write(b"frame,psnr\n1,")
        file.truncate(LARGE)


NO_FILES = (
    pipe,
    folder,
    link_to_nothing,
    link_to_zeros,
    link_to_itself,
    bound_socket,
)
DAMAGED = (empty, noise, zeros, one_line)


def text(name, text):
    def write(path):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    write.__name__ = name
    return write


DEEP = 100_000
JSON = (
    text("deep_lists", "[" * DEEP + "]" * DEEP),
    text("deep_tables", '{"a":' * DEEP + "1" + "}" * DEEP),
    text("deep_below", '{"a":' * 500 + "1" + "}" * 500),
    text("another_type", "[[1, 2]]"),
    text("many_digits", '{"model": {"frames": ' + "9" * 10_000 + "}}"),
    text("no_text", b'{"model": "\xff"}'),
)
CSV = (
    text("many_columns", ",".join(f"c{k}" for k in range(10**5)) + "\n1\n"),
    text("long_field", "epoch,loss\n1," + "9" * 200_000 + "\n"),
    text("zero_bytes", "epoch,loss\n1,\0\n"),
    text("unequal_rows", "epoch,loss\n1\n1,2,3\n"),
)


def changed_json(name, change):
    """Writes what `change` makes of the good file."""

    def write(path, good):
        values = json.loads(good)
        change(values)
        path.write_text(json.dumps(values))

    write.__name__ = name
    return write


def _npy(shape, dtype="<f4", contents=b""):
    header = (
        f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}, }}"
    )
    header = header.encode().ljust(118 - 1) + b"\n"
    return (
        b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header + contents
    )


def _npz(name, *members, method=zipfile.ZIP_STORED):
    """Of members, each a name and its bytes."""

    def write(path):
        with zipfile.ZipFile(path, "w", method) as archive:
            for member, contents in members:
                archive.writestr(member, contents)

    write.__name__ = name
    return write


def once(write):
    """Writes once, and copies from then on."""
    made = {}

    @functools.wraps(write)
    def copy(path):
        if write not in made:
            write(path)
            made[write] = path.read_bytes()
        path.write_bytes(made[write])

    return copy


@once
def bomb(path):
    """Half a gigabyte of zeros in some megabytes."""
    with (
        zipfile.ZipFile(
            path, "w", zipfile.ZIP_DEFLATED, compresslevel=1
        ) as archive,
        archive.open("frame.npy", "w", force_zip64=True) as member,
    ):
        member.write(_npy((len(BLOCK) * 33,), "|u1"))
        for _ in range(33):
            member.write(BLOCK)


def claims_of_the_directory(path):
    """A member that says of itself, twice, that it has 8 GiB."""
    contents = io.BytesIO()
    with zipfile.ZipFile(contents, "w") as archive:
        archive.writestr("frame.npy", _npy((LARGE // 4 - 32,), "<f4"))
        info = archive.infolist()[0]
        info.file_size = info.compress_size = 2**32 - 2
    path.write_bytes(contents.getvalue())


def encrypted(path):
    _npz("", ("frame.npy", _npy((1,), contents=bytes(4))))(path)
    contents = bytearray(path.read_bytes())
    contents[contents.rindex(b"PK\1\2") + 8] |= 1
    path.write_bytes(contents)


def two_of_one_name(path):
    contents = _npy((1,), contents=bytes(4))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", contents)
        archive.writestr("b.npy", contents)
    path.write_bytes(path.read_bytes().replace(b"b.npy", b"a.npy"))


@once
def many_members(path):
    """A list of members of 3 MiB, which a parser turns into 30."""
    with zipfile.ZipFile(path, "w") as archive:
        for place in range(50_000):
            archive.writestr(f"{place}.npy", b"")


def pickled(path):
    """Ends the process where it is unpickled."""
    np.savez(path.with_suffix(".npz"), frame=np.array([_Ends()], object))
    if path.suffix != ".npz":
        path.with_suffix(".npz").rename(path)


class _Ends:
    def __reduce__(self):
        return os._exit, (7,)


HUGE = (2**50,)
NPZ = (
    bomb,
    claims_of_the_directory,
    encrypted,
    two_of_one_name,
    many_members,
    pickled,
    _npz("huge_shape", ("error_map.npy", _npy((2**20, 2**15, 2**15)))),
    _npz("negative_shape", ("frame.npy", _npy((-1, 4)))),
    _npz("no_size", ("names.npy", _npy(HUGE, "<U0"))),
    _npz("deep_header", ("frame.npy", _npy("(" * 90 + "1," + ")" * 90))),
    _npz("leaves", ("../../frame.npy", _npy((1,), contents=bytes(4)))),
    _npz("another_array", ("other.npy", _npy((1,), contents=bytes(4)))),
    _npz("no_member", method=zipfile.ZIP_STORED),
    _npz(
        "lzma",
        ("frame.npy", _npy((1,), contents=bytes(4))),
        method=zipfile.ZIP_LZMA,
    ),
)
NPY = (
    text("huge", _npy(HUGE)),
    text("overflowing", _npy((2**62, 2**62))),
    text("objects", _npy((3,), "|O", b"cos\nsystem\n(S'true'\ntR.")),
    text("letters", _npy((8,), "<U1", bytes(32))),
    text("no_size", _npy(HUGE, "<U0")),
)


def sparse_labels(path):
    """Labels of a thousand million frames, which take no place on disk."""
    with path.open("wb") as file:
        file.write(_npy((LARGE,), "|u1"))
        file.truncate(LARGE + 128)


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
