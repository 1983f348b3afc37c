"""TensorFlow Serving's predict messages, without TensorFlow.

`tensorflow-serving-api` brings all of TensorFlow along. A client needs four
messages; their fields are declared here by number, which is all that the
protocol knows of them.
"""

from typing import Any

import numpy as np
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    wrappers_pb2,
)
from numpy.typing import NDArray

METHOD = "/tensorflow.serving.PredictionService/Predict"

_FIELD = descriptor_pb2.FieldDescriptorProto
_PACKAGE = "lgn_client"
_KINDS = {
    "string": _FIELD.TYPE_STRING,
    "bytes": _FIELD.TYPE_BYTES,
    "int32": _FIELD.TYPE_INT32,
    "int64": _FIELD.TYPE_INT64,
    "bool": _FIELD.TYPE_BOOL,
    "float": _FIELD.TYPE_FLOAT,
    "double": _FIELD.TYPE_DOUBLE,
}
# Number, name, type; "*" repeats it, "map" goes from a string to it.
_MESSAGES: dict[str, tuple[tuple[int, str, str], ...]] = {
    "Dim": ((1, "size", "int64"),),
    "Shape": ((2, "dim", "*Dim"),),
    "Tensor": (
        (1, "dtype", "int32"),
        (2, "tensor_shape", "Shape"),
        (4, "tensor_content", "bytes"),
        (5, "float_val", "*float"),
        (6, "double_val", "*double"),
        (7, "int_val", "*int32"),
        (8, "string_val", "*bytes"),
        (10, "int64_val", "*int64"),
        (11, "bool_val", "*bool"),
    ),
    "Spec": (
        (1, "name", "string"),
        (2, "version", ".google.protobuf.Int64Value"),
        (3, "signature_name", "string"),
        (4, "version_label", "string"),
    ),
    "Request": (
        (1, "model_spec", "Spec"),
        (2, "inputs", "map Tensor"),
        (3, "output_filter", "*string"),
    ),
    "Response": ((1, "outputs", "map Tensor"), (2, "model_spec", "Spec")),
}
# TensorFlow's number of a type, and the field its values stand in.
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


def _declare() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="lgn_client.proto",
        package=_PACKAGE,
        syntax="proto3",
        dependency=["google/protobuf/wrappers.proto"],
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, field, kind in fields:
            _add_field(message, number, field, kind)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")
        )
        for name in _MESSAGES
    }


def _add_field(message: Any, number: int, name: str, kind: str) -> None:
    repeated = kind.startswith(("*", "map "))
    label = _FIELD.LABEL_REPEATED if repeated else _FIELD.LABEL_OPTIONAL
    field = message.field.add(name=name, number=number, label=label)
    if kind.startswith("map "):
        # A map travels as repeated pairs of fields 1 and 2.
        entry = message.nested_type.add(name=f"{name.title()}Entry")
        entry.options.map_entry = True
        _add_field(entry, 1, "key", "string")
        _add_field(entry, 2, "value", kind.removeprefix("map "))
        kind = f"{message.name}.{entry.name}"
    kind = kind.removeprefix("*")
    if kind in _KINDS:
        field.type = _KINDS[kind]
        return
    field.type = _FIELD.TYPE_MESSAGE
    field.type_name = kind if kind[0] == "." else f".{_PACKAGE}.{kind}"


_CLASSES = _declare()


def request(
    model: str,
    signature: str,
    inputs: dict[str, NDArray[Any]],
    *,
    version: int | None = None,
    label: str | None = None,
) -> bytes:
    """Returns a predict request as it travels.

    Args:
        model: the name of the model.
        signature: of the endpoint.
        inputs: arrays; of `bytes` objects where files are sent.
        version: which version is asked; the newest where None.
        label: the label of the version instead.

    Raises:
        ValueError: for an array of a type that does not travel.
    """
    message = _CLASSES["Request"]()
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
    """Returns the outputs of a predict response, by name."""
    message = _CLASSES["Response"].FromString(contents)
    return {name: _array(tensor) for name, tensor in message.outputs.items()}


def _array(tensor: Any) -> NDArray[Any]:
    dtype = _BY_NUMBER[tensor.dtype]
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    if tensor.tensor_content:
        # The server may write raw bytes or values one by one.
        return np.frombuffer(tensor.tensor_content, dtype).reshape(shape)
    values = getattr(tensor, _TYPES[dtype][1])
    return np.array(list(values), dtype).reshape(shape)
