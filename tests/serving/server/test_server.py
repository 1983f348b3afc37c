"""The server's ports, and what it does where it cannot have them."""

import shutil
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import httpx
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from lgn_serving.failure import Failure
from lgn_serving.limits import Limits
from lgn_serving.models.servable import Servable
from lgn_serving.models.settings import BatchSettings, ModelSettings
from lgn_serving.server import EmbeddedServer, address
from tests.serving.conftest import ANSWER


def test_small_answers_are_not_held_back(toy):
    # asyncio switches the delay off for sockets that name TCP alone.
    assert toy.server._socket.proto == socket.IPPROTO_TCP


@pytest.mark.parametrize("which", ["rest_port", "grpc_port"])
def test_a_port_that_is_taken(which):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=rf"127\.0\.0\.1:{port}: cannot be b"):
            EmbeddedServer(lambda: (), **{which: port})


def test_a_label_without_its_version_at_the_start(toy_dir):
    models = (ModelSettings("toy", toy_dir, labels={"stable": 5}),)
    server = EmbeddedServer(lambda: models)
    with pytest.raises(Failure, match=r"version 5 of model toy.*stable"):
        server.start()
    # The port is free again.
    with socket.create_server(("127.0.0.1", server.rest_port)):
        pass


def test_an_address():
    assert address("127.0.0.1", 80) == "127.0.0.1:80"
    assert address("::1", 80) == "[::1]:80"


def has_ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
def test_ipv6(serve, toy_dir):
    server = serve([ModelSettings("toy", toy_dir)], host="::1")
    base = f"http://[::1]:{server.rest_port}/v1/models/toy"
    assert httpx.get(base, trust_env=False).status_code == 200
    with grpc.insecure_channel(f"[::1]:{server.grpc_port}") as channel:
        grpc.channel_ready_future(channel).result(timeout=10)


