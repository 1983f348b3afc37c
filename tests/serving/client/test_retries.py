"""The client repeats requests: after which errors, pauses, and how long."""

import email.utils
import socket
import threading
import time
import types

import grpc
import numpy as np
import pytest
import tenacity
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from lgn_client import retries, transport
from lgn_client.retries import Again, ServingError
from tests.serving import listeners

INPUTS = {"x": np.zeros(1)}


class Flaky(listeners.Handler):
    """Refuses twice, then answers; what it saw stands in `seen`."""

    seen = ()
    refusals = 2
    refusal = 503
    retry_after = None

    def do_POST(self):
        type(self).seen = (*self.seen, self.headers["authorization"])
        self.rfile.read(int(self.headers["content-length"]))
        refused = len(self.seen) <= self.refusals
        body = b'{"error": "busy"}' if refused else b'{"outputs": {"y": [1]}}'
        self.send_response(self.refusal if refused else 200)
        self.send_header("content-length", str(len(body)))
        if self.retry_after is not None:
            self.send_header("retry-after", self.retry_after)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def flaky(monkeypatch):
    monkeypatch.setattr(Flaky, "seen", ())
    with listeners.over_http(Flaky) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def pauses(monkeypatch):
    """Returns the pauses, which then take no time and are the longest."""
    made = []
    napping = types.SimpleNamespace(sleep=made.append)
    monkeypatch.setattr(tenacity.nap, "time", napping)
    longest = types.SimpleNamespace(uniform=lambda _, high: high)
    monkeypatch.setattr(tenacity.wait, "random", longest)
    return made


def ask(address, **patience):
    target = transport.Target("m", token="secret", **patience)
    with transport.connect(address, target) as server:
        return server.predict("", INPUTS)


@pytest.mark.parametrize("refusal", [429, 502, 503])
def test_a_busy_server_is_asked_again(flaky, refusal, monkeypatch):
    monkeypatch.setattr(Flaky, "refusal", refusal)
    assert ask(flaky)["y"] == [1]
    assert Flaky.seen == ("Bearer secret",) * 3


def test_the_tries_come_to_an_end(flaky):
    with pytest.raises(ServingError, match="503: busy"):
        ask(flaky, tries=2)
    assert len(Flaky.seen) == 2


@pytest.mark.parametrize("refusal", [400, 404, 500])
def test_what_is_wrong_is_not_sent_again(flaky, refusal, monkeypatch):
    monkeypatch.setattr(Flaky, "refusal", refusal)
    with pytest.raises(ServingError, match=f"{refusal}: busy"):
        ask(flaky)
    assert len(Flaky.seen) == 1


@pytest.fixture
def flaky_rpc():
    """Returns (codes to refuse with, what was seen, address)."""
    codes, seen = [], []

    def answer(body, context):
        sent = predict_pb2.PredictRequest.FromString(body)
        given = dict(context.invocation_metadata())
        seen.append((sent.model_spec.name, given.get("authorization")))
        if len(seen) <= len(codes):
            context.abort(codes[len(seen) - 1], "busy")
        made = predict_pb2.PredictResponse()
        made.outputs["y"].CopyFrom(tf.make_tensor_proto([1.0]))
        return made.SerializeToString()

    service = "tensorflow.serving.PredictionService"
    with listeners.over_grpc({service: {"Predict": answer}}) as port:
        yield codes, seen, f"grpc://127.0.0.1:{port}"


def test_a_busy_server_is_asked_again_over_grpc(flaky_rpc):
    codes, seen, address = flaky_rpc
    codes += [
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    ]
    assert ask(address)["y"] == [1]
    assert seen == [("m", "Bearer secret")] * 3


def test_the_tries_come_to_an_end_over_grpc(flaky_rpc):
    codes, seen, address = flaky_rpc
    codes += [grpc.StatusCode.UNAVAILABLE] * 5
    with pytest.raises(ServingError, match="UNAVAILABLE: busy"):
        ask(address, tries=2)
    assert len(seen) == 2


def test_what_is_wrong_is_not_sent_again_over_grpc(flaky_rpc):
    codes, seen, address = flaky_rpc
    codes += [grpc.StatusCode.INVALID_ARGUMENT] * 5
    with pytest.raises(ServingError, match="INVALID_ARGUMENT: busy"):
        ask(address)
    assert len(seen) == 1


def test_pauses_grow(flaky, pauses, monkeypatch):
    monkeypatch.setattr(Flaky, "refusals", 8)
    assert ask(flaky, tries=9)["y"] == [1]
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5])


