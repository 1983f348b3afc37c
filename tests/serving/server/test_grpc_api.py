"""PredictionService and ModelService, asked through the real stubs."""

import contextlib
import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from lgn_serving.limits import Limits
from lgn_serving.models.graph_session import GraphSession
from lgn_serving.models.settings import BatchSettings, ModelSettings
from tests.serving.conftest import ANSWER

CODES = grpc.StatusCode


@pytest.fixture
def channel(toy):
    with grpc.insecure_channel(f"127.0.0.1:{toy.server.grpc_port}") as channel:
        yield channel


@pytest.fixture
def stub(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


def request(name="toy", signature="", only=(), label=None, version=None, **x):
    made = predict_pb2.PredictRequest(output_filter=only)
    made.model_spec.name = name
    made.model_spec.signature_name = signature
    if label is not None:
        made.model_spec.version_label = label
    if version is not None:
        made.model_spec.version.value = version
    for key, value in x.items():
        made.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return made


ROWS = np.array([[1, 2, 3, 4], [5, 6, 7, 8], [9, 1, 2, 3]], np.float32)


@pytest.mark.parametrize("which", [{}, {"label": "stable"}, {"version": 1}])
def test_predict(stub, which):
    response = stub.Predict(request(x=ROWS, **which))
    assert response.model_spec.name == "toy"
    assert response.model_spec.version.value == 1
    assert response.model_spec.signature_name == "serving_default"
    assert set(response.outputs) == {"n", "y"}
    np.testing.assert_allclose(
        tf.make_ndarray(response.outputs["y"]), ROWS[:, :1] * ANSWER, rtol=1e-6
    )
    counts = tf.make_ndarray(response.outputs["n"])
    assert counts.dtype == np.int64
    np.testing.assert_array_equal(counts, [0, 0, 0])


def test_only_the_wanted_outputs(stub):
    response = stub.Predict(request(x=ROWS, only=["n"]))
    assert set(response.outputs) == {"n"}


@pytest.mark.parametrize(
    ("made", "code", "text"),
    [
        (
            request(name="nope", x=ROWS),
            CODES.NOT_FOUND,
            "Servable not found for request: Latest(nope)",
        ),
        (
            request(version=9, x=ROWS),
            CODES.NOT_FOUND,
            "Servable not found for request: Specific(toy, 9)",
        ),
        (
            request(label="canary", x=ROWS),
            CODES.INVALID_ARGUMENT,
            "Unrecognized servable version label: canary",
        ),
        (
            request(signature="nope", x=ROWS),
            CODES.INVALID_ARGUMENT,
            'Serving signature name: "nope" not found in signature def',
        ),
        (
            request(z=ROWS),
            CODES.INVALID_ARGUMENT,
            "input size does not match signature: 1!=1 len({z}) != len({x}). "
            "Sent extra: {z}. Missing but required: {x}.",
        ),
        (
            request(x=ROWS.astype(np.int32)),
            CODES.INVALID_ARGUMENT,
            "Expects arg[0] to be float32 but int32 is provided",
        ),
        (
            request(x=ROWS, only=["z"]),
            CODES.INVALID_ARGUMENT,
            "output tensor alias not found in signature: z Outputs expected "
            "to be in the set {n,y}.",
        ),
    ],
)
def test_a_predict_request_that_fails(stub, made, code, text):
    with pytest.raises(grpc.RpcError) as caught:
        stub.Predict(made)
    assert caught.value.code() == code
    assert caught.value.details() == text


def test_a_tensor_that_is_none(stub):
    made = request(x=ROWS)
    made.inputs["x"].tensor_shape.dim[0].size = 77
    made.inputs["x"].tensor_content = b"short"
    with pytest.raises(grpc.RpcError) as caught:
        stub.Predict(made)
    assert caught.value.code() == CODES.INVALID_ARGUMENT
    assert caught.value.details().startswith("tensor parsing error: x: ")


def test_a_shape_that_the_graph_refuses(stub):
    with pytest.raises(grpc.RpcError) as caught:
        stub.Predict(request(x=ROWS[:, :2]))
    assert caught.value.code() == CODES.INVALID_ARGUMENT
    assert "Matrix size-incompatible: In[0]: [3,2]" in caught.value.details()


def test_metadata(stub):
    asked = get_model_metadata_pb2.GetModelMetadataRequest()
    asked.model_spec.name = "toy"
    asked.metadata_field.append("signature_def")
    found = stub.GetModelMetadata(asked)
    table = get_model_metadata_pb2.SignatureDefMap()
    assert found.metadata["signature_def"].Unpack(table)
    assert {"serving_default", "update", "reset"} <= set(table.signature_def)
    assert found.model_spec.version.value == 1


@pytest.mark.parametrize("fields", [[], ["weights"]])
def test_other_metadata(stub, fields):
    asked = get_model_metadata_pb2.GetModelMetadataRequest()
    asked.model_spec.name = "toy"
    asked.metadata_field.extend(fields)
    with pytest.raises(grpc.RpcError) as caught:
        stub.GetModelMetadata(asked)
    assert caught.value.code() == CODES.INVALID_ARGUMENT


def test_status(channel):
    stub = model_service_pb2_grpc.ModelServiceStub(channel)
    asked = get_model_status_pb2.GetModelStatusRequest()
    asked.model_spec.name = "toy"
    (version,) = stub.GetModelStatus(asked).model_version_status
    assert version.version == 1
    assert version.state == version.State.Value("AVAILABLE")
    asked.model_spec.version.value = 9
    with pytest.raises(grpc.RpcError) as caught:
        stub.GetModelStatus(asked)
    assert caught.value.details() == "Could not find version 9 of model toy"


def test_what_is_not_there(stub):
    from tensorflow_serving.apis import classification_pb2

    with pytest.raises(grpc.RpcError) as caught:
        stub.Classify(classification_pb2.ClassificationRequest())
    assert caught.value.code() == CODES.UNIMPLEMENTED


@pytest.fixture
def limited(serve, toy_dir):
    """Returns a function that asks a server of some limits."""
    with contextlib.ExitStack() as channels:

        def connect(batching=None, **limits):
            server = serve(
                [ModelSettings("toy", toy_dir)],
                limits=Limits(**limits),
                batching=batching,
            )
            channel = channels.enter_context(
                grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}")
            )
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            return server, stub

        yield connect


