"""Clients that connect, announce, stay silent or read nothing."""

import asyncio
import contextlib
import select
import socket
import threading
import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from lgn_serving.limits import Limits
from lgn_serving.models.settings import ModelSettings
from lgn_serving.protocols import departures
from lgn_serving.protocols.grpc_arrivals import Arrivals
from tests.serving.server.test_bad_input import PREDICT, alive, client_of

CODES = grpc.StatusCode
METHOD = "/tensorflow.serving.PredictionService/Predict"
HEAD = b"POST /v1/models/toy:predict HTTP/1.1\r\nhost: x\r\n"


@pytest.fixture
def start(serve, toy_dir):
    def limited(**limits):
        return serve([ModelSettings("toy", toy_dir)], limits=Limits(**limits))

    return limited


@pytest.fixture
def lines():
    """Returns a function that connects, with sockets closed afterwards."""
    with contextlib.ExitStack() as opened:

        def connect(port, sent=b""):
            line = socket.create_connection(("127.0.0.1", port))
            opened.enter_context(line)
            line.settimeout(20)
            line.sendall(sent)
            return line

        yield connect


def test_what_is_announced_and_not_sent_is_not_held(start, lines):
    server = start(body_bytes=2**20, buffered_bytes=2**22)
    for _ in range(20):
        lines(
            server.rest_port,
            HEAD + b"content-length: 1048576\r\n\r\n" + b" " * 10_000,
        )
    with client_of(server) as client:
        alive(client)
        client.post(PREDICT, content=b" " * 2**19)
        alive(client)


def test_a_small_body_beside_large_ones_that_arrive(start, lines):
    server = start(body_bytes=2**20, buffered_bytes=2**21)
    head = HEAD + b"content-length: 1048576\r\n\r\n"
    for _ in range(3):
        with contextlib.suppress(OSError):
            lines(server.rest_port, head + b" " * (2**20 - 1))
    with client_of(server) as client:
        alive(client)


def status_of(line):
    return line.recv(4096).split(b"\r\n")[0]


def test_a_body_that_comes_too_slowly(start, lines):
    server = start(least_rate=1000, rate_seconds=0.3, body_seconds=20)
    line = lines(server.rest_port, HEAD + b"content-length: 9000\r\n\r\n")
    begin = time.monotonic()
    # A byte now and then, so that it never pauses for long.
    while not select.select([line], [], [], 0.02)[0]:
        line.sendall(b" ")
        assert time.monotonic() - begin < 10
    assert status_of(line) == b"HTTP/1.1 408 Request Timeout"


def test_a_body_that_is_fast_enough(start, lines):
    server = start(least_rate=1000, rate_seconds=0.2, body_seconds=20)
    line = lines(server.rest_port, HEAD + b"content-length: 4000\r\n\r\n")
    for _ in range(20):
        line.sendall(b" " * 200)
        time.sleep(0.04)
    assert status_of(line) == b"HTTP/1.1 400 Bad Request"


def test_the_oldest_silent_connection_makes_way(start, lines):
    server = start(connections=5)
    silent = [lines(server.rest_port) for _ in range(12)]
    with client_of(server) as client:
        alive(client)
    assert status_of(silent[0]) == b"HTTP/1.1 408 Request Timeout"
    # The newest ones are open still.
    assert not select.select(silent[-3:], [], [], 0.1)[0]


def test_an_answer_that_nobody_reads(start):
    server = start(least_rate=2**20, rate_seconds=0.3, rows=10**6)
    # The answer is larger than the buffers of the connection.
    rows = b",".join([b"[1,2,3,4]"] * 200_000)
    body = b'{"instances": [' + rows + b"]}"
    open_ones = server._http.server_state.connections
    with socket.create_connection(("127.0.0.1", server.rest_port)) as line:
        length = f"content-length: {len(body)}\r\n\r\n".encode()
        line.sendall(HEAD + length + body)
        end = time.monotonic() + 20
        while open_ones:
            assert time.monotonic() < end
            time.sleep(0.01)
        # It was not ended before its answer.
        assert line.recv(100).startswith(b"HTTP/1.1 200 OK")


