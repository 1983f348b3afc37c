"""TensorFlow Serving's predict messages as bytes, without TensorFlow.

`predict.proto` defines the messages, and `make protos` generates
`predict_pb2` from it.
"""

import math
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from lgn_client import predict_pb2

METHOD = "/tensorflow.serving.PredictionService/Predict"

# TensorFlow's number of a type, and the field that holds its values.
_TYPES = {
    "float32": (1, "float_val"),
    "float64": (2, "double_val"),
    "int32": (3, "int_val"),
    "uint8": (4, "int_val"),
    "object": (7, "string_val"),
    "int64": (9, "int64_val"),
    "bool": (10, "bool_val"),
}
_BY_NUMBER = {number: name for name, (number, _) in _TYPES.items()}


def request(
    model: str,
    signature: str,
    inputs: dict[str, NDArray[Any]],
    *,
    version: int | None = None,
    label: str | None = None,
) -> bytes:
    """Returns a predict request as the bytes of its message.

    Args:
        model: the name of the model.
        signature: the name of the endpoint.
        inputs: arrays; of `bytes` objects where files are sent.
        version: the number of the version; the newest where None.
        label: the label of the version instead of its number.

    Raises:
        ValueError: for an array of a type that has no field in the message.
    """
    message = predict_pb2.PredictRequest()
    message.model_spec.name = model
    message.model_spec.signature_name = signature
    if version is not None:
        message.model_spec.version.value = version
    if label is not None:
        message.model_spec.version_label = label
    for name, array in inputs.items():
        _fill(message.inputs[name], name, array)
    return bytes(message.SerializeToString())


def _fill(tensor: Any, name: str, array: NDArray[Any]) -> None:
    if array.dtype.name not in _TYPES:
        raise ValueError(
            f"`{name}` must be of one of {', '.join(_TYPES)}. "
            f"Received: {array.dtype.name}"
        )
    tensor.dtype = _TYPES[array.dtype.name][0]
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    if array.dtype == object:
        tensor.string_val.extend(array.ravel().tolist())
    else:
        tensor.tensor_content = np.ascontiguousarray(array).tobytes()


def response(contents: bytes) -> dict[str, NDArray[Any]]:
    """Returns the outputs of a predict response, by name.

    Args:
        contents: the message.

    Raises:
        ValueError: where it is no such message, or where an output has an
            unknown type or not as many values as its shape says.
    """
    try:
        message = predict_pb2.PredictResponse.FromString(contents)
    except DecodeError:
        raise ValueError("no predict response") from None
    found = {}
    for name, tensor in message.outputs.items():
        try:
            found[name] = _array(tensor)
        except ValueError as error:
            raise ValueError(f"`{name}`: {error}") from None
    return found


def _array(tensor: Any) -> NDArray[Any]:
    dtype = _BY_NUMBER.get(tensor.dtype)
    if dtype is None:
        raise ValueError(f"values of the unknown type {tensor.dtype}")
    # The server may write raw bytes or values one by one.
    content = tensor.tensor_content
    if content:
        values = np.frombuffer(content, dtype)
    else:
        values = _of_field(getattr(tensor, _TYPES[dtype][1]), dtype)
    # NumPy refuses so many dimensions, and more of them as well.
    shape = [dim.size for dim in tensor.tensor_shape.dim[:65]]
    if min(shape, default=0) < 0 or math.prod(shape) != len(values):
        raise ValueError(f"{len(values)} values in the shape {shape}")
    return values.reshape(shape)


def _of_field(field: Any, dtype: str) -> NDArray[Any]:
    # They travel as 32-bit numbers, which older releases of NumPy cut.
    if dtype == "uint8" and not all(0 <= each < 256 for each in field):
        raise ValueError("numbers that are no bytes")
    return np.fromiter(field, dtype, len(field))
