"""Types of tensors in gRPC messages that make no array."""

import grpc
import pytest
import tensorflow as tf

from tests.serving.server.test_admission import asked, failure, stub_of

CODES = grpc.StatusCode
__all__ = ["stub_of"]


@pytest.mark.parametrize("kind", [20, 21, 120, 121, 24, 101, 107])
def test_types_that_no_array_has(toy, stub_of, kind):
    made = asked()
    made.inputs["x"].dtype = kind
    found = failure(stub_of(toy.server).Predict, made)
    assert found.code() == CODES.INVALID_ARGUMENT


def test_every_number_of_a_type(toy, stub_of):
    stub = stub_of(toy.server)
    for kind in (*range(-1, 40), *range(99, 140)):
        if kind == 1:
            continue
        for values in ([], [1.0]):
            made = asked()
            made.inputs["x"].CopyFrom(tf.make_tensor_proto(values, tf.float32))
            made.inputs["x"].dtype = kind
            code = failure(stub.Predict, made).code()
            assert code == CODES.INVALID_ARGUMENT, kind
