"""The same training run on other devices, backends and numbers of replicas.

The reference is one device on the TensorFlow backend.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conformance import training_run

tf = pytest.importorskip("tensorflow")

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def one_device():
    model = training_run.make()
    results = training_run.train(model, *training_run.data())
    output = model.predict(
        training_run.data()[0], batch_size=training_run.BATCH, verbose=0
    )
    results["predicted:frame"] = output.prediction
    results["predicted:distance"] = output.readout.distance
    return results | training_run.weights_of(model)


@pytest.fixture(scope="module")
def mirrored():
    """One strategy for all tests: see `lgn_tf.backend.distribution.scope`."""
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def assert_same(ours, theirs, absolute=1e-5, relative=2e-5):
    assert set(ours) <= set(theirs)
    for name, value in ours.items():
        np.testing.assert_allclose(
            value, theirs[name], rtol=relative, atol=absolute, err_msg=name
        )


def environment(**more):
    inherited = {k: v for k, v in os.environ.items() if k != "TF_CONFIG"}
    return inherited | {"PYTHONPATH": str(ROOT), "KERAS_BACKEND": "jax"} | more


def run_jax(mode, out, **more):
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.conformance.training_run",
            mode,
            str(out),
        ],
        cwd=ROOT,
        env=environment(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(*processes):
    try:
        for process in processes:
            text, _ = process.communicate(timeout=300)
            assert process.returncode == 0, text[-3000:]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def load(path):
    with np.load(path) as archive:
        return {name: archive[name] for name in archive.files}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_two_replicas_of_different_data_equal_one_of_both(one_device, mirrored):
    with mirrored.scope():
        model = training_run.make()
    results = training_run.train(model, *training_run.data())
    # Losses, logs, items, batch statistics and, through the weights after
    # plain gradient descent, the gradients.
    assert_same(results | training_run.weights_of(model), one_device)
    copies = mirrored.experimental_local_results(model.memory.items.value)
    assert len(copies) == 2
    np.testing.assert_array_equal(copies[0].numpy(), copies[1].numpy())


@pytest.mark.parametrize(
    "options",
    [{"max_over_assigned": True, "momentum": 0.7}, {"revive_after": 1}],
)
def test_two_replicas_with_memory_options(mirrored, options):
    clips, _ = training_run.data()
    alone = training_run.make(memory_options=options)
    with mirrored.scope():
        model = training_run.make(memory_options=options)
    queries = alone.encode(clips[:4]).queries.numpy()
    # All queries nearest to few items, so that there are idle ones.
    queries = queries + 2 * alone.memory.items.numpy()[1]
    queries /= np.linalg.norm(queries, axis=-1, keepdims=True)

    @tf.function
    def step(values):
        mirrored.run(model.memory.update, args=(values,))

    halves = [queries[:2], queries[2:]]
    step(
        mirrored.experimental_distribute_values_from_function(
            lambda context: tf.constant(
                halves[context.replica_id_in_sync_group]
            )
        )
    )
    before = alone.memory.items.numpy()
    alone.memory.update(queries)
    after = alone.memory.items.numpy()
    assert np.abs(after - before).max() > 1e-2
    np.testing.assert_allclose(np.array(model.memory.items), after, atol=2e-6)


def test_parts_computed_again_change_nothing(one_device):
    model = training_run.make(rematerialise=True)
    results = training_run.train(model, *training_run.data())
    assert_same(results | training_run.weights_of(model), one_device)


def test_two_replicas_with_parts_computed_again(one_device, mirrored):
    with mirrored.scope():
        model = training_run.make(rematerialise=True)
    results = training_run.train(model, *training_run.data())
    assert_same(results | training_run.weights_of(model), one_device)


def test_xla_compiles_the_whole_on_one_device(one_device):
    model = training_run.make()
    clips, targets = training_run.data()
    results = training_run.train(model, clips, targets, jit_compile=True)
    assert_same(results | training_run.weights_of(model), one_device)


@pytest.mark.jax
@pytest.mark.latest
def test_jax_without_tensorflow_gives_the_same_numbers(one_device, tmp_path):
    out = tmp_path / "out.npz"
    finish(run_jax("one", out))
    results = load(out)
    assert set(results) == set(one_device)
    assert_same(results, one_device)


@pytest.mark.jax
def test_jax_on_two_devices_computing_parts_again(one_device, tmp_path):
    out = tmp_path / "out.npz"
    finish(run_jax("data_parallel", out))
    assert_same(load(out), one_device)


@pytest.mark.jax
def test_jax_in_two_processes_equals_one(one_device, tmp_path):
    port = str(free_port())
    outs = [tmp_path / f"out_{index}.npz" for index in range(2)]
    finish(
        *(
            run_jax(f"process_{index}", out, LGN_TEST_PORT=port)
            for index, out in enumerate(outs)
        )
    )
    for out in outs:
        assert_same(load(out), one_device)


WORKER = """
import tensorflow as tf
strategy = tf.distribute.MultiWorkerMirroredStrategy()
from tests.conformance import training_run
with strategy.scope():
    model = training_run.make()
data = tf.data.Dataset.from_tensor_slices(training_run.data())
options = tf.data.Options()
options.experimental_distribute.auto_shard_policy = (
    tf.data.experimental.AutoShardPolicy.DATA
)
data = data.batch(training_run.BATCH).with_options(options)
model.compile("sgd")
print("STARTS", strategy.num_replicas_in_sync)
model.fit(data, verbose=0, shuffle=False)
print("TRAINED")
"""


def test_where_keras_stops_under_multi_worker_mirrored_strategy():
    """Documents a limit of Keras 3, and notices the day it is gone.

    The model builds in two workers; `fit` then reduces the first batch to see
    its shapes, which this strategy refuses for a pair of per-replica values.
    docs/replicas.md names the way past one machine.
    """
    workers = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    processes = []
    for index in range(2):
        config = {
            "cluster": {"worker": workers},
            "task": {"type": "worker", "index": index},
        }
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", WORKER],
                cwd=ROOT,
                env=environment(
                    KERAS_BACKEND="tensorflow", TF_CONFIG=json.dumps(config)
                ),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    texts = []
    try:
        for process in processes:
            texts.append(process.communicate(timeout=300)[0])
    finally:
        for process in processes:
            process.kill()
            process.wait()
    for text in texts:
        assert "STARTS 2" in text, text[-3000:]
        assert "TRAINED" not in text, "Keras can do it now: say so in the docs"
        assert "PerReplica" in text, text[-3000:]
