"""Whatever a client sends, it gets a 4xx, and the server goes on."""

import json
import random
import socket
import time

import httpx
import numpy as np
import pytest

from lgn_tf.serving.limits import Limits
from lgn_tf.serving.model_settings import ModelSettings
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


def test_too_many_requests_at_once(serve, toy_dir):
    limits = Limits(in_flight=1)
    server = serve([ModelSettings("toy", toy_dir)], limits=limits)
    with client_of(server) as client, server._rest._gate.request():
        response = client.post(PREDICT, json=GOOD)
        assert response.status_code == 429
        assert response.headers["retry-after"] == "1"
    with client_of(server) as client:
        alive(client)


def test_too_many_bytes_at_once(serve, toy_dir):
    limits = Limits(body_bytes=1000, buffered_bytes=1000)
    server = serve([ModelSettings("toy", toy_dir)], limits=limits)
    with client_of(server) as client, server._rest._gate.body(990):
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


class TestExportedModel:
    """The model's own endpoints, over REST."""

    @pytest.fixture
    def model(self, model_server):
        with client_of(model_server) as client:
            yield client

    @pytest.mark.parametrize(
        ("shape", "text"),
        [
            ((1, 4, 6, 6, 3), "a row must have 5 frames"),
            ((1, 6, 6, 6, 3), "a row must have 5 frames"),
            ((1, 5, 6, 6, 1), "frames must have 3 channels"),
            ((1, 5, 6, 6), "slice index"),
        ],
    )
    def test_frames_of_another_shape(self, model, shape, text):
        body = {"instances": np.zeros(shape, int).tolist()}
        response = model.post("/v1/models/lgn_net:predict", json=body)
        assert response.status_code == 400
        assert text in response.json()["error"]

    def test_frames_of_mixed_sizes(self, model):
        mixed = [np.zeros((4 + n % 2, 4, 3), int).tolist() for n in range(5)]
        response = model.post(
            "/v1/models/lgn_net:predict", json={"instances": [mixed]}
        )
        assert response.status_code == 400

    @pytest.mark.parametrize("value", ["1.5", "256", "-1", '"1"', "NaN"])
    def test_pixels_of_another_type(self, model, value):
        body = np.zeros((1, 5, 2, 2, 3), int).tolist()
        text = json.dumps({"instances": body}).replace("0", value, 1)
        response = model.post("/v1/models/lgn_net:predict", content=text)
        assert response.status_code == 400
        assert "is not of expected type: uint8" in response.json()["error"]

    @pytest.mark.parametrize(
        "picture", ["text", {"b64": "!"}, {"b64": "AA==", "c": 1}, 1, None]
    )
    def test_no_picture(self, model, picture):
        body = {
            "signature_name": "score_encoded",
            "instances": [[picture] * 5],
        }
        response = model.post("/v1/models/lgn_net:predict", json=body)
        if picture == "text":
            assert response.json()["predictions"][0]["valid"] is False
        else:
            assert response.status_code == 400
