"""Costly requests are refused, and end with their clients and deadlines."""

import contextlib
import threading
import time

import grpc
import httpx
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from lgn_serving.limits import Limits
from lgn_serving.models.settings import ModelSettings
from tests.exporting.expected import colourful, encode
from tests.serving.server.test_bad_input import GOOD, PREDICT, alive, client_of

CODES = grpc.StatusCode


class Slow:
    """A servable that works until it is told to end, or its time is over."""

    def __init__(self, servable):
        self._servable = servable
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.deadlines = []
        self.rows = []

    def __getattr__(self, name):
        return getattr(self._servable, name)

    def run(self, name, inputs, only=(), deadline=None):
        self.deadlines.append(deadline - time.monotonic())
        self.rows.append(len(inputs["x"]))
        self.begun.release()
        self.go_on.wait(20)
        return self._servable.run(name, inputs, only, deadline=deadline)


@pytest.fixture
def slow(serve, toy_dir):
    """Returns a function that serves a slow toy within some limits."""
    found = []

    def start(**limits):
        server = serve([ModelSettings("toy", toy_dir)], limits=Limits(**limits))
        version = server.catalogue._versions["toy"][1]
        version.servable = Slow(version.servable)
        found.append(version.servable)
        return server, version.servable

    yield start
    for each in found:
        each.go_on.set()


@pytest.fixture
def stub_of():
    with contextlib.ExitStack() as channels:

        def connect(server):
            channel = channels.enter_context(
                grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}")
            )
            return prediction_service_pb2_grpc.PredictionServiceStub(channel)

        yield connect


def asked(rows=1, name="toy", values=None):
    made = predict_pb2.PredictRequest()
    made.model_spec.name = name
    array = np.ones((rows, 4), np.float32) if values is None else values
    made.inputs["x"].CopyFrom(tf.make_tensor_proto(array))
    return made


def failure(function, *arguments, **options):
    with pytest.raises(grpc.RpcError) as caught:
        function(*arguments, **options)
    return caught.value


def until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_tiny_message_of_many_rows(model_server):
    made = predict_pb2.PredictRequest()
    made.model_spec.name = "lgn_net"
    tensor = made.inputs["frames"]
    tensor.dtype = tf.uint8.as_datatype_enum
    for size in (50_000, 5, 1, 1, 3):
        tensor.tensor_shape.dim.add(size=size)
    tensor.int_val.append(0)
    assert made.ByteSize() < 60
    target = f"127.0.0.1:{model_server.grpc_port}"
    with grpc.insecure_channel(target) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        found = failure(stub.Predict, made, timeout=20)
        assert found.code() == CODES.INVALID_ARGUMENT
        assert found.details() == (
            "A request must have at most 8192 rows. Received: 50000 rows"
        )
        # Fewer than the server allows, and more than the graph.
        tensor.tensor_shape.dim[0].size = 65
        found = failure(stub.Predict, made, timeout=20)
        assert found.code() == CODES.INVALID_ARGUMENT
        assert "a request must have at most 64 rows" in found.details()
        tensor.tensor_shape.dim[0].size = 1
        stub.Predict(made, timeout=60)


@pytest.mark.parametrize("form", ["instances", "inputs"])
def test_many_rows_over_rest(serve, toy_dir, form):
    server = serve([ModelSettings("toy", toy_dir)], limits=Limits(rows=3))
    with client_of(server) as client:
        body = {form: [[1, 2, 3, 4]] * 4}
        response = client.post(PREDICT, json=body)
        assert response.status_code == 400
        assert "at most 3 rows. Received: 4 rows" in response.json()["error"]
        alive(client)


def test_memory_by_the_card(exported, serve):
    # What a row of this model needs is known from its card.
    server = serve(
        [ModelSettings("lgn_net", exported.path.parent)],
        limits=Limits(memory_bytes=2**20),
    )
    files = np.repeat(encode(colourful(1, 5, 8, 8), ".png"), 60, axis=0)
    made = predict_pb2.PredictRequest()
    made.model_spec.name = "lgn_net"
    made.model_spec.signature_name = "score_encoded"
    made.inputs["encoded_frames"].CopyFrom(tf.make_tensor_proto(files))
    target = f"127.0.0.1:{server.grpc_port}"
    with grpc.insecure_channel(target) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        found = failure(stub.Predict, made, timeout=20)
    assert found.code() == CODES.INVALID_ARGUMENT
    assert "must need at most 786432 bytes of memory" in found.details()


def test_lists_that_take_much_memory(serve, toy_dir):
    server = serve(
        [ModelSettings("toy", toy_dir)],
        limits=Limits(body_bytes=10_000, buffered_bytes=10_000),
    )
    with client_of(server) as client:
        body = b'{"instances": [' + b"[]," * 3000 + b"[]]}"
        response = client.post(PREDICT, content=body)
        assert response.status_code == 400
        assert "of memory when it is read" in response.json()["error"]
        alive(client)


