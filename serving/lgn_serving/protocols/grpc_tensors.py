"""Tensors of gRPC messages as arrays, and back."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from lgn_serving.arrays import Array, dtype_of
from lgn_serving.failure import Failure, invalid

_STRING = 24
"""Bytes that TensorFlow needs for a string besides its contents."""

_INPUTS = 256
"""Tensors that a request may have."""

_DIMENSIONS = 254
"""That a tensor may have, as in TensorFlow."""

_FIELDS = {
    "float32": "float_val",
    "float64": "double_val",
    "int64": "int64_val",
    "uint32": "uint32_val",
    "uint64": "uint64_val",
    "bool": "bool_val",
    "string": "string_val",
}


def size(tensors: Mapping[str, Any], most: int) -> int:
    """Returns the bytes that the arrays of a request will take.

    A tensor may list fewer values than its shape needs; the last value is then
    repeated. So a message of few bytes can need any amount of memory.

    Raises:
        Failure: where a tensor makes no array, or all take more than `most`.
    """
    if len(tensors) > _INPUTS:
        raise invalid(
            f"A request must have at most {_INPUTS} tensors. "
            f"Received: {len(tensors)} tensors"
        )
    taken = 0
    for name, tensor in tensors.items():
        try:
            taken += _size(tensor)
        except (TypeError, ValueError, OverflowError) as error:
            raise invalid(f"tensor parsing error: {name}: {error}") from error
        if taken > most:
            raise Failure(
                "RESOURCE_EXHAUSTED",
                f"The tensors of a request take too many bytes: {name}",
            )
    return taken


def read(tensors: Mapping[str, Any]) -> dict[str, Array]:
    """Returns the arrays of a request.

    Raises:
        Failure: where a tensor makes no array.
    """
    import tensorflow as tf

    arrays = {}
    for name, tensor in tensors.items():
        try:
            arrays[name] = tf.make_ndarray(tensor)
        except (TypeError, ValueError, OverflowError, MemoryError) as error:
            raise invalid(f"tensor parsing error: {name}: {error}") from error
    return arrays


def _size(tensor: Any) -> int:
    """Returns the bytes that a tensor takes in memory."""
    import tensorflow as tf

    count = len(tensor.tensor_shape.dim)
    if count > _DIMENSIONS:
        raise ValueError(
            f"a tensor may have {_DIMENSIONS} dimensions at most. "
            f"Received: {count} dimensions"
        )
    sizes = [dim.size for dim in tensor.tensor_shape.dim]
    if min(sizes, default=0) < 0:
        raise ValueError(f"no dimension may be negative. Received: {sizes}")
    count = math.prod(sizes)
    kind = tf.dtypes.as_dtype(tensor.dtype)
    # References, resources and variants are types of graphs alone.
    if kind._is_ref_dtype or kind in (tf.resource, tf.variant):
        raise TypeError(f"no array has the type {kind.name}")
    if kind != tf.string:
        return count * int(kind.size)
    listed = tensor.string_val
    missing = max(0, count - len(listed))
    repeated = missing * len(listed[-1]) if listed else 0
    return sum(map(len, listed)) + repeated + _STRING * (len(listed) + missing)


def write(tensor: Any, array: Array) -> None:
    """Fills a TensorProto with single values, not with raw bytes.

    This is the default of TensorFlow Serving.
    """
    import tensorflow as tf

    kind = dtype_of(array)
    tensor.dtype = tf.dtypes.as_dtype(kind).as_datatype_enum
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    field = _FIELDS.get(kind, "int_val")
    getattr(tensor, field).extend(np.ravel(array).tolist())