def until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def rest_request(rows):
    listed = b",".join([b"[1,2,3,4]"] * rows)
    body = b'{"instances": [' + listed + b"]}"
    return HEAD + f"content-length: {len(body)}\r\n\r\n".encode() + body


# An answer of 17 MB, more than the system keeps for a connection.
ROWS, SIZE = 200_000, 17_000_000
# So slow a reader is allowed.
PATIENT = {"least_rate": 1000, "rate_seconds": 300}


def test_an_unread_answer_makes_way(start, lines, monkeypatch):
    monkeypatch.setattr(departures, "_PATIENCE", 0.0)
    server = start(answer_bytes=1, rows=10**6, **PATIENT)
    held = server._rest._departures
    first = lines(server.rest_port, rest_request(ROWS))
    until(lambda: held.held)
    with client_of(server) as client:
        alive(client)
        assert held.held < 10_000
        # The server has ended it, so there is an end to what has come.
        came = 0
        with contextlib.suppress(ConnectionResetError):
            while part := first.recv(2**16):
                came += len(part)
        assert came < SIZE // 2
        alive(client)


def test_a_large_answer_without_a_place(start, lines, monkeypatch):
    monkeypatch.setattr(departures, "_PATIENCE", 1000.0)
    server = start(answer_bytes=1, rows=10**6, **PATIENT)
    lines(server.rest_port, rest_request(ROWS))
    until(lambda: server._rest._departures.held)
    second = lines(server.rest_port, rest_request(ROWS))
    assert status_of(second) == b"HTTP/1.1 429 Too Many Requests"
    # A small one always has a place.
    with client_of(server) as client:
        alive(client)


UNREAD = (
    ("grpc.use_local_subchannel_pool", 1),
    # Otherwise the library makes room for the whole answer.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 2**16),
)


def test_a_grpc_answer_that_nobody_reads(start):
    server = start(least_rate=2**23, rate_seconds=0.3, rows=10**6)
    target = f"127.0.0.1:{server.grpc_port}"
    with grpc.insecure_channel(target, UNREAD) as channel:
        message = asked(200_000).SerializeToString()
        # The library takes the answer when it is asked for it.
        call = channel.unary_stream(METHOD)(message)
        until(call.done)
        assert call.code() == CODES.UNAVAILABLE
    predict(server)


def test_unread_grpc_answers_make_way(start, monkeypatch):
    monkeypatch.setattr(departures, "_PATIENCE", 0.0)
    server = start(answer_bytes=1, rows=10**6, **PATIENT)
    target = f"127.0.0.1:{server.grpc_port}"
    with grpc.insecure_channel(target, UNREAD) as channel:
        message = asked(200_000).SerializeToString()
        call = channel.unary_stream(METHOD)(message)
        # Until its answer is there, another one takes no place from it.
        until(lambda: predict(server) and call.done())
        assert call.code() == CODES.UNAVAILABLE


CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"


def chunks(body, size):
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)


def test_a_body_of_small_chunks(start, lines):
    server = start()
    line = lines(server.rest_port, CHUNKED + chunks(b" " * 2000, 1))
    assert status_of(line).startswith(b"HTTP/1.1 400 ")
    with contextlib.suppress(ConnectionResetError):
        while line.recv(4096):
            pass
    with client_of(server) as client:
        alive(client)


@pytest.mark.parametrize(("spaces", "size"), [(900, 1), (2**20, 512)])
def test_a_body_of_few_or_larger_chunks(start, lines, spaces, size):
    body = b'{"instances": [[1, 2, 3, 4]]}' + b" " * spaces
    line = lines(start().rest_port, CHUNKED + chunks(body, size) + b"0\r\n\r\n")
    assert status_of(line) == b"HTTP/1.1 200 OK"


