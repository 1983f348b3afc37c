"""The elements of a `.mat` file of version 5, before a parser trusts them.

Such a file is a row of elements, each with its kind and its length, which may
be packed and may lie within each other. Here they are unpacked up to a limit,
and counted; no number is read.

Reference:
    MathWorks, MAT-File Format, chapter 1.
"""

import dataclasses
import math
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

HEAD = 128
"""Bytes in front of the first element."""

_MATRIX, _PACKED = 14, 15
_CELL, _COMPLEX = 1, 0x800
_NUMBERS = range(6, 16)
"""Classes of arrays of numbers, from doubles to integers of 64 bits."""

_PARTS = 4
"""Of an array of real numbers: flags, sides, its name, and the numbers."""

_MOST_VARIABLES = 1000


class _Element(NamedTuple):
    kind: int
    contents: memoryview


@dataclasses.dataclass(frozen=True)
class Variable:
    """One variable of a file.

    Attributes:
        whole: its element, unpacked, with its kind and length in front.
        order: `<` or `>`, the order of bytes in numbers.
    """

    whole: bytes
    order: str

    def require_cell_of_arrays(self) -> None:
        """Refuses all but a cell array whose entries are arrays of numbers.

        Raises:
            ValueError: saying what was found.
        """
        parts = list(_elements(memoryview(self.whole)[8:], self.order, 2**20))
        if _array_class(parts, self.order) != _CELL:
            raise ValueError("an array that is no cell array")
        _, sides, _, *entries = parts
        if _product(sides, self.order) != len(entries):
            raise ValueError(f"{len(entries)} entries, and another size")
        for entry in entries:
            inner = list(_elements(entry.contents, self.order, _PARTS))
            known = (
                len(inner) == _PARTS
                and _array_class(inner, self.order) in _NUMBERS
                and inner[-1].kind < _MATRIX
            )
            # An empty array may have no parts at all.
            if entry.kind != _MATRIX or (inner and not known):
                raise ValueError("an entry that is no array of real numbers")


def variables(contents: bytes, most: int) -> dict[str, Variable]:
    """Returns the variables of a file, by name.

    Args:
        contents: of the file.
        most: bytes that they have together when they are unpacked.

    Raises:
        ValueError: where it is no such file, or they are larger.
    """
    mark = contents[126:HEAD]
    if mark not in (b"IM", b"MI"):
        raise ValueError("no mark of version 5")
    order = "<" if mark == b"IM" else ">"
    found: dict[str, Variable] = {}
    rest = memoryview(contents)[HEAD:]
    for one in _elements(rest, order, _MOST_VARIABLES, padded=False):
        if one.kind == _PACKED:
            whole = _unpacked(one.contents, order, most)
        else:
            head = struct.pack(f"{order}II", one.kind, len(one.contents))
            whole = head + one.contents
        most -= len(whole)
        if most < 0:
            raise ValueError("more bytes than a cell array may have")
        found[_name(whole, order)] = Variable(whole, order)
    return found


def _unpacked(packed: memoryview, order: str, most: int) -> bytes:
    unpacker = zlib.decompressobj()
    head = unpacker.decompress(packed, 8)
    _, length = struct.unpack(f"{order}II", head)
    if length > most:
        raise ValueError(f"{length:,} bytes, more than {most:,}")
    rest = unpacker.decompress(unpacker.unconsumed_tail, max(1, length))
    return head + rest


def _name(whole: bytes, order: str) -> str:
    # The array's flags, its sides, its name, and then its contents.
    for place, part in enumerate(
        _elements(memoryview(whole)[8:], order, 2**20)
    ):
        if place == 2:
            return bytes(part.contents).decode("latin-1")
    return ""


def _product(sides: _Element, order: str) -> int:
    count = len(sides.contents) // 4
    return math.prod(struct.unpack(f"{order}{count}i", sides.contents))


def _array_class(parts: list[_Element], order: str) -> int:
    if len(parts) < 3 or len(parts[0].contents) != 8:
        return 0
    flags: int = struct.unpack(f"{order}I", parts[0].contents[:4])[0]
    return 0 if flags & _COMPLEX else flags & 0xFF


def _elements(
    contents: memoryview, order: str, most: int, padded: bool = True
) -> Iterator[_Element]:
    """Yields the elements of a row; each must end within it."""
    place = 0
    while place + 8 <= len(contents):
        most -= 1
        if most < 0:
            raise ValueError("too many elements")
        kind, length = struct.unpack(f"{order}II", contents[place : place + 8])
        start = place + 8
        if kind >> 16:
            # A short one, whose contents take the place of the length.
            kind, length, start = kind & 0xFFFF, kind >> 16, place + 4
            place += 8
            if length > 4:
                raise ValueError("a short element that is long")
        else:
            place = start + length
            place += -place % 8 if padded else 0
        if length > len(contents) - start:
            raise ValueError("an element that is cut short")
        yield _Element(kind, contents[start : start + length])
