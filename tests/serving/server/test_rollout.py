"""A new version, a canary, a rollback: under load, and no request fails."""

import shutil
import threading
import time
from pathlib import Path

import grpc
import httpx
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from lgn_serving.models import settings
from lgn_serving.models.settings import BatchSettings
from lgn_serving.server import EmbeddedServer
from tests.serving.conftest import ANSWER, Toy, save_toy

SHIPPED = Path(__file__).parents[3] / "serving/deploy/config/models.config"
CONFIG = """model_config_list {{
  config {{
    name: "toy" base_path: "{base}"
    model_version_policy {{ latest {{ num_versions: 2 }} }}
    version_labels {{ key: "stable" value: {stable} }}
    version_labels {{ key: "canary" value: {canary} }}
  }}
}}"""


class Load:
    """Asks without pause, over both protocols, until it is ended."""

    def __init__(self, server):
        self.server = server
        self.ended = threading.Event()
        self.failures = []
        self.answers = []
        self.threads = [
            threading.Thread(target=self._run, args=(ask, label))
            for ask in (self._rest, self._grpc)
            for label in ("stable", "canary")
        ]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def _run(self, ask, label):
        try:
            for y in ask(label):
                self.answers.append((label, np.float32(y)))
                if self.ended.is_set():
                    return
        except Exception as error:
            self.failures.append(error)

    def _rest(self, label):
        path = f"/v1/models/toy/labels/{label}:predict"
        base = f"http://127.0.0.1:{self.server.rest_port}"
        with httpx.Client(base_url=base, trust_env=False) as client:
            while True:
                answer = client.post(path, json={"instances": [[1, 1, 1, 1]]})
                answer.raise_for_status()
                yield answer.json()["predictions"][0]["y"][0]

    def _grpc(self, label):
        made = predict_pb2.PredictRequest()
        made.model_spec.name = "toy"
        made.model_spec.version_label = label
        made.inputs["x"].CopyFrom(
            tf.make_tensor_proto(np.ones((1, 4), np.float32))
        )
        address = f"127.0.0.1:{self.server.grpc_port}"
        with grpc.insecure_channel(address) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            while True:
                answer = stub.Predict(made, timeout=30)
                yield tf.make_ndarray(answer.outputs["y"])[0, 0]

    def newest(self, label, count=3):
        """Waits for new answers, and returns the last of them."""
        seen = len(self.answers)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not self.failures:
            fresh = [y for key, y in self.answers[seen:] if key == label]
            if len(fresh) >= count:
                return fresh[-1]
            time.sleep(0.01)
        raise AssertionError(f"no answers: {self.failures}")

    def reaches(self, label, value):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self.newest(label) == pytest.approx(value, rel=1e-5):
                return
        raise AssertionError(f"{label} never answered {value}")


@pytest.fixture(scope="module")
def louder(tmp_path_factory):
    """A version whose answers are twice as large."""
    folder = tmp_path_factory.mktemp("louder") / "2"
    kernel = Toy.__init__

    def doubled(self):
        kernel(self)
        self.kernel.assign(2 * self.kernel)

    Toy.__init__ = doubled
    try:
        save_toy(folder)
    finally:
        Toy.__init__ = kernel
    return folder


def replace(path, text):
    """Writes a file that readers see whole or not at all."""
    path.with_suffix(".partial").write_text(text)
    path.with_suffix(".partial").rename(path)


def export(louder, toy_dir, number):
    # A version that is copied slowly is not seen before it is whole.
    shutil.copytree(louder, toy_dir / ".partial")
    (toy_dir / ".partial").rename(toy_dir / str(number))


def reaches(server, numbers):
    def loaded():
        found = server.catalogue.status("toy")
        return {each.number for each in found if each.state == "AVAILABLE"}

    deadline = time.monotonic() + 30
    while loaded() != numbers and time.monotonic() < deadline:
        time.sleep(0.01)
    # Nor do they change with the next looks at the disk.
    time.sleep(0.2)
    assert loaded() == numbers


