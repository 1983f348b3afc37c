"""A version that counts for as long as it is asked to, and processes."""

import shutil

import pytest
import tensorflow as tf

from lgn_serving.models.processes import Processes
from tests.serving.server import watched


class Counter(tf.Module):
    """Counts to a number, one step after another, and holds 24 MB."""

    def __init__(self):
        self.weights = tf.Variable(tf.random.normal([6_000_000]))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, name="n")])
    def count(self, n):
        end = n[0]
        counted = tf.while_loop(
            lambda i: i < end, lambda i: (i + 1,), (tf.constant(0, tf.int64),)
        )
        return {"n": tf.repeat(counted[0], tf.size(n)), "w": self.weights[:1]}


@pytest.fixture(scope="module")
def counter_version(tmp_path_factory):
    folder = tmp_path_factory.mktemp("counter") / "1"
    counter = Counter()
    tf.saved_model.save(counter, str(folder), signatures=counter.count)
    return folder


@pytest.fixture
def counter_dir(tmp_path, counter_version):
    shutil.copytree(counter_version, tmp_path / "counter/1")
    return tmp_path / "counter"


@pytest.fixture
def processes():
    started = Processes()
    yield started
    started.close()


@pytest.fixture
def workers():
    """Returns a function that lists the processes that this test has added."""
    before = watched.all_workers()
    return lambda: [
        each for each in watched.all_workers() if each not in before
    ]
