"""Damage that both protocols share: bytes, pictures, names."""

import struct
import zlib
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from tests.soak.serving import requests

Numbers = np.random.Generator

_T = TypeVar("_T")


def one_of(numbers: Numbers, choices: Sequence[_T]) -> _T:
    """Returns one of some things."""
    return choices[int(numbers.integers(len(choices)))]


def mutated(numbers: Numbers, contents: bytes) -> bytes:
    """Returns bytes with up to eight places changed, cut or doubled."""
    found = bytearray(contents)
    for _ in range(int(numbers.integers(1, 9))):
        if not found:
            break
        place = int(numbers.integers(len(found)))
        length = int(numbers.integers(1, 20))
        match int(numbers.integers(5)):
            case 0:
                found[place] = int(numbers.integers(256))
            case 1:
                found[place] ^= 1 << int(numbers.integers(8))
            case 2:
                del found[place : place + length]
            case 3:
                found[place:place] = found[place : place + length]
            case _:
                found[place:place] = numbers.bytes(length)
    return bytes(found)


def bad_picture(numbers: Numbers) -> bytes:
    """Returns a file that is no picture, or claims to be another."""
    png, jpeg = (requests.picture(numbers, kind) for kind in (".png", ".jpg"))
    makers: list[Callable[[], bytes]] = [
        lambda: b"",
        lambda: numbers.bytes(int(numbers.integers(1, 400))),
        lambda: png[: int(numbers.integers(1, len(png)))],
        lambda: jpeg[: int(numbers.integers(1, len(jpeg)))],
        lambda: mutated(numbers, png),
        lambda: mutated(numbers, jpeg),
        lambda: b"GIF89a" + numbers.bytes(60),
        lambda: b"BM" + numbers.bytes(60),
        lambda: _claiming(int(numbers.integers(1, 2**31 - 1)), 3),
        lambda: _claiming(4096, 4096),
        lambda: requests.picture(numbers, ".png", 8),
    ]
    return one_of(numbers, makers)()


def _claiming(width: int, height: int) -> bytes:
    """Returns a PNG whose header names a size that its data have not."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (
            _chunk(
                b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
            ),
            _chunk(b"IDAT", zlib.compress(bytes(100))),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


def bad_name(numbers: Numbers) -> str:
    """Returns a name that nothing has."""
    length = int(numbers.integers(1, 9000))
    return one_of(
        numbers,
        [
            "",
            "x" * length,
            "../../etc/passwd",
            "a\nb\r\nc",
            "\x00",
            "\u202e\U0001f600",
            "serving_default ",
            "__saved_model_init_op",
            "%s%n%d{}",
        ],
    )
