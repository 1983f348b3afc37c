"""Ways to damage a file, and names that are hard to live with."""

import json
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

BOMB = 3 << 29
"""Bytes that a small archive unfolds to."""


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _garbage(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(3000))


def _cut(path: Path) -> None:
    contents = path.read_bytes()
    path.write_bytes(contents[: len(contents) // 2])


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _deep(path: Path) -> None:
    path.write_text("[" * 200_000 + "]" * 200_000)


def _deep_value(path: Path) -> None:
    """The document as it was, with one deep value more."""
    text = path.read_text().rstrip()
    path.write_text(
        text[:-1] + ', "more": ' + "[" * 99_999 + "]" * 99_999 + "}"
    )


def _huge_number(path: Path) -> None:
    """Every number of the document has 20,000 digits."""
    values = json.loads(path.read_text())

    def changed(value: object) -> object:
        if isinstance(value, dict):
            return {name: changed(each) for name, each in value.items()}
        if isinstance(value, list):
            return [changed(each) for each in value]
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return "@" if is_number else value

    text = json.dumps(changed(values))
    path.write_text(text.replace('"@"', "9" * 20_000))


def _infinite(path: Path) -> None:
    text = path.read_text()
    path.write_text(text.replace(": 1", ": 1e999").replace(": 0", ": NaN"))


def _list(path: Path) -> None:
    path.write_text("[]")


def _members(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def _header(shape: str) -> bytes:
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
    padded = text.ljust(117) + "\n"
    return (
        b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded.encode()
    )


def _huge_header(path: Path) -> None:
    """Each array claims 2^50 numbers."""
    names = _members(path)
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, _header(f"({2**50},)") + b"\0" * 64)


def _negative_header(path: Path) -> None:
    names = _members(path)
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, _header("(-3,)") + b"\0" * 64)


def _zip_bomb(path: Path) -> None:
    """Each array is small on disk and huge in memory."""
    name = _members(path)[0]
    names = _members(path)
    zeros = bytes(1 << 24)
    with zipfile.ZipFile(
        path, "w", zipfile.ZIP_DEFLATED, compresslevel=1
    ) as archive:
        with archive.open(name, "w", force_zip64=True) as member:
            member.write(_header(f"({BOMB // 4},)"))
            for _ in range(BOMB // len(zeros)):
                member.write(zeros)
        for other in names[1:]:
            archive.writestr(other, _header("(4,)") + b"\0" * 16)


def _pickled(path: Path) -> None:
    """An array of objects, which only unpickling could read."""
    names = [name.removesuffix(".npy") for name in _members(path)]
    objects = np.array([{}, []], object)
    with path.open("wb") as file:
        np.savez(file, **dict.fromkeys(names, objects))


def _other_arrays(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, other=np.zeros(3))


def _other_weights(path: Path) -> None:
    """Weights of a model of another width."""
    import h5py

    with h5py.File(path, "w") as file:
        layers = file.create_group("layers/other")
        layers.create_dataset("vars/0", data=np.zeros((3, 3, 1, 8), np.float32))


def wide_picture(path: Path, side: int = 60_000) -> None:
    """Writes a small PNG whose header names `side` x `side` pixels."""
    encoded = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    header = b"IHDR" + struct.pack(">II", side, side) + encoded[24:29]
    check = struct.pack(">I", zlib.crc32(header))
    path.write_bytes(encoded[:12] + header + check + encoded[33:])


def _long_line(path: Path) -> None:
    path.write_text(path.read_text() + "," * 1_000_000 + "\n")


def _text_numbers(path: Path) -> None:
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head, *("x" * len(row) for row in rows)]) + "\n")


Way = Callable[[Path], None]

ANY: dict[str, Way] = {
    "empty": _empty,
    "garbage": _garbage,
    "cut": _cut,
    "a FIFO": _fifo,
    "a folder": _folder,
    "a link to itself": _loop,
}
"""Ways to damage any file."""

JSON: dict[str, Way] = ANY | {
    "deep JSON": _deep,
    "a deep value": _deep_value,
    "huge numbers": _huge_number,
    "infinite numbers": _infinite,
    "a list": _list,
}

ARRAYS: dict[str, Way] = ANY | {
    "a header of 2^50": _huge_header,
    "a negative header": _negative_header,
    "a zip bomb": _zip_bomb,
    "pickled objects": _pickled,
    "other arrays": _other_arrays,
}

WEIGHTS: dict[str, Way] = ANY | {"weights of another model": _other_weights}

TABLE: dict[str, Way] = ANY | {
    "a long line": _long_line,
    "no numbers": _text_numbers,
}

PICTURE: dict[str, Way] = ANY | {"a picture too wide": wide_picture}

NAMES = {
    "a newline": "a\nb",
    "escapes": "\x1b[31ma\x07\x1b]0;b\x07",
    "255 bytes": "x" * 255,
    "a suffix .partial": "x.partial",
    "a leading dot": ".x",
    "quotes": "a'b\"c`d$(e)",
    "letters of all kinds": "ü ☃ \U0001f600",
    "bytes that are no text": os.fsdecode(b"a\xff\xfeb"),
    "a percent sign": "%s%n{0}",
}
