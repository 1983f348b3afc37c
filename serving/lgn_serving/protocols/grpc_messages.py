"""Looks at messages of gRPC before they are parsed.

A parsed message may take a hundred times its bytes: an empty field is two bytes
on the wire, and an object in memory. And nothing else runs in the process while
protocol buffers parse.
"""

from typing import Any

import numpy as np
from google.protobuf.descriptor import FieldDescriptor

from lgn_serving.failure import Failure, invalid

_FIELDS = 2**16
"""Fields that a message may have, with those inside of fields."""

_NUMBERS = 2**24
"""Whole numbers that its lists may have; parsing these takes a third of a
second."""

_FIELD = 512
"""Bytes that a field takes besides its contents, at most."""

_TYPE = FieldDescriptor
_VALUES = {
    **dict.fromkeys((_TYPE.TYPE_INT64, _TYPE.TYPE_UINT64), 16),
    **dict.fromkeys((_TYPE.TYPE_INT32, _TYPE.TYPE_UINT32), 8),
    _TYPE.TYPE_ENUM: 8,
    _TYPE.TYPE_BOOL: 2,
}
"""Bytes that a number of a list takes at most: lists double as they grow."""

_VARINT, _LONG, _LENGTH, _SHORT = 0, 1, 2, 5
"""Types of the wire."""

_WIDTHS = {_LONG: 8, _SHORT: 4}


def memory(message: bytes, kind: Any) -> int:
    """Returns how many bytes a message takes at most when it is parsed.

    Args:
        message: as it came.
        kind: its class.

    Raises:
        Failure: INTERNAL where it is damaged, INVALID_ARGUMENT where it has
            too many fields or numbers.
    """
    walk = _Walk(message)
    try:
        walk.message(0, len(message), kind.DESCRIPTOR)
    except (IndexError, RecursionError) as error:
        raise damaged() from error
    return walk.bytes


def damaged() -> Failure:
    """Returns the failure of a message that is none, as gRPC words it."""
    return Failure("INTERNAL", "Exception deserializing request!")


class _Walk:
    """Goes through the fields of a message."""

    def __init__(self, message: bytes) -> None:
        self._message = message
        self._fields = 0
        self._numbers = 0
        self.bytes = len(message)

    def message(self, place: int, end: int, kind: Any) -> None:
        """Counts the fields between two places."""
        fields = kind.fields_by_number
        while place < end:
            self._fields += 1
            if self._fields > _FIELDS:
                raise invalid(f"A request must have at most {_FIELDS} fields")
            self.bytes += _FIELD
            tag, place = self._number(place)
            wire = tag & 7
            if wire == _VARINT:
                _, place = self._number(place)
            elif wire == _LENGTH:
                size, place = self._number(place)
                if size > end - place:
                    raise IndexError
                field = fields.get(tag >> 3)
                if field is not None:
                    self._contents(place, place + size, field)
                place += size
            elif wire in _WIDTHS:
                place += _WIDTHS[wire]
            else:
                # Groups are of no kind that is known here.
                raise IndexError
        if place != end:
            raise IndexError

    def _contents(self, place: int, end: int, field: Any) -> None:
        if field.message_type is not None:
            self.message(place, end, field.message_type)
        elif field.type in _VALUES:
            # The last byte of a number is below 128.
            numbers = np.frombuffer(self._message, np.int8, end - place, place)
            count = int(np.count_nonzero(numbers >= 0))
            self._numbers += count
            if self._numbers > _NUMBERS:
                raise invalid(
                    f"A request must list at most {_NUMBERS} whole numbers; "
                    "`tensor_content` takes more"
                )
            self.bytes += count * _VALUES[field.type]
        else:
            # Text, bytes, or numbers that are as long here as on the wire.
            self.bytes += end - place

    def _number(self, place: int) -> tuple[int, int]:
        """Returns a number, and the place behind it."""
        value = shift = 0
        while True:
            byte = self._message[place]
            place += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value, place
            shift += 7
            if shift > 63:
                raise IndexError