def test_pauses_are_drawn():
    state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
    state.attempt_number = 4
    state.set_exception((Again, Again(ServingError(503, "")), None))
    made = [retries._pause(state) for _ in range(50)]
    assert 0 <= min(made) < 0.3 and 0.5 < max(made) <= 0.8


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [("2", 2), (" 3 ", 3), (email.utils.formatdate(0, usegmt=True), 0)]
    + [(each, 0) for each in ("", "-1", "soon", "1.5", "²", "nan")]
    # Dates that no calendar has.
    + [("Sun, 06 Nov 0000 08:49:37 GMT", 0), ("Sun, 06 Nov 99999 0:0:0", 0)],
)
def test_the_server_says_how_long(
    flaky, pauses, monkeypatch, retry_after, seconds
):
    if retry_after.isascii():
        monkeypatch.setattr(Flaky, "retry_after", retry_after)
        assert ask(flaky)["y"] == [1]
        # What was asked for, and the growing part on top.
        assert pauses == pytest.approx([seconds + 0.1, seconds + 0.2])
    assert retries.seconds_of(retry_after) == seconds


def test_the_server_names_a_date():
    date = email.utils.formatdate(time.time() + 60, usegmt=True)
    assert retries.seconds_of(date) == pytest.approx(60, abs=5)
    assert retries.seconds_of(None) == 0


@pytest.mark.parametrize("retry_after", ["3600", "9" * 400])
def test_no_pause_goes_beyond_the_deadline(flaky, monkeypatch, retry_after):
    monkeypatch.setattr(Flaky, "retry_after", retry_after)
    start = time.monotonic()
    with pytest.raises(ServingError, match="503: busy"):
        ask(flaky, timeout=30)
    assert time.monotonic() - start < 10
    assert len(Flaky.seen) == 1


def test_the_deadline_holds_for_all_tries_together(flaky, monkeypatch):
    monkeypatch.setattr(Flaky, "refusals", 1000)
    start = time.monotonic()
    # It may come in a pause or in a try.
    with pytest.raises(ServingError, match=r"503: busy|DEADLINE"):
        ask(flaky, timeout=1, tries=1000)
    assert time.monotonic() - start < 4
    assert 1 < len(Flaky.seen) < 100


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_a_silent_server(kind):
    # It listens, and never answers.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"{kind}://127.0.0.1:{silent.getsockname()[1]}"
        start = time.monotonic()
        with pytest.raises(ServingError, match="DEADLINE"):
            ask(address, timeout=0.5)
        assert 0.4 < time.monotonic() - start < 3


HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n"


@pytest.mark.parametrize("at_once", [b"", HEAD], ids=["headers", "body"])
def test_a_server_that_answers_byte_by_byte(at_once):
    """Each byte comes soon; all of them take five seconds."""

    def trickle():
        connection, _ = listener.accept()
        with connection:
            connection.recv(2**16)
            connection.sendall(at_once)
            try:
                for byte in (HEAD * 2)[:50]:
                    connection.sendall(bytes([byte]))
                    time.sleep(0.1)
            except OSError:
                gone.set()

    gone = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=trickle, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        start = time.monotonic()
        with pytest.raises(ServingError, match="DEADLINE_EXCEEDED: no answer"):
            ask(address, timeout=0.5)
        assert 0.4 < time.monotonic() - start < 3
        # Nor does the connection stay behind.
        assert gone.wait(5)


def test_a_server_that_reads_slowly():
    def sip():
        connection, _ = listener.accept()
        with connection:
            while connection.recv(2**18):
                time.sleep(0.05)

    # At that rate all of it takes eight seconds, and no part of it long.
    large = {"x": np.array([bytes(3 * 10**7)], object)}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=sip, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        target = transport.Target("m", timeout=0.5)
        with transport.connect(address, target) as server:
            start = time.monotonic()
            with pytest.raises(ServingError, match="DEADLINE"):
                server.predict("", large)
            assert 0.4 < time.monotonic() - start < 3


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_nobody_there(kind):
    with pytest.raises(ServingError, match="UNAVAILABLE"):
        ask(f"{kind}://127.0.0.1:1", tries=2, timeout=5)


def test_a_connection_closes_once():
    server = transport.connect("http://127.0.0.1:1", transport.Target("m"))
    with server:
        pass
    server.close()
    assert not server._thread.is_alive()
