"""A small SavedModel like the recorded one, and a server over it."""

import shutil

import httpx
import numpy as np
import pytest
import tensorflow as tf

from lgn_serving.models import launcher
from lgn_serving.models.settings import ModelSettings
from lgn_serving.server import EmbeddedServer

ANSWER = np.array([2.09243917, -0.232257843], np.float32)


class Toy(tf.Module):
    """A dense layer, and a moving mean that a signature writes."""

    def __init__(self):
        self.kernel = tf.Variable([ANSWER, 0 * ANSWER, 0 * ANSWER, 0 * ANSWER])
        self.count = tf.Variable(0, dtype=tf.int64)
        self.mean = tf.Variable(0.0)

    @tf.function(input_signature=[tf.TensorSpec([None, 4], name="x")])
    def score(self, x):
        y = tf.matmul(x, self.kernel)
        return {"y": y, "n": tf.repeat(self.count, tf.shape(x)[0])}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 4], name="x"),
            tf.TensorSpec(None, name="rate"),
        ]
    )
    def update(self, x, rate):
        rate = tf.reshape(rate, [-1])[0]
        self.count.assign_add(1)
        self.mean.assign_add(rate * (tf.reduce_mean(x) - self.mean))
        return {
            "n": tf.reshape(self.count, [1]),
            "mem_mean": tf.reshape(self.mean, [1]),
        }

    @tf.function(input_signature=[])
    def reset(self):
        self.count.assign(0)
        return {"n": tf.reshape(self.count, [1])}


def save_toy(folder):
    toy = Toy()
    signatures = {
        "serving_default": toy.score,
        "update": toy.update,
        "reset": toy.reset,
    }
    tf.saved_model.save(toy, str(folder), signatures=signatures)


@pytest.fixture(scope="session", autouse=True)
def fork_server():
    """Keeps the fork server from one test to the next: it starts slowly."""
    with launcher.held():
        yield


@pytest.fixture(scope="session")
def toy_version(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy_version") / "1"
    save_toy(folder)
    return folder


@pytest.fixture
def toy_dir(tmp_path, toy_version):
    folder = tmp_path / "toy"
    shutil.copytree(toy_version, folder / "1")
    return folder


@pytest.fixture
def serve():
    """Returns a function that starts a server, stopped after the test."""
    started = []

    def start(models, **options):
        models = tuple(models)
        server = EmbeddedServer(
            lambda: models, **{"poll_seconds": 0.05} | options
        )
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def toy(serve, toy_dir):
    """Returns a client of a server over the toy, label stable on it."""
    server = serve([ModelSettings("toy", toy_dir, labels={"stable": 1})])
    with httpx.Client(
        base_url=f"http://127.0.0.1:{server.rest_port}", trust_env=False
    ) as client:
        client.server = server
        yield client