@pytest.mark.parametrize("batching", [None, BatchSettings(4, 0.002, 64, 2)])
def test_canary_and_rollback(tmp_path, toy_dir, louder, batching):
    config = tmp_path / "models.config"

    def edit(**labels):
        replace(config, CONFIG.format(base=toy_dir, **labels))

    edit(stable=1, canary=1)
    server = EmbeddedServer(
        lambda: settings.read_models(config),
        poll_seconds=0.05,
        batching=batching,
    )
    one, two = ANSWER[0], 2 * ANSWER[0]
    with server, Load(server) as load:
        load.reaches("stable", one)
        export(louder, toy_dir, 2)
        edit(stable=1, canary=2)
        load.reaches("canary", two)
        assert load.newest("stable") == pytest.approx(one, rel=1e-5)
        edit(stable=2, canary=2)
        load.reaches("stable", two)
        edit(stable=1, canary=2)
        load.reaches("stable", one)
        assert load.newest("canary") == pytest.approx(two, rel=1e-5)
        # A file that cannot be read changes nothing.
        config.write_text("model_config_list {")
        time.sleep(0.2)
        assert load.newest("stable") == pytest.approx(one, rel=1e-5)
        assert load.newest("canary") == pytest.approx(two, rel=1e-5)
    assert not load.failures
    assert {round(float(y), 4) for _, y in load.answers} == {
        round(float(y), 4) for y in (one, two)
    }


def test_more_exports_take_nothing_from_stable(tmp_path, toy_dir, louder):
    """The shipped file, with the edits that its README describes."""
    config = tmp_path / "models.config"
    text = SHIPPED.read_text().replace("/models/lgn_net", str(toy_dir))
    text = text.replace('"lgn_net"', '"toy"')

    def edit(old, new):
        nonlocal text
        assert text.count(old) == 1
        text = text.replace(old, new)
        replace(config, text)

    config.write_text(text)
    server = EmbeddedServer(
        lambda: settings.read_models(config), poll_seconds=0.05
    )
    one, two = ANSWER[0], 2 * ANSWER[0]
    with server, Load(server) as load:
        export(louder, toy_dir, 2)
        export(louder, toy_dir, 3)
        reaches(server, {1})
        edit("versions: 1", "versions: 1 versions: 2")
        reaches(server, {1, 2})
        edit('key: "canary" value: 1', 'key: "canary" value: 2')
        load.reaches("canary", two)
        export(louder, toy_dir, 4)
        reaches(server, {1, 2})
        assert load.newest("stable") == pytest.approx(one, rel=1e-5)
        edit('key: "stable" value: 1', 'key: "stable" value: 2')
        load.reaches("stable", two)
        edit("versions: 1 versions: 2", "versions: 2")
        reaches(server, {2})
        assert load.newest("stable") == pytest.approx(two, rel=1e-5)
    assert not load.failures


def test_the_newest_version_without_labels(toy_dir, louder, serve):
    models = [settings.ModelSettings("toy", toy_dir)]
    server = serve(models)
    base = f"http://127.0.0.1:{server.rest_port}/v1/models/toy:predict"
    ended, failures, answers = threading.Event(), [], []

    def ask():
        with httpx.Client(trust_env=False) as client:
            while not ended.is_set():
                found = client.post(base, json={"instances": [[1, 1, 1, 1]]})
                if found.status_code != 200:
                    failures.append(found.text)
                else:
                    answers.append(found.json()["predictions"][0]["y"][0])

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 20
    while not answers and time.monotonic() < deadline:
        time.sleep(0.01)
    export(louder, toy_dir, 2)
    while time.monotonic() < deadline:
        if answers[-1] == pytest.approx(2 * ANSWER[0], rel=1e-5):
            break
        time.sleep(0.01)
    ended.set()
    for thread in threads:
        thread.join()
    assert not failures
    assert answers[0] == pytest.approx(ANSWER[0], rel=1e-5)
    # One of the old version may have come last.
    assert pytest.approx(2 * ANSWER[0], rel=1e-5) in answers
