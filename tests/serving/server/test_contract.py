"""The embedded server answers what TensorFlow Serving 2.17.1 answered."""

import json
import re
import shutil
import time

from tests.serving.server import transcript

BEFORE, AFTER = transcript.read()
METRICS = "/monitoring/prometheus/metrics"
# The node where the recorded graph failed is none of ours.
NODE = re.compile(r"\n\t \[\[.*", re.DOTALL)


def send(client, exchange):
    body = None if exchange.body is None else exchange.body.encode()
    return client.request(exchange.method, exchange.path, content=body)


def shape(value):
    """Returns a JSON value with its numbers' types in place of its numbers."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value]
    return type(value).__name__


def compare(response, exchange):
    assert response.status_code == exchange.status
    media_type = response.headers["content-type"].split(";")[0]
    assert media_type == exchange.media_type
    if media_type != "application/json":
        assert response.text.strip() == exchange.answer.strip()
        return
    found, recorded = response.json(), json.loads(exchange.answer)
    if "error" in recorded:
        assert set(found) == {"error"}
        texts = [NODE.sub("", each["error"]) for each in (found, recorded)]
        assert comparable(texts[0]) == comparable(texts[1])
    else:
        assert found == recorded
        assert shape(found) == shape(recorded)


def comparable(text):
    """Leaves out tensors' names in a quoted signature."""
    return re.sub(r'name: "[^"]*"', "name", text)


def test_the_record_holds_every_kind_of_request():
    assert len(BEFORE) >= 35
    assert {each.status for each in BEFORE} == {200, 400, 404, None}
    assert {each.method for each in BEFORE} == {"GET", "POST", "PUT"}


def test_every_recorded_exchange(toy):
    for exchange in BEFORE:
        if exchange.path in (METRICS, "/v1/models/toy/metadata"):
            continue
        print(exchange.id)
        compare(send(toy, exchange), exchange)


def nameless(signature):
    """Leaves out the outputs' tensors, which are named as a graph happens."""
    outputs = {
        key: {field: value for field, value in info.items() if field != "name"}
        for key, info in signature["outputs"].items()
    }
    return signature | {"outputs": outputs}


def test_metadata(toy):
    recorded = next(
        each for each in BEFORE if each.path == "/v1/models/toy/metadata"
    )
    response = toy.get(recorded.path)
    found = response.json()
    # The record breaks off within the third signature.
    assert recorded.answer.startswith('{\n"model_spec":{\n "name": "toy",')
    assert found["model_spec"] == {
        "name": "toy",
        "signature_name": "",
        "version": "1",
    }
    signatures = found["metadata"]["signature_def"]["signature_def"]
    default = signatures["serving_default"]
    assert default["inputs"]["x"] == {
        "dtype": "DT_FLOAT",
        "tensor_shape": {
            "dim": [{"size": "-1", "name": ""}, {"size": "4", "name": ""}],
            "unknown_rank": False,
        },
        "name": "serving_default_x:0",
    }
    whole = recorded.answer[recorded.answer.index('"serving_default": {') :]
    whole = whole[: whole.index(',\n  "__saved_model_init_op"')]
    for name, signature in json.loads(f"{{{whole}}}").items():
        assert nameless(signatures[name]) == nameless(signature)
    for key in re.findall(r'"(\w+)":', recorded.answer):
        assert f'"{key}":' in response.text


def test_metrics_have_the_recorded_names_and_labels(toy):
    for exchange in BEFORE:
        send(toy, exchange)
    recorded = next(each for each in BEFORE if each.path == METRICS)
    response = toy.get(METRICS)
    assert response.status_code == recorded.status == 200
    media_type, _, details = response.headers["content-type"].partition(";")
    assert media_type == recorded.media_type == "text/plain"
    # The format that Prometheus reads.
    assert "version=0.0.4" in details
    page = response.text
    pattern = re.compile(r"^(:tensorflow:serving:\w+)\{([^}]*)\}", re.MULTILINE)

    def series(text):
        return {
            (name, frozenset(re.findall(r"(\w+)=", labels)))
            for name, labels in pattern.findall(text)
        }

    assert series(recorded.answer) <= series(page)
    for line in (
        # Where TensorFlow Serving writes the names that clients made up.
        ':tensorflow:serving:request_count{model_name="",'
        'status="NOT_FOUND"} 3.0',
        ':tensorflow:serving:request_count{model_name="toy",'
        'status="NOT_FOUND"} 2.0',
        ':tensorflow:serving:request_latency_count{API="predict",'
        'entrypoint="REST",model_name="toy"} 10.0',
    ):
        assert line in page
    assert "# TYPE :tensorflow:serving:request_count counter" in page


def test_a_hot_version(toy, toy_dir):
    shutil.copytree(toy_dir / "1", toy_dir / ".2")
    (toy_dir / ".2").rename(toy_dir / "2")
    recorded = json.loads(AFTER[0].answer)
    seen = []
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = toy.get("/v1/models/toy").json()
        states = {
            each["version"]: each["state"]
            for each in found["model_version_status"]
        }
        seen.append(states)
        if states == {"2": "AVAILABLE", "1": "END"}:
            break
        time.sleep(0.005)
    assert seen[-1] == {"2": "AVAILABLE", "1": "END"}
    # Whenever the new one was there, the old one answered until then.
    assert all("AVAILABLE" in states.values() for states in seen), (
        "a moment without any version"
    )
    assert shape(found) == shape(recorded)
    compare(send(toy, AFTER[1]), AFTER[1])
