"""Converts one value of a REST request to an array of the model's type.

The texts of errors are those of TensorFlow Serving 2.17.1. In one case this
module is stricter: an integer outside the range of its type is refused, which
TensorFlow Serving lets wrap around.
"""

import base64
import binascii
import functools
import json
import math
from typing import Any

import numpy as np

from lgn_serving.arrays import Array
from lgn_serving.failure import Failure, invalid

MAX_RANK = 254
"""The largest number of dimensions of a TensorFlow tensor."""

_QUOTED = 4096
_ENCODER = json.JSONEncoder(indent=4, ensure_ascii=False)
_NAMES = {"float32": "float", "float64": "double"}
_INTEGERS = (
    *("int8", "int16", "int32", "int64"),
    *("uint8", "uint16", "uint32", "uint64"),
)


def to_array(value: Any, dtype: str) -> Array:
    """Turns nested lists of equal lengths into an array.

    Args:
        value: a number, string, `{"b64": ...}` object, or lists of them.
        dtype: NumPy's name of the type, or "string".

    Returns:
        An array of that type; of objects (`bytes`) for strings.

    Raises:
        Failure: for lists of unequal lengths, or values of another type.
    """
    shape = []
    level = value
    while isinstance(level, list):
        shape.append(len(level))
        if not level:
            break
        level = level[0]
    if len(shape) > MAX_RANK:
        raise invalid(
            f"Shape must have rank at most {MAX_RANK} but got: {len(shape)}"
        )
    flat: list[Any] = []
    _fill(value, 0, shape, dtype, flat)
    try:
        kind = object if dtype == "string" else dtype
        return np.array(flat, kind).reshape(shape)
    except ValueError as error:
        # NumPy's arrays have fewer dimensions than TensorFlow's tensors.
        raise invalid(f"Shape of rank {len(shape)}: {error}") from None


def _fill(
    value: Any, level: int, shape: list[int], dtype: str, flat: list[Any]
) -> None:
    if not isinstance(value, list):
        if level != len(shape):
            raise invalid(
                f"JSON Value: {text_of(value)} found at incorrect level: "
                f"{level + 1} in the JSON DOM. Expected at level: {len(shape)}"
            )
        flat.append(_convert(value, dtype))
        return
    if level >= len(shape):
        raise invalid(
            f"Encountered list at unexpected level: {level} expected < "
            f"{len(shape)}"
        )
    if len(value) != shape[level]:
        raise invalid(
            f"Encountered list at unexpected size: {len(value)} at level: "
            f"{level} expected size: {shape[level]}"
        )
    if level == len(shape) - 1 and _is_plain(value, dtype):
        flat.extend(value)
        return
    for element in value:
        _fill(element, level + 1, shape, dtype, flat)


def _is_plain(values: list[Any], dtype: str) -> bool:
    """Returns whether a list of numbers needs no conversion.

    It saves a conversion of each number; pixels come by the million.
    """
    if dtype not in _INTEGERS or set(map(type, values)) != {int}:
        return False
    low, high = _bounds(dtype)
    return low <= min(values) and max(values) <= high


@functools.cache
def _bounds(dtype: str) -> tuple[int, int]:
    limits = np.iinfo(dtype)
    return limits.min, limits.max


def _convert(value: Any, dtype: str) -> Any:
    if dtype == "string":
        if isinstance(value, dict):
            return _from_base64(value)
        if isinstance(value, str):
            return value.encode(errors="replace")
        raise _type_error(value, dtype)
    if dtype == "bool" and isinstance(value, bool):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _type_error(value, dtype)
    if dtype in _NAMES:
        return _to_float(value, dtype)
    if dtype not in _INTEGERS:
        raise Failure(
            "UNIMPLEMENTED",
            f"Conversion of JSON Value: {text_of(value)} to type: {dtype}",
        )
    low, high = _bounds(dtype)
    if type(value) is int and low <= value <= high:
        return value
    raise _type_error(value, dtype)


def _to_float(value: float, dtype: str) -> float:
    limits = np.finfo(dtype)
    # Up to this number the type holds every integer.
    most = 2 ** (limits.nmant + 1) - 1 if type(value) is int else limits.max
    if type(value) is int or math.isfinite(value):
        if abs(value) > most:
            raise invalid(
                f"Cannot convert JSON value: {text_of(value)} to "
                f"{_NAMES[dtype]} without loss of precision."
            )
    return value


def _type_error(value: Any, dtype: str) -> Failure:
    kinds = {dict: "Object", list: "Array", str: "String", type(None): "Null"}
    kind = kinds.get(type(value), "Number")
    if isinstance(value, bool):
        kind = str(value)
    return invalid(
        f"JSON Value: {text_of(value)} Type: {kind} is not of expected type: "
        f"{_NAMES.get(dtype, dtype)}"
    )


def is_base64(value: Any) -> bool:
    """Returns whether a value is bytes: an object of one key, `b64`."""
    return (
        isinstance(value, dict)
        and list(value) == ["b64"]
        and isinstance(value["b64"], str)
    )


def _from_base64(value: dict[str, Any]) -> bytes:
    if not is_base64(value):
        raise invalid(
            f"JSON Value: {text_of(value)} not formatted correctly for base64 "
            "data"
        )
    try:
        return base64.b64decode("".join(value["b64"].split()), validate=True)
    except (binascii.Error, ValueError):
        raise invalid("Unable to base64 decode") from None


def text_of(value: Any) -> str:
    """Returns a value as errors quote it; a long one is cut."""
    text = ""
    # A document may have megabytes, and only its beginning is quoted.
    for part in _ENCODER.iterencode(value):
        text += part
        if len(text) > _QUOTED:
            return f"{text[:_QUOTED]}..."
    return text
