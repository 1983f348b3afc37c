"""Pictures that the exported model cannot score, over both protocols."""

import base64
import json
import random
import zlib

import grpc
import httpx
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from tests.exporting.expected import colourful, encode
from tests.exporting.test_bad_requests import BAD, WHOLE

PREDICT = "/v1/models/lgn_net:predict"
GOOD = encode(colourful(1, 5, 20, 30), ".jpg")


def ask_rest(server, files):
    rows = [
        [{"b64": base64.b64encode(each).decode()} for each in row]
        for row in files
    ]
    response = httpx.post(
        f"http://127.0.0.1:{server.rest_port}{PREDICT}",
        json={"signature_name": "score_encoded", "instances": rows},
        trust_env=False,
        timeout=60,
    )
    assert response.status_code == 200, response.text
    answers = response.json()["predictions"]
    return {
        key: np.array([each[key] for each in answers]) for key in answers[0]
    }


def ask_grpc(server, files):
    made = predict_pb2.PredictRequest()
    made.model_spec.name = "lgn_net"
    made.model_spec.signature_name = "score_encoded"
    made.inputs["encoded_frames"].CopyFrom(tf.make_tensor_proto(files))
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        outputs = stub.Predict(made, timeout=60).outputs
    return {key: tf.make_ndarray(each) for key, each in outputs.items()}


@pytest.fixture(scope="module")
def expected(model_server):
    """Returns the scores of the good row."""
    found = ask_grpc(model_server, GOOD)
    assert found["valid"].all()
    return found


@pytest.fixture
def server(model_server, expected):
    """Returns the server, which must answer after the test as before it."""
    yield model_server
    for ask in (ask_rest, ask_grpc):
        check_first(ask(model_server, GOOD), expected)


@pytest.fixture
def model(server):
    base = f"http://127.0.0.1:{server.rest_port}"
    with httpx.Client(base_url=base, trust_env=False, timeout=60) as client:
        yield client


def check_first(found, expected):
    """The first row is the good one, whatever came along with it."""
    for name, values in expected.items():
        np.testing.assert_allclose(
            found[name][:1], values, rtol=1e-4, atol=1e-5, err_msg=name
        )
        assert np.isfinite(found[name]).all(), name


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ((1, 4, 6, 6, 3), "a row must have 5 frames"),
        ((1, 6, 6, 6, 3), "a row must have 5 frames"),
        ((1, 5, 6, 6, 1), "frames must have 3 channels"),
        ((1, 5, 6, 6), "is not compatible with expected shape"),
        ((1, 5, 6, 6, 3, 1), "is not compatible with expected shape"),
    ],
)
def test_frames_of_another_shape(model, shape, text):
    body = {"instances": np.zeros(shape, int).tolist()}
    response = model.post(PREDICT, json=body)
    assert response.status_code == 400
    assert text in response.json()["error"]


def test_frames_of_mixed_sizes(model):
    mixed = [np.zeros((4 + n % 2, 4, 3), int).tolist() for n in range(5)]
    response = model.post(PREDICT, json={"instances": [mixed]})
    assert response.status_code == 400


@pytest.mark.parametrize("value", ["1.5", "256", "-1", '"1"', "NaN"])
def test_pixels_of_another_type(model, value):
    body = np.zeros((1, 5, 2, 2, 3), int).tolist()
    text = json.dumps({"instances": body}).replace("0", value, 1)
    response = model.post(PREDICT, content=text)
    assert response.status_code == 400
    assert "is not of expected type: uint8" in response.json()["error"]


@pytest.mark.parametrize(
    "picture", ["text", {"b64": "!"}, {"b64": "AA==", "c": 1}, 1, None]
)
def test_no_picture(model, picture):
    body = {
        "signature_name": "score_encoded",
        "instances": [[picture] * 5],
    }
    response = model.post(PREDICT, json=body)
    if picture == "text":
        assert response.json()["predictions"][0]["valid"] is False
    else:
        assert response.status_code == 400


@pytest.mark.parametrize("ask", [ask_rest, ask_grpc])
def test_corrupt_pictures_and_bombs(server, expected, ask):
    files = np.repeat(GOOD, len(BAD) + 1, axis=0)
    for row, picture in enumerate(BAD.values(), 1):
        files[row, row % 5] = picture
    found = ask(server, files)
    check_first(found, expected)
    wrong = dict(zip(BAD, found["valid"][1:], strict=True))
    assert not any(wrong.values()), wrong


def mutated(rng, contents, kinds=3):
    """Changes a file mostly in its headers; one kind keeps the length."""
    made = bytearray(contents)
    for _ in range(rng.randint(1, 4)):
        most = len(made) if rng.random() < 0.3 else min(len(made), 200)
        place = rng.randrange(most)
        kind = rng.randrange(kinds)
        if kind == 0:
            made[place] = rng.choice(
                (0, 1, 0xC0, 0xD8, 0xFF, rng.randrange(128))
            )
        elif kind == 1:
            del made[place : place + rng.randint(1, 8)]
        else:
            made[place:place] = rng.randbytes(rng.randint(1, 8))
    return bytes(made)


def with_checksum(picture):
    """Makes the changed header of a PNG file agree with its checksum."""
    checksum = zlib.crc32(picture[12:29]).to_bytes(4, "big")
    return picture[:29] + checksum + picture[33:]


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_random_mutations_of_pictures(server, expected, suffix):
    rng = random.Random(0)
    whole = encode(colourful(1, 5, 20, 30), suffix)[0]
    valid = []
    for ask in (ask_rest, ask_grpc) * 5:
        files = np.repeat(GOOD, 51, axis=0)
        for row in range(1, len(files)):
            files[row] = whole
            changed = mutated(rng, whole[row % 5])
            if suffix == ".png" and row % 2:
                changed = with_checksum(changed)
            files[row, row % 5] = changed
        found = ask(server, files)
        check_first(found, expected)
        valid.extend(found["valid"][1:].tolist())
    assert len(valid) == 500
    # A changed PNG fails by its checksums, but not every changed JPEG does.
    # A changed PNG mostly fails by its checksums, which not every JPEG has.
    assert False in valid
    assert suffix == ".png" or True in valid


def test_random_mutations_of_messages(server):
    rng = random.Random(0)
    made = predict_pb2.PredictRequest()
    made.model_spec.name = "lgn_net"
    made.model_spec.signature_name = "score_encoded"
    made.inputs["encoded_frames"].CopyFrom(
        tf.make_tensor_proto(np.full((1, 5), WHOLE[:50], object))
    )
    message = made.SerializeToString()
    codes = set()
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        predict = channel.unary_unary(
            "/tensorflow.serving.PredictionService/Predict"
        )
        for _ in range(300):
            try:
                predict(mutated(rng, message, kinds=1), timeout=60)
                codes.add("OK")
            except grpc.RpcError as error:
                codes.add(error.code().name)
                if error.code() == grpc.StatusCode.INTERNAL:
                    # It is no message at all, which gRPC itself says.
                    text = "Exception deserializing request!"
                    assert error.details() == text
    assert codes >= {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "INTERNAL"}
    assert codes <= {
        *("OK", "INVALID_ARGUMENT", "NOT_FOUND", "INTERNAL"),
        "RESOURCE_EXHAUSTED",
    }