def test_small_chunks_after_the_answer(start, lines):
    server = start(header_seconds=1000)
    line = lines(server.rest_port, CHUNKED.replace(b"/v1/", b"/no/"))
    assert status_of(line) == b"HTTP/1.1 404 Not Found"
    # The server ends the connection.
    with contextlib.suppress(ConnectionError):
        line.sendall(chunks(b" " * 2000, 1))
        while line.recv(4096):
            pass
    with client_of(server) as client:
        alive(client)


def test_no_room_for_another_connection(start, lines):
    server = start(connections=1, rows=10**6, **PATIENT)
    lines(server.rest_port, rest_request(ROWS))
    until(lambda: server._rest._departures.held)
    # An answer that is on its way does not make room.
    second = lines(server.rest_port, rest_request(1))
    assert status_of(second) == b"HTTP/1.1 503 Service Unavailable"


def test_unfinished_bodies_make_way(start, lines):
    server = start(connections=5)
    head = HEAD + b"content-length: 99999\r\n\r\n"
    unfinished = [
        lines(server.rest_port, head + b" " * size)
        for size in (50_000, 50_000, 1, 50_000, 50_000)
    ]
    # What has come is worth less as time passes.
    time.sleep(0.5)
    with client_of(server) as client:
        alive(client)
    assert status_of(unfinished[2]) == b"HTTP/1.1 408 Request Timeout"
    others = unfinished[:2] + unfinished[3:]
    assert not select.select(others, [], [], 0.1)[0]


def test_a_host_with_few_connections_keeps_them(start, lines):
    server = start(connections=5)
    head = HEAD + b"content-length: 99999\r\n\r\n "
    address = ("127.0.0.1", server.rest_port)
    with socket.create_connection(address, 20, ("127.0.0.2", 0)) as other:
        other.sendall(head)
        time.sleep(0.3)
        many = [lines(server.rest_port, head) for _ in range(12)]
        assert status_of(many[0]) == b"HTTP/1.1 408 Request Timeout"
        assert not select.select([other], [], [], 0.3)[0]


def asked(rows=1):
    made = predict_pb2.PredictRequest()
    made.model_spec.name = "toy"
    array = np.ones((rows, 4), np.float32)
    made.inputs["x"].CopyFrom(tf.make_tensor_proto(array))
    return made


@contextlib.contextmanager
def silent_streams(server, count):
    """Opens streams that send no message; yields what each of them gets."""
    ended = threading.Event()

    def nothing():
        ended.wait(60)
        yield from ()

    with contextlib.ExitStack() as opened:
        opened.callback(ended.set)
        calls = []
        for _ in range(count):
            channel = opened.enter_context(
                grpc.insecure_channel(
                    f"127.0.0.1:{server.grpc_port}",
                    options=[("grpc.use_local_subchannel_pool", 1)],
                )
            )
            grpc.channel_ready_future(channel).result(20)
            calls.append(channel.stream_unary(METHOD).future(nothing()))
        # Until they have reached the server.
        time.sleep(0.5)
        yield calls


def predict(server, **options):
    target = f"127.0.0.1:{server.grpc_port}"
    with grpc.insecure_channel(target) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        return stub.Predict(asked(), timeout=20, **options)


def test_silent_streams_do_not_lock_out_others(start):
    server = start()
    with silent_streams(server, 70) as calls:
        begin = time.monotonic()
        predict(server)
        assert time.monotonic() - begin < 15
        with client_of(server) as client:
            alive(client)
        # Those that were ended for others say so.
        found = [call.exception() for call in calls if call.done()]
        assert {each.code() for each in found} <= {CODES.RESOURCE_EXHAUSTED}


class Stream:
    """Stands for the context of a stream; None is no message."""

    def __init__(self, message, host="::1"):
        self.message = message
        self.host = host

    def peer(self):
        return f"ipv6:[{self.host}]:{id(self)}"

    async def read(self):
        if self.message is None:
            await asyncio.Event().wait()
        return self.message


