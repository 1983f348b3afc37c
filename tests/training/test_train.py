"""Training from files to a run directory; stopped, killed, and gone on."""

import json
import os
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest

from lgn_tf.config.schema import Config, ModelConfig
from lgn_tf.model.lgn_net import build_model
from lgn_tf.runs import directory, model_files
from lgn_tf.training import callbacks, snapshots, train
from tests.helpers.training_process import configuration
from tests.training.runs_by_hand import (
    ROOT,
    STEPS,
    log,
    progress_of,
    require_close_run,
    require_same_run,
    stopping,
    weights,
)


def test_a_run_directory_holds_everything(unbroken):
    config = directory.read_config(unbroken)
    assert config.model.image_size == (16, 24)
    environment = json.loads((unbroken / "environment.json").read_text())
    assert environment["packages"]["keras"] == keras.__version__
    assert environment["backend"] == keras.backend.backend()
    rows = log(unbroken)
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[1]["loss"]) < float(rows[0]["loss"])
    # Half a cosine over two epochs: all of it, then half.
    rates = [float(row["learning_rate"]) for row in rows]
    np.testing.assert_allclose(rates, [2e-4, 1e-4], rtol=1e-6)
    assert list((unbroken / directory.TENSORBOARD).glob("events*"))
    assert not list(unbroken.glob(".partial-*"))


def test_a_seed_gives_the_same_run_twice(root, stores, unbroken, tmp_path):
    train.train(configuration(root, stores), tmp_path / "again")
    require_same_run(tmp_path / "again", unbroken)


@pytest.mark.parametrize("how", ["resume", "overwrite"])
def test_two_do_not_train_in_one_directory(root, stores, unbroken, how):
    before = weights(unbroken)
    words = rf"another process writes it \(process {os.getpid()} on "
    with directory.alone(unbroken):
        with pytest.raises(BlockingIOError, match=words):
            train.train(configuration(root, stores), unbroken, **{how: True})
    np.testing.assert_equal(weights(unbroken), before)


def test_a_run_of_steps_ends_inside_an_epoch(root, stores, tmp_path):
    """And goes on bit for bit, from inside its last, short epoch."""
    config = configuration(root, stores, steps=15, schedule="step")
    whole, run_dir = tmp_path / "whole", tmp_path / "run"
    train.train(config, whole)
    assert progress_of(whole).epoch == 2
    rows = log(whole)
    assert [row["epoch"] for row in rows] == ["1", "2"]
    # The cosine of each step, down to nothing after the last one.
    assert 0 < float(rows[0]["learning_rate"]) < 1e-4
    assert float(rows[1]["learning_rate"]) == pytest.approx(0, abs=1e-9)
    with stopping(13), pytest.raises(callbacks.Interrupted):
        train.train(config, run_dir)
    place = progress_of(run_dir)
    assert STEPS * place.epoch + place.step == 13
    train.train(config, run_dir, resume=True)
    require_same_run(run_dir, whole)


def test_another_seed_gives_another_run(root, stores, unbroken, tmp_path):
    config = configuration(root, stores, seed=1, epochs=1)
    train.train(config, tmp_path / "other")
    assert log(tmp_path / "other")[0] != log(unbroken)[0]


def test_divergence_stops_with_a_hint(root, stores, tmp_path):
    config = configuration(root, stores, learning_rate=1e30)
    with pytest.raises(
        callbacks.Diverged, match=r"epoch 1, step \d+: .*intensity"
    ):
        train.train(config, tmp_path / "run")


def test_an_existing_run_is_not_overwritten(root, stores, unbroken, tmp_path):
    config = configuration(root, stores)
    before = (unbroken / directory.WEIGHTS).read_bytes()
    with pytest.raises(FileExistsError, match="is not overwritten"):
        train.train(config, unbroken)
    assert (unbroken / directory.WEIGHTS).read_bytes() == before
    stranger = tmp_path / "letters"
    stranger.mkdir()
    (stranger / "dear.txt").write_text("mum")
    with pytest.raises(FileExistsError, match="no run directory"):
        train.train(config, stranger, overwrite=True)
    assert (stranger / "dear.txt").read_text() == "mum"


def test_a_run_is_overwritten_where_it_is_asked_for(
    root, stores, unbroken, tmp_path
):
    config = configuration(root, stores, epochs=1)
    directory.create(tmp_path / "run", config)
    (tmp_path / "run" / "notes.txt").write_text("of the run before")
    # What cannot be trained leaves it as it is.
    large = configuration(root, stores, batch_size=1000)
    with pytest.raises(ValueError, match="batch"):
        train.train(large, tmp_path / "run", overwrite=True)
    assert (tmp_path / "run" / "notes.txt").exists()
    train.train(config, tmp_path / "run", overwrite=True)
    assert not (tmp_path / "run" / "notes.txt").exists()
    assert log(tmp_path / "run")[0]["loss"] == log(unbroken)[0]["loss"]


