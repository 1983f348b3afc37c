"""Messages of gRPC that take many times their bytes when they are parsed."""

import random

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2

from lgn_serving.failure import Failure
from lgn_serving.limits import Limits
from lgn_serving.models.settings import ModelSettings
from lgn_serving.protocols import grpc_messages
from tests.serving.server.test_admission import asked, failure, stub_of

CODES = grpc.StatusCode
PREDICT = "/tensorflow.serving.PredictionService/Predict"
METADATA = "/tensorflow.serving.PredictionService/GetModelMetadata"
__all__ = ["stub_of"]


def varint(number):
    found = b""
    while number > 127:
        found += bytes([number & 127 | 128])
        number >>= 7
    return found + bytes([number])


def field(number, contents):
    """Returns a field of some bytes."""
    return varint(number << 3 | 2) + varint(len(contents)) + contents


def tensor(contents):
    """Returns a request of one tensor."""
    return field(1, field(1, b"toy")) + field(
        2, field(1, b"x") + field(2, contents)
    )


MANY = 70_000
SMALL = {
    "dimensions": tensor(b"\x08\x01" + field(2, field(2, b"") * MANY)),
    "strings": tensor(b"\x08\x07" + field(8, b"") * MANY),
    "numbers": tensor(b"\x08\x01" + b"\x2d\0\0\0\0" * MANY),
    "resources": tensor(b"\x08\x14" + field(14, b"") * MANY),
    "outputs": asked().SerializeToString() + field(3, b"y") * MANY,
    "tensors": b"".join(
        field(2, field(1, b"%d" % each) + field(2, b"")) for each in range(MANY)
    ),
    "of the name": field(1, field(1, b"") * MANY),
    "unknown": asked().SerializeToString() + field(15, b"") * MANY,
}


@pytest.fixture
def call(toy):
    target = f"127.0.0.1:{toy.server.grpc_port}"
    with grpc.insecure_channel(target) as channel:
        yield lambda message, path=PREDICT: channel.unary_unary(path)(
            message, timeout=60
        )


@pytest.mark.parametrize("kind", SMALL)
def test_many_fields(call, kind):
    found = failure(call, SMALL[kind])
    assert found.code() == CODES.INVALID_ARGUMENT
    assert found.details() == "A request must have at most 65536 fields"
    call(asked().SerializeToString())


def test_many_names(call):
    made = asked()
    made.output_filter.extend(["y"] * 257)
    found = failure(call, made.SerializeToString())
    assert found.code() == CODES.INVALID_ARGUMENT
    assert found.details() == "A request must name at most 256 outputs"
    made = asked()
    for each in range(256):
        made.inputs[f"{each}"].dtype = 1
    found = failure(call, made.SerializeToString())
    assert found.code() == CODES.INVALID_ARGUMENT
    assert found.details().endswith("Received: 257 tensors")
    made = asked()
    for _ in range(255):
        made.inputs["x"].tensor_shape.dim.add(size=2**62)
    found = failure(call, made.SerializeToString())
    assert found.code() == CODES.INVALID_ARGUMENT
    assert found.details().endswith("Received: 257 dimensions")
    made = get_model_metadata_pb2.GetModelMetadataRequest()
    made.metadata_field.extend(["signature_def"] * 257)
    found = failure(call, made.SerializeToString(), METADATA)
    assert found.code() == CODES.INVALID_ARGUMENT
    assert found.details() == "A request must name at most 256 fields"


def test_short_numbers_are_counted_as_they_are_in_memory(
    serve, toy_dir, stub_of
):
    server = serve(
        [ModelSettings("toy", toy_dir)],
        limits=Limits(body_bytes=2**20, buffered_bytes=2**20),
    )
    made = asked()
    made.inputs["x"].int64_val.extend([1] * 10**6)
    assert made.ByteSize() < 2**20
    found = failure(stub_of(server).Predict, made)
    assert found.code() == CODES.INVALID_ARGUMENT
    assert "bytes of memory when it is read" in found.details()
    stub_of(server).Predict(asked())


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("int64_val", 16),
        ("uint64_val", 16),
        ("int_val", 8),
        ("uint32_val", 8),
        ("half_val", 8),
        ("bool_val", 2),
        ("float_val", 4),
        ("double_val", 8),
    ],
)
def test_what_numbers_take(name, size):
    made = predict_pb2.PredictRequest()
    getattr(made.inputs["x"], name).extend([1] * 10_000)
    message = made.SerializeToString()
    found = grpc_messages.memory(message, predict_pb2.PredictRequest)
    assert 0 <= found - len(message) - 10_000 * size < 5_000


@pytest.mark.parametrize("number", [7, 10, 11, 13, 16, 17])
def test_many_numbers(number):
    kind = predict_pb2.PredictRequest
    most = field(number, b"\1" * 2**23) * 2
    grpc_messages.memory(tensor(most), kind)
    with pytest.raises(Failure) as caught:
        grpc_messages.memory(tensor(most + field(number, b"\1")), kind)
    assert caught.value.code == "INVALID_ARGUMENT"
    assert "at most 16777216 whole numbers" in caught.value.message
    # Floats and raw bytes are read at once, whatever their number.
    for other in (4, 5, 6):
        grpc_messages.memory(tensor(field(other, bytes(2**25))), kind)


def test_what_the_parser_takes_is_not_refused():
    choice = random.Random(0)
    made = asked()
    made.model_spec.version.value = 3
    made.inputs["s"].CopyFrom(tf.make_tensor_proto([b"a", b"bb"]))
    made.inputs["i"].int_val.extend([1, 300, -1])
    made.inputs["f"].CopyFrom(tf.make_tensor_proto(np.ones(2, np.float64)))
    made.output_filter.append("y")
    whole = made.SerializeToString()
    taken = 0
    for _ in range(20_000):
        changed = bytearray(whole)
        for _ in range(choice.randint(0, 2)):
            changed[choice.randrange(len(whole))] = choice.randrange(256)
        end = choice.choice([len(whole), choice.randrange(len(whole))])
        message = bytes(changed[:end])
        try:
            predict_pb2.PredictRequest.FromString(message)
        except Exception:
            continue
        taken += 1
        grpc_messages.memory(message, predict_pb2.PredictRequest)
    assert taken > 1_000


@pytest.mark.parametrize(
    "message",
    [b"\x0a", b"\x0a\x05a", b"\x80" * 11, b"\x0b\x0c", b"\x09\0", b"\x06"],
)
def test_damaged_messages(message):
    with pytest.raises(Failure) as caught:
        grpc_messages.memory(message, predict_pb2.PredictRequest)
    assert caught.value.code == "INTERNAL"
