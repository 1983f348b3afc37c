"""Whatever a client sends, it gets a 4xx, and the server goes on."""

import random
import re
import select
import socket
import time

import httpx
import pytest

from lgn_serving.limits import Limits
from lgn_serving.models.settings import ModelSettings
from tests.serving.conftest import ANSWER

PREDICT = "/v1/models/toy:predict"
GOOD = {"instances": [[1.0, 2.0, 3.0, 4.0]]}


def client_of(server):
    return httpx.Client(
        base_url=f"http://127.0.0.1:{server.rest_port}",
        trust_env=False,
        timeout=10,
    )


def alive(client):
    response = client.post(PREDICT, json=GOOD)
    assert response.status_code == 200
    assert response.json()["predictions"][0]["y"] == pytest.approx(ANSWER)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ('{"instances": [', "JSON Parse error: Invalid value."),
        ("[1]", "Is not object"),
        ("\x00\x01", "JSON Parse error"),
        (b'{"a": "\xff"}', "JSON Parse error: Invalid encoding"),
        ('{"instances": ' + "[" * 5000, "nested too deeply"),
        ('{"instances": ' + "[" * 400 + "]" * 400 + "}", "rank at most 254"),
        ('{"signature_name": 1, "instances": [1]}', "must be a string value"),
        ('{"instances": 1}', "Excepting 'instances' to be an list/array"),
        ('{"instances": [{"x": [1]}, [1]]}', "Expecting object but got list"),
        ('{"instances": [[1], {"x": [1]}]}', "got object at item 1"),
        ('{"instances": [{}]}', "keys must be equal to: x"),
        ('{"instances": [[1, [2]]]}', "Encountered list at unexpected level"),
        ('{"instances": [[[1], 2]]}', "found at incorrect level"),
        ('{"instances": [[[1], [1, 2]]]}', "Encountered list at unexpected si"),
        ('{"instances": [[1, 2], [[1], [2]]]}', "Expecting shape [2] but got"),
        ('{"instances": [[1, null]]}', "Type: Null is not of expected type"),
        ('{"instances": [[true]]}', "Type: True is not of expected type"),
        ('{"instances": [[1e300]]}', "without loss of precision"),
        ('{"instances": [[99999999]]}', "without loss of precision"),
        ('{"instances": [{"b64": "AA=="}]}', "is not of expected type: float"),
        ('{"inputs": {}}', "Missing named input: x in 'inputs' object."),
        (
            '{"signature_name": "update", "inputs": 1}',
            "inputs is a plain value",
        ),
        (
            '{"signature_name": "update", "instances": [1]}',
            "instances is a plain list",
        ),
    ],
)
def test_a_wrong_request(toy, body, text):
    response = toy.post(PREDICT, content=body)
    assert response.status_code == 400
    assert text in response.json()["error"]
    alive(toy)


def test_numbers_that_are_none_pass_as_the_real_server_passes_them(toy):
    response = toy.post(PREDICT, content='{"instances": [[NaN, 0, 0, 0]]}')
    assert response.status_code == 200
    assert "NaN" in response.text


def test_1000_random_mutations(toy):
    rng = random.Random(0)
    requests = [
        b'{"instances": [[1.0, 2.0, 3.0, 4.0]]}',
        b'{"inputs": {"x": [[1, 2, 3, 4]]}, "signature_name": ""}',
        b'{"signature_name": "update", "inputs": {"x": [[1,1,1,1]], '
        b'"rate": 0.1}}',
    ]
    statuses = set()
    for _ in range(1000):
        body = bytearray(rng.choice(requests))
        for _ in range(rng.randint(1, 4)):
            place = rng.randrange(len(body))
            kind = rng.randrange(3)
            if kind == 0:
                body[place] = rng.randrange(256)
            elif kind == 1:
                del body[place : place + rng.randint(1, 8)]
            else:
                body[place:place] = bytes(
                    rng.choice(b'{}[]",:0123456789.eNulltruefase-')
                    for _ in range(rng.randint(1, 8))
                )
            if not body:
                body = bytearray(b"{")
        status = toy.post(PREDICT, content=bytes(body)).status_code
        assert status in (200, 400), bytes(body)
        statuses.add(status)
    assert statuses == {200, 400}
    alive(toy)


def test_a_body_of_a_gigabyte_is_refused_before_it_is_read(toy):
    with socket.create_connection(("127.0.0.1", toy.server.rest_port)) as line:
        line.sendall(
            b"POST /v1/models/toy:predict HTTP/1.1\r\nhost: x\r\n"
            b"content-length: 1073741824\r\n\r\n"
        )
        line.settimeout(5)
        answer = line.recv(4096)
    assert answer.startswith(b"HTTP/1.1 413 ")
    alive(toy)


def test_a_body_that_grows_beyond_the_limit(serve, toy_dir):
    limits = Limits(body_bytes=10_000)
    server = serve([ModelSettings("toy", toy_dir)], limits=limits)

    def endless():
        for _ in range(100):
            yield b" " * 1000

    with client_of(server) as client:
        try:
            response = client.post(PREDICT, content=endless())
            assert response.status_code == 413
            assert "10000 bytes at most" in response.json()["error"]
        except httpx.WriteError:
            # The server hung up before all was written.
            pass
        alive(client)