def reaches(server, wanted):
    """Waits until the versions have the wanted states."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        found = server.catalogue.status("toy")
        if {each.number: each.state for each in found} == wanted:
            return
        time.sleep(0.01)
    raise AssertionError(found)


def put(toy_dir, number, warm_up=None):
    """Adds a version, whole from the first moment."""
    hidden = toy_dir / f".{number}"
    shutil.copytree(toy_dir / "1", hidden)
    if warm_up is not None:
        (hidden / "assets.extra").mkdir()
        file = hidden / "assets.extra/tf_serving_warmup_requests"
        with tf.io.TFRecordWriter(str(file)) as writer:
            writer.write(warm_up)
    hidden.rename(toy_dir / str(number))


def test_a_good_version_after_one_with_a_broken_warm_up(serve, toy_dir):
    server = serve([ModelSettings("toy", toy_dir)])
    put(toy_dir, 2, warm_up=b"\xff\xff no request")
    reaches(server, {2: "END", 1: "AVAILABLE"})
    broken, _ = server.catalogue.status("toy")
    assert broken.code == "UNKNOWN" and str(toy_dir / "2") in broken.message
    put(toy_dir, 3)
    reaches(server, {3: "AVAILABLE", 2: "END", 1: "END"})


@pytest.mark.parametrize("error", [ValueError, RuntimeError])
def test_new_versions_come_where_the_settings_cannot_be_read(
    toy_dir, error, caplog
):
    asked = []

    def models():
        asked.append(None)
        if len(asked) > 1:
            raise error("cannot be read")
        return [ModelSettings("toy", toy_dir)]

    with EmbeddedServer(models, poll_seconds=0.05) as server:
        put(toy_dir, 2)
        reaches(server, {2: "AVAILABLE", 1: "END"})
    assert "cannot be read" in caplog.text


def test_versions_come_and_go_where_a_label_is_wrong(toy_dir):
    models = [ModelSettings("toy", toy_dir)]
    with EmbeddedServer(lambda: models, poll_seconds=0.05) as server:
        wrong = ModelSettings("toy", toy_dir, newest=0, labels={"stable": 9})
        models[:] = [wrong]
        put(toy_dir, 2)
        # As the settings from before say, and not all that there are.
        reaches(server, {2: "AVAILABLE", 1: "END"})
        put(toy_dir, 9)
        reaches(server, {9: "AVAILABLE", 2: "AVAILABLE", 1: "AVAILABLE"})


def test_settings_are_taken_over_when_they_change_and_only_then(toy_dir):
    models = (ModelSettings("toy", toy_dir),)
    looks = []

    def source():
        looks.append(None)
        return models

    with EmbeddedServer(source, poll_seconds=0.02) as server:
        server.catalogue.update(
            [ModelSettings("toy", toy_dir, labels={"stable": 1})]
        )
        end = time.monotonic() + 20
        while len(looks) < 4 and time.monotonic() < end:
            time.sleep(0.01)
        with server.catalogue.borrow("toy", label="stable") as (number, _):
            assert number == 1


def start_slow(toy_dir, seconds, drain):
    """Starts a server whose lone requests take some seconds."""
    models = (ModelSettings("toy", toy_dir),)
    server = EmbeddedServer(
        lambda: models,
        poll_seconds=0.02,
        batching=BatchSettings(max_batch_size=8, timeout=seconds),
        limits=Limits(drain_seconds=drain),
    )
    server.start()
    return server


def ask_rest(server):
    return httpx.post(
        f"http://127.0.0.1:{server.rest_port}/v1/models/toy:predict",
        json={"instances": [[1, 1, 1, 1]]},
        timeout=30,
        trust_env=False,
    ).json()["predictions"][0]["y"]


def ask_grpc(server):
    made = predict_pb2.PredictRequest()
    made.model_spec.name = "toy"
    made.inputs["x"].CopyFrom(tf.make_tensor_proto(np.ones((1, 4), np.float32)))
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        return tf.make_ndarray(stub.Predict(made).outputs["y"])[0]


def running(server, count):
    """Waits until so many requests are being answered."""
    end = time.monotonic() + 20
    while server._metrics.running() != count:
        assert time.monotonic() < end
        time.sleep(0.005)


def test_running_requests_of_both_protocols_end_before_the_server(toy_dir):
    server = start_slow(toy_dir, seconds=0.6, drain=20)
    with ThreadPoolExecutor(2) as pool:
        # Rows of the same shape and signature, so they share a batch.
        answers = [pool.submit(ask, server) for ask in (ask_rest, ask_grpc)]
        running(server, 2)
        assert server.stop() is True
        for answer in answers:
            assert answer.result() == pytest.approx(ANSWER)
    for ask in (ask_rest, ask_grpc):
        with pytest.raises((httpx.ConnectError, grpc.RpcError)):
            ask(server)


@pytest.mark.parametrize("ask", [ask_rest, ask_grpc])
def test_a_request_that_takes_longer_is_left_behind(toy_dir, ask, caplog):
    server = start_slow(toy_dir, seconds=2.5, drain=0.3)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, server)
        running(server, 1)
        start = time.monotonic()
        assert server.stop() is False
        assert time.monotonic() - start < 1.5
        assert "1 requests were cut off after 0.3 s" in caplog.text
        with pytest.raises((httpx.HTTPError, KeyError, grpc.RpcError)):
            answer.result()
    # What it held is freed once it is done.
    running(server, 0)
    reaches(server, {1: "END"})


def test_a_version_that_is_being_loaded_is_left_behind(toy_dir):
    server = start_slow(toy_dir, seconds=0.0, drain=0.3)
    begun, go_on = threading.Event(), threading.Event()

    def load(path):
        begun.set()
        assert go_on.wait(20)
        return Servable(path, server._processes)

    server.catalogue._load = load
    put(toy_dir, 2)
    assert begun.wait(20)
    start = time.monotonic()
    assert server.stop() is False
    assert time.monotonic() - start < 1.5
    go_on.set()
    reaches(server, {2: "END", 1: "END"})


def test_folders_whose_numbers_are_too_large(serve, toy_dir):
    (toy_dir / ("9" * 20)).mkdir()
    (toy_dir / "1").rename(toy_dir / "00000000000000000001")
    server = serve([ModelSettings("toy", toy_dir)])
    answer = httpx.get(
        f"http://127.0.0.1:{server.rest_port}/v1/models/toy", trust_env=False
    )
    assert answer.status_code == 200
    (version,) = answer.json()["model_version_status"]
    assert (version["version"], version["state"]) == ("1", "AVAILABLE")
    assert ask_grpc(server) == pytest.approx(ANSWER)
