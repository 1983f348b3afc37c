"""Files as an adversary makes them, small on disk; each function writes one."""

import functools
import io
import json
import os
import socket
import struct
import zipfile
from pathlib import Path

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