def test_the_deadline_of_a_grpc_client_goes_along(slow, stub_of):
    server, model = slow()
    model.go_on.set()
    stub_of(server).Predict(asked(), timeout=7)
    stub_of(server).Predict(asked())
    first, second = model.deadlines
    # gRPC rounds what it sends up, by a few milliseconds.
    assert 0 < first < 8 < second <= 300


def test_an_answer_that_takes_too_long_over_rest(slow):
    server, model = slow(request_seconds=0.3)
    with client_of(server) as client:
        response = client.post(PREDICT, json=GOOD)
        assert response.status_code == 504
        text = "The request was not done by its deadline"
        assert response.json()["error"] == text
        # Its thread is in use until the graph ends.
        assert server._gate._requests == 1
        model.go_on.set()
        until(lambda: not server._gate._requests)
        alive(client)
        page = client.get("/monitoring/prometheus/metrics").text
    assert (
        'request_count{model_name="toy",status="DEADLINE_EXCEEDED"} 1' in page
    )


# Of 1000 bytes one request may need 750, and a tensor of 40 rows needs 640.
NARROW = {"memory_bytes": 1000}


def test_a_cancelled_grpc_request_leaves_the_queue(slow, stub_of):
    server, model = slow(**NARROW)
    stub = stub_of(server)
    first = stub.Predict.future(asked(40))
    assert model.begun.acquire(timeout=20)
    second = stub.Predict.future(asked(41))
    until(lambda: server._gate._waiting == 1)
    second.cancel()
    until(lambda: not server._gate._waiting and server._gate._requests == 1)
    third = failure(stub.Predict, asked(42), timeout=0.3)
    assert third.code() == CODES.DEADLINE_EXCEEDED
    until(lambda: server._gate._requests == 1)
    model.go_on.set()
    first.result(20)
    stub.Predict(asked(43), timeout=20)
    assert model.rows == [40, 43]


def test_a_rest_client_that_goes_away_leaves_the_queue(slow, stub_of):
    server, model = slow(**NARROW)
    first = stub_of(server).Predict.future(asked(40))
    assert model.begun.acquire(timeout=20)
    with client_of(server) as client:
        body = {"instances": [[1, 2, 3, 4]] * 41}
        with pytest.raises(httpx.ReadTimeout):
            client.post(PREDICT, json=body, timeout=0.3)
    until(lambda: not server._gate._waiting and server._gate._requests == 1)
    model.go_on.set()
    first.result(20)
    assert model.rows == [40]


def test_small_requests_go_on_beside_large_ones(slow, stub_of):
    server, model = slow(**NARROW)
    stub = stub_of(server)
    large = [stub.Predict.future(asked(40)) for _ in range(10)]
    assert model.begun.acquire(timeout=20)
    small = stub.Predict.future(asked(1))
    assert model.begun.acquire(timeout=20)
    assert sorted(model.rows) == [1, 40]
    model.go_on.set()
    small.result(20)
    for each in large:
        each.result(20)


def test_names_that_clients_make_up_are_no_labels(toy, stub_of):
    stub = stub_of(toy.server)
    for number in range(3):
        long = "x" * 10_000 + str(number)
        found = failure(stub.Predict, asked(name=long))
        assert found.code() == CODES.NOT_FOUND
        assert found.details().endswith("xxx...")
        assert (
            toy.post(f"/v1/models/{long}:predict", json=GOOD).status_code == 404
        )
    alive(toy)
    page = toy.get("/monitoring/prometheus/metrics").text
    assert "xxx" not in page
    assert 'request_count{model_name="",status="NOT_FOUND"} 6' in page
    assert 'request_count{model_name="toy",status="OK"} 1' in page


def test_long_texts_of_errors_over_rest(toy):
    body = {"signature_name": "x" * 10**6, **GOOD}
    response = toy.post(PREDICT, json=body)
    assert response.status_code == 400
    assert len(response.content) < 20_000


def test_long_texts_of_errors_over_grpc(toy, stub_of):
    made = asked()
    made.model_spec.signature_name = "ä" * 10**6
    found = failure(stub_of(toy.server).Predict, made)
    assert found.code() == CODES.INVALID_ARGUMENT
    assert found.details().startswith('Serving signature name: "ää')


def test_versions_of_many_digits(toy, stub_of):
    for place in ("", ":predict", "/metadata"):
        path = f"/v1/models/toy/versions/{'9' * 20}{place}"
        if place == ":predict":
            response = toy.post(path, json=GOOD)
        else:
            response = toy.get(path)
        assert response.status_code == 400
    made = asked()
    made.model_spec.version.value = -(2**63)
    assert failure(stub_of(toy.server).Predict, made).code() == CODES.NOT_FOUND
    assert toy.get("/v1/models/toy").status_code == 200