def tensor(kind, sizes, **values):
    made = tf.make_tensor_proto(np.zeros(0, np.float32))
    made.dtype = kind
    del made.tensor_shape.dim[:]
    for size in sizes:
        made.tensor_shape.dim.add(size=size)
    for field, listed in values.items():
        getattr(made, field).extend(listed)
    return made


FLOAT, STRING = tf.float32.as_datatype_enum, tf.string.as_datatype_enum
# 80,000 bytes from one number.
HALF = tensor(FLOAT, (5_000, 4), float_val=[1.0])


@pytest.mark.parametrize(
    "tensors",
    [
        {"x": tensor(FLOAT, (10_000, 4), float_val=[1.0])},
        {"x": tensor(FLOAT, (2**62, 2**62, 4), float_val=[1.0])},
        {"x": tensor(STRING, (1_000,), string_val=[b"a" * 1_000])},
        {"x": tensor(STRING, (100_000,))},
        {"x": HALF, "y": HALF},
    ],
)
def test_a_small_message_of_large_tensors(limited, tensors):
    _, stub = limited(body_bytes=100_000)
    made = request()
    for name, each in tensors.items():
        made.inputs[name].CopyFrom(each)
    with pytest.raises(grpc.RpcError) as caught:
        stub.Predict(made)
    assert caught.value.code() == CODES.RESOURCE_EXHAUSTED
    assert "take too many bytes" in caught.value.details()
    stub.Predict(request(x=ROWS))


def test_repeated_values_within_the_limit(limited):
    _, stub = limited(body_bytes=100_000)
    made = request()
    made.inputs["x"].CopyFrom(HALF)
    found = tf.make_ndarray(stub.Predict(made).outputs["y"])
    np.testing.assert_allclose(found, np.tile(ANSWER, (5_000, 1)), rtol=1e-6)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (tensor(FLOAT, (-1, 4), float_val=[1.0]), "dimension may be negative"),
        (tensor(0, (1, 4), float_val=[1.0]), "to a TensorFlow DType"),
        (tensor(999, (1, 4), float_val=[1.0]), "to a TensorFlow DType"),
        (tensor(FLOAT, (1,) * 100, float_val=[1.0]), "maximum supported dim"),
        (tensor(FLOAT, (1, 4), float_val=[1.0] * 5), "negative"),
    ],
)
def test_a_tensor_that_makes_no_array(stub, made, text):
    asked = request()
    asked.inputs["x"].CopyFrom(made)
    with pytest.raises(grpc.RpcError) as caught:
        stub.Predict(asked)
    assert caught.value.code() == CODES.INVALID_ARGUMENT
    assert caught.value.details().startswith("tensor parsing error: x: ")
    assert text in caught.value.details()


def test_a_message_above_the_limit(limited):
    _, stub = limited(body_bytes=10_000)
    with pytest.raises(grpc.RpcError) as caught:
        stub.Predict(request(x=np.zeros((1_000, 4), np.float32)))
    assert caught.value.code() == CODES.RESOURCE_EXHAUSTED
    assert "larger than max" in caught.value.details()
    stub.Predict(request(x=ROWS))


def test_more_requests_than_the_limit(limited):
    # A lone request waits so long for others.
    waits = BatchSettings(max_batch_size=8, timeout=1.0)
    server, stub = limited(batching=waits, in_flight=1)
    first = stub.Predict.future(request(x=ROWS))
    end = time.monotonic() + 20
    while not server._metrics.running():
        assert time.monotonic() < end
        time.sleep(0.005)
    with pytest.raises(grpc.RpcError) as caught:
        stub.Predict(request(x=ROWS))
    assert caught.value.code() == CODES.RESOURCE_EXHAUSTED
    assert set(first.result().outputs) == {"n", "y"}
    assert b"lgn_serve_requests_in_flight 0.0" in server._metrics.text()
    stub.Predict(request(x=ROWS))


def test_no_choice_of_outputs_prepares_the_graph_anew(toy_version, monkeypatch):
    session = GraphSession(toy_version)
    fetched, real = set(), GraphSession._run_graph

    def run(self, feeds, fetches, deadline):
        fetched.add(tuple(map(str, fetches)))
        return real(self, feeds, fetches, deadline)

    monkeypatch.setattr(GraphSession, "_run_graph", run)
    try:
        found = [
            session.run("", {"x": ROWS}, only)
            for only in ((), ("n",), ("y",), ("y", "n"), ("n", "y"))
        ]
    finally:
        session.close()
    wanted = [["n", "y"], ["n"], ["y"], ["y", "n"], ["n", "y"]]
    assert [list(each) for each in found] == wanted
    assert len(fetched) == 1