def test_a_length_that_is_none(toy):
    with socket.create_connection(("127.0.0.1", toy.server.rest_port)) as line:
        line.sendall(
            b"POST /v1/models/toy:predict HTTP/1.1\r\nhost: x\r\n"
            b"content-length: -1\r\n\r\n"
        )
        line.settimeout(5)
        assert line.recv(4096).startswith(b"HTTP/1.1 400 ")
    alive(toy)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"POST /v1/models/toy:predict HT",
        b"POST /v1/models/toy:predict HTTP/1.1\r\nhost: x\r\n"
        b"content-length: 100\r\n\r\n{",
    ],
)
def test_a_slow_client(serve, toy_dir, sent):
    limits = Limits(header_seconds=0.3, body_seconds=0.3)
    server = serve([ModelSettings("toy", toy_dir)], limits=limits)
    with socket.create_connection(("127.0.0.1", server.rest_port)) as line:
        line.sendall(sent)
        line.settimeout(5)
        assert line.recv(4096).startswith(b"HTTP/1.1 408 ")
    with client_of(server) as client:
        alive(client)


@pytest.mark.parametrize("rank", [31, 32, 33, 34, 65, 253, 254, 255])
@pytest.mark.parametrize("form", ["instances", "inputs"])
def test_more_dimensions_than_there_are(toy, rank, form):
    body = f'{{"{form}": {"[" * rank}1{"]" * rank}}}'
    response = toy.post(PREDICT, content=body)
    assert response.status_code == 400
    alive(toy)


def read_answer(line):
    """Reads one answer whose length is announced; returns its head."""
    file = line.makefile("rb")
    head = b"".join(iter(file.readline, b"\r\n"))
    file.read(int(re.search(rb"content-length: (\d+)", head)[1]))
    return head


def test_a_client_that_is_slow_from_its_second_request_on(serve, toy_dir):
    limits = Limits(header_seconds=0.5)
    server = serve([ModelSettings("toy", toy_dir)], limits=limits)
    with socket.create_connection(("127.0.0.1", server.rest_port)) as line:
        line.settimeout(5)
        for _ in range(2):
            line.sendall(b"GET /v1/models/toy HTTP/1.1\r\nhost: x\r\n\r\n")
            assert read_answer(line).startswith(b"HTTP/1.1 200 ")
            # Idling between requests is another matter.
            time.sleep(0.7)
        start = time.monotonic()
        for byte in b"GET /v1/models/toy HTTP/1.1\r\n":
            line.sendall(bytes([byte]))
            if select.select([line], [], [], 0.1)[0]:
                break
        assert line.recv(4096).startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - start < 2
    with client_of(server) as client:
        alive(client)


def refused(client):
    """Returns how many requests the limits refused, by status."""
    page = client.get("/monitoring/prometheus/metrics").text
    pattern = r'request_count\{model_name="",status="(\w+)"\} (\d+)'
    return {name: int(count) for name, count in re.findall(pattern, page)}


def test_refused_requests_are_counted(serve, toy_dir):
    limits = Limits(body_bytes=1000, body_seconds=0.2, in_flight=1)
    server = serve([ModelSettings("toy", toy_dir)], limits=limits)
    with client_of(server) as client:
        assert client.post(PREDICT, content=b" " * 2000).status_code == 413
        assert refused(client) == {"RESOURCE_EXHAUSTED": 1}
        with server._gate.request():
            assert client.post(PREDICT, json=GOOD).status_code == 429
        assert refused(client) == {"RESOURCE_EXHAUSTED": 2}
        with socket.create_connection(("127.0.0.1", server.rest_port)) as line:
            line.sendall(
                b"POST /v1/models/toy:predict HTTP/1.1\r\nhost: x\r\n"
                b"content-length: 100\r\n\r\n{"
            )
            line.settimeout(5)
            assert line.recv(4096).startswith(b"HTTP/1.1 408 ")
        counted = {"RESOURCE_EXHAUSTED": 2, "DEADLINE_EXCEEDED": 1}
        assert refused(client) == counted
        # Those that are answered are counted by their model.
        alive(client)
        assert refused(client) == counted


def test_too_many_requests_at_once(serve, toy_dir):
    limits = Limits(in_flight=1)
    server = serve([ModelSettings("toy", toy_dir)], limits=limits)
    with client_of(server) as client, server._gate.request():
        response = client.post(PREDICT, json=GOOD)
        assert response.status_code == 429
        assert response.headers["retry-after"] == "1"
    with client_of(server) as client:
        alive(client)


def test_too_many_bytes_at_once(serve, toy_dir):
    limits = Limits(body_bytes=1000, buffered_bytes=1000)
    server = serve([ModelSettings("toy", toy_dir)], limits=limits)
    with client_of(server) as client, server._gate.body() as held:
        held.grow(990)
        assert client.post(PREDICT, json=GOOD).status_code == 429
    with client_of(server) as client:
        alive(client)


def test_a_client_that_goes_away(toy):
    for sent in (b"", b"{"):
        with socket.create_connection(
            ("127.0.0.1", toy.server.rest_port)
        ) as line:
            line.sendall(
                b"POST /v1/models/toy:predict HTTP/1.1\r\nhost: x\r\n"
                b"content-length: 100\r\n\r\n" + sent
            )
    time.sleep(0.05)
    alive(toy)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/toy/versions/99999999999999999999:predict",
        f"/v1/models/toy/versions/{'9' * 5000}:predict",
        "/v1/models/toy/labels/none:predict",
        "/v1/models/../toy:predict",
        "/v1/models/%00:predict",
        "/v1/models/toy/versions/x:predict",
    ],
)
def test_a_path_that_leads_nowhere(toy, path):
    response = toy.post(path, json=GOOD)
    assert response.status_code in (400, 404)
    alive(toy)


@pytest.mark.parametrize("name", list(vars(Limits())))
def test_limits_that_let_nothing_through(name):
    with pytest.raises(ValueError, match=f"`{name}` must be positive.*=0"):
        Limits(**{name: 0})
