"""Malformed gRPC requests, as methods, messages and metadata."""

import dataclasses
import struct
from collections.abc import Callable

from lgn_client import predict_pb2, wire
from tests.soak.serving import requests
from tests.soak.serving.bad_values import (
    Numbers,
    bad_name,
    bad_picture,
    mutated,
    one_of,
)
from tests.soak.serving.processes import MODEL


@dataclasses.dataclass(frozen=True)
class Call:
    """One call.

    Attributes:
        kind: for the count.
        contents: the message.
        method: its full name.
        metadata: headers.
    """

    kind: str
    contents: bytes
    method: str = wire.METHOD
    metadata: tuple[tuple[str, str | bytes], ...] = ()


def draw(numbers: Numbers, valid: list[requests.Valid]) -> Call:
    """Returns one call."""
    maker = one_of(numbers, _KINDS)
    return maker(numbers, one_of(numbers, valid).grpc)


def _bytes(numbers: Numbers, contents: bytes) -> Call:
    return Call("mutated message", mutated(numbers, contents))


def _random(numbers: Numbers, contents: bytes) -> Call:
    del contents
    return Call("random bytes", numbers.bytes(int(numbers.integers(0, 500))))


def _cut(numbers: Numbers, contents: bytes) -> Call:
    length = int(numbers.integers(len(contents)))
    return Call("cut message", contents[:length])


def _message(signature: str = "serving_default") -> predict_pb2.PredictRequest:
    message = predict_pb2.PredictRequest()
    message.model_spec.name = MODEL
    message.model_spec.signature_name = signature
    return message


_SIZES = [0, 1, 3, 5, 1000, 2**16, 2**31, 2**40, 2**62, 2**63 - 1, -1, -(2**63)]


def _shapes(numbers: Numbers, contents: bytes) -> Call:
    """One value stands for a tensor of any size."""
    del contents
    name = one_of(numbers, ["frames", "encoded_frames"])
    signature = "serving_default" if name == "frames" else "score_encoded"
    message = _message(signature)
    tensor = message.inputs[name]
    count = int(one_of(numbers, [1, 2, 3, 5, 5, 5, 300]))
    for _ in range(count):
        tensor.tensor_shape.dim.add(size=one_of(numbers, _SIZES))
    if name == "frames":
        tensor.dtype = 4
        tensor.int_val.append(int(numbers.integers(-1, 300)))
    else:
        tensor.dtype = 7
        tensor.string_val.append(numbers.bytes(20))
    return Call("huge shape", message.SerializeToString())


def _types(numbers: Numbers, contents: bytes) -> Call:
    """A type that is unknown, or another than the values have."""
    message = predict_pb2.PredictRequest.FromString(contents)
    for name in message.inputs:
        kind = one_of(numbers, [*range(24), 101, 120, 999, 2**31 - 1])
        message.inputs[name].dtype = kind
    return Call("wrong type", message.SerializeToString())


def _lengths(numbers: Numbers, contents: bytes) -> Call:
    message = predict_pb2.PredictRequest.FromString(contents)
    for name in message.inputs:
        tensor = message.inputs[name]
        tensor.tensor_content += numbers.bytes(int(numbers.integers(1, 50)))
        if numbers.uniform() < 0.3:
            tensor.float_val.extend([0.0] * 9)
        if numbers.uniform() < 0.3:
            del tensor.tensor_shape.dim[:]
    return Call("wrong length", message.SerializeToString())


def _pictures(numbers: Numbers, contents: bytes) -> Call:
    del contents
    message = _message(
        one_of(
            numbers, ["score_encoded", "predict_encoded", "score_video_encoded"]
        )
    )
    count = int(numbers.integers(1, 6))
    tensor = message.inputs["encoded_frames"]
    tensor.dtype = 7
    for size in (1, count):
        tensor.tensor_shape.dim.add(size=size)
    tensor.string_val.extend(bad_picture(numbers) for _ in range(count))
    return Call("bad picture", message.SerializeToString())


def _values(numbers: Numbers, contents: bytes) -> Call:
    """Numbers that are none, where floats are wanted."""
    message = predict_pb2.PredictRequest.FromString(contents)
    message.model_spec.signature_name = "score_with_memory"
    for name in ("items", "gamma"):
        tensor = message.inputs[name]
        tensor.dtype = 1
        tensor.tensor_shape.dim.add(size=1)
        bad = one_of(numbers, [float("nan"), float("inf"), -1e38, 3e38, 1e-45])
        tensor.tensor_content = struct.pack("<f", bad)
    return Call("wrong number", message.SerializeToString())


def _names(numbers: Numbers, contents: bytes) -> Call:
    message = predict_pb2.PredictRequest.FromString(contents)
    name = bad_name(numbers)
    match int(numbers.integers(6)):
        case 0:
            message.model_spec.name = name
        case 1:
            message.model_spec.signature_name = name
        case 2:
            message.inputs[name].dtype = 1
        case 3:
            message.model_spec.version_label = name
        case 4:
            message.model_spec.version.value = one_of(numbers, _SIZES)
        case _:
            message.output_filter.append(name)
    return Call("bad name", message.SerializeToString())


def _metadata(numbers: Numbers, contents: bytes) -> Call:
    length = int(numbers.integers(1, 6000))
    entries: list[tuple[str, str | bytes]] = [
        ("x-bin", numbers.bytes(length)),
        ("x" * min(length, 900), "y"),
        ("x", "y" * length),
        ("grpc-timeout", "1n"),
        ("content-encoding", "gzip"),
    ]
    entry = one_of(numbers, entries)
    return Call("headers", contents, metadata=(entry,))


def _methods(numbers: Numbers, contents: bytes) -> Call:
    method = one_of(
        numbers,
        [
            *("/a/b", "/tensorflow.serving.PredictionService/None"),
            *(
                f"/tensorflow.serving.PredictionService/{name}"
                for name in (
                    "Classify",
                    "Regress",
                    "MultiInference",
                    "GetModelMetadata",
                )
            ),
            *(
                f"/tensorflow.serving.ModelService/{name}"
                for name in (
                    "GetModelStatus",
                    "HandleReloadConfigRequest",
                )
            ),
            "/" + "x" * 3000 + "/y",
        ],
    )
    body = one_of(numbers, [contents, mutated(numbers, contents), b""])
    return Call("other method", body, method)


_KINDS: list[Callable[[Numbers, bytes], Call]] = [
    *(_bytes, _bytes, _bytes, _random, _cut, _shapes, _shapes, _types),
    *(_lengths, _pictures, _pictures, _values, _names, _metadata, _methods),
]