def test_held_out_videos_are_validated_on_and_not_fitted_on(
    root, stores, tmp_path
):
    config = configuration(root, stores, holdout=1, epochs=1)
    train.train(config, tmp_path / "run")
    row = log(tmp_path / "run")[0]
    assert float(row["val_loss"]) > 0
    assert (tmp_path / "run" / directory.BEST).is_file()
    _, best = model_files.load(tmp_path / "run", directory.BEST)
    for ours, theirs in zip(
        best.get_weights(), weights(tmp_path / "run"), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_two_replicas_train_the_same_run(root, stores, tmp_path):
    config = configuration(root, stores, holdout=1)
    train.train(config, tmp_path / "single")
    command = [sys.executable, "-m", "tests.helpers.training_process"]
    command += [str(root), str(tmp_path / "mirrored"), str(stores), "mirrored"]
    subprocess.run(command, check=True, cwd=ROOT)
    require_close_run(tmp_path / "mirrored", tmp_path / "single")
    rows = [log(tmp_path / name) for name in ("mirrored", "single")]
    for ours, theirs in zip(*rows, strict=True):
        assert float(ours["val_psnr"]) == pytest.approx(
            float(theirs["val_psnr"]), rel=2e-3
        )
    model_files.load(tmp_path / "mirrored", directory.BEST)


@pytest.fixture
def without_tensorflow(tmp_path):
    """Returns an environment for JAX in which TensorFlow cannot be imported."""
    folder = tmp_path / "blocked"
    folder.mkdir()
    (folder / "tensorflow.py").write_text("raise ImportError('blocked')")
    path = os.pathsep.join([str(folder), str(ROOT)])
    return os.environ | {
        "KERAS_BACKEND": "jax",
        "JAX_CPU_COLLECTIVES_IMPLEMENTATION": "gloo",
        "PYTHONPATH": path,
    }


@pytest.fixture
def begun(root, stores, tmp_path):
    """Returns the run directory of a run before its first step.

    Backends draw different weights from one seed.
    """
    config = configuration(root, stores)
    directory.create(tmp_path / "run", config)
    keras.utils.set_random_seed(config.training.seed)
    model = build_model(config)
    model.compile()
    snapshots.save(tmp_path / "run", model, snapshots.Progress())
    return tmp_path / "run"


@pytest.mark.slow
@pytest.mark.jax
def test_jax_trains_the_same_run_without_tensorflow(
    root, stores, begun, unbroken, without_tensorflow
):
    command = [sys.executable, "-m", "tests.helpers.training_process"]
    command += [str(root), str(begun), str(stores), "resume"]
    subprocess.run(command, check=True, cwd=ROOT, env=without_tensorflow)
    require_close_run(begun, unbroken)
    assert (begun / directory.CALIBRATION).is_file()


@pytest.mark.slow
@pytest.mark.jax
def test_two_processes_train_the_same_run(
    root, begun, unbroken, tmp_path, without_tensorflow
):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tests.helpers.training_process"]
    command += [str(root), str(begun), str(tmp_path / "stores"), "resume"]
    processes = [
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=without_tensorflow
            | {
                "KERAS_DISTRIBUTION_JOB_ADDRESSES": f"127.0.0.1:{port}",
                "KERAS_DISTRIBUTION_NUM_PROCESSES": "2",
                "KERAS_DISTRIBUTION_PROCESS_ID": str(number),
            },
        )
        for number in range(2)
    ]
    try:
        assert [process.wait(timeout=300) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
    require_close_run(begun, unbroken)
    assert (begun / directory.CALIBRATION).is_file()


@pytest.mark.parametrize("residual", [True, False])
def test_a_training_begins_with_a_little_change(residual):
    """A model that is only built copies; see tests/model/test_lgn_net.py."""
    config = Config(
        ModelConfig(
            "glo_net",
            (16, 24),
            channels=1,
            width=1 / 16,
            memory_items=4,
            residual=residual,
        )
    )
    model = train.compiled(config, 10)
    clips = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 4, 16, 24, 1))
    prediction = keras.ops.convert_to_numpy(model(clips).prediction)
    change = np.abs(prediction - clips[:, -1]).max()
    if residual:
        assert float(model.decoder.scale) == pytest.approx(0.05)
        assert 0 < change < 0.2
    else:
        assert change > 0.2