def test_silent_streams_that_come_again_do_not_starve_others():
    async def serve():
        arrivals = Arrivals(Limits(grpc_readers=2))
        silent = [
            asyncio.ensure_future(arrivals.message(Stream(None)))
            for _ in range(3)
        ]
        await asyncio.sleep(0)
        valid = asyncio.ensure_future(arrivals.message(Stream(b"message")))
        for _ in range(30):
            # One that has to wait for its turn may wait for ever.
            silent.append(asyncio.ensure_future(arrivals.message(Stream(None))))
            await asyncio.sleep(0.05)
        assert valid.done() and valid.result() == b"message"
        # Of the silent ones, the oldest have gone.
        ended = [each for each in silent if each.done()]
        assert 0 < len(ended) < len(silent)
        assert {each.exception().code for each in ended} == {
            "RESOURCE_EXHAUSTED"
        }
        for each in silent:
            each.cancel()

    asyncio.run(serve())


def test_a_host_that_says_nothing_ends_no_stream_of_another():
    async def serve():
        arrivals = Arrivals(Limits(grpc_readers=4))

        def begun(host):
            stream = Stream(None, host)
            return asyncio.ensure_future(arrivals.message(stream))

        slow = [begun("::1") for _ in range(2)]
        silent = [begun("::2") for _ in range(30)]
        await asyncio.sleep(1.2)
        assert not any(each.done() for each in slow)
        # The other host has the rest, with its newest.
        assert [each.done() for each in silent] == [True] * 28 + [False] * 2
        slow += [begun("::3"), begun("::1")]
        await asyncio.sleep(1.2)
        # Of four places the third host needs one; the others share three.
        assert [each.done() for each in slow] == [True, False, False, False]
        assert [each.done() for each in silent[28:]] == [True, False]
        for each in (*slow, *silent):
            each.cancel()

    asyncio.run(serve())


def test_a_stream_without_a_message_ends(start):
    server = start(body_seconds=0.3)
    with silent_streams(server, 3) as calls:
        for call in calls:
            found = call.exception(20)
            assert found.code() == CODES.DEADLINE_EXCEEDED
            assert found.details() == "The message took longer than 0.3 s"
    predict(server)


def test_streams_that_wait_have_an_end_as_well(start):
    server = start(body_seconds=0.3, grpc_readers=1, connections=2)
    with silent_streams(server, 2) as calls:
        codes = {call.exception(20).code() for call in calls}
    assert codes <= {CODES.DEADLINE_EXCEEDED, CODES.RESOURCE_EXHAUSTED}
    # The server may not have seen yet that both connections are closed.
    predict(server, wait_for_ready=True)


def test_a_stream_that_ends_without_a_message(start):
    server = start()
    target = f"127.0.0.1:{server.grpc_port}"
    with grpc.insecure_channel(target) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.stream_unary(METHOD)(iter(()), timeout=20)
    assert caught.value.code() == CODES.INVALID_ARGUMENT


def test_compressed_messages(start):
    server = start(body_bytes=2**20)
    predict(server, compression=grpc.Compression.Gzip)
    target = f"127.0.0.1:{server.grpc_port}"
    with grpc.insecure_channel(target) as channel:
        # 100 MB of zeros, as 100 KB.
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(METHOD)(
                bytes(10**8), timeout=60, compression=grpc.Compression.Gzip
            )
    assert caught.value.code() == CODES.RESOURCE_EXHAUSTED
    predict(server)


@pytest.mark.parametrize("path", ["/v1/mod%0Aels/toy", "/v1/models%09/toy"])
def test_a_path_with_a_break(start, path):
    with client_of(start()) as client:
        assert client.get(path).status_code == 400


def test_the_page_of_metrics_beside_busy_threads(start):
    server = start(in_flight=1)
    with server._gate.request(), client_of(server) as client:
        page = client.get("/monitoring/prometheus/metrics")
        assert page.status_code == 200
