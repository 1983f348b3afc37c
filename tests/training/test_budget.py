"""Training for some minutes: the steps that fit are measured, then fixed."""

import dataclasses

import numpy as np
import pytest

from lgn_tf.cli import main
from lgn_tf.data import sources
from lgn_tf.data.datasets import archives
from lgn_tf.data.synthetic import walkways
from lgn_tf.data.video.footage import InMemory
from lgn_tf.runs import directory, model_files
from lgn_tf.runs.run import Run
from lgn_tf.training import budget, train
from tests.helpers.training_process import configuration


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(Run, "calibrate", lambda *_: None)
    monkeypatch.setattr(budget, "LEAST_SECONDS", 0.0)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two drawn videos of 18 frames: 32 clips, 8 steps an epoch."""
    folder = tmp_path_factory.mktemp("walkway") / "data"
    walkway = walkways.draw(1, train=2, test=1, frames=18, size=(32, 48))
    archives.write_drawn(walkway, folder, "ucsd")
    return folder


def test_the_steps_are_what_fits(root, tmp_path, monkeypatch):
    config = configuration(root, tmp_path / "stores", holdout=1)
    source = sources.open_source(config)
    speed = budget.Speed(step=0.5, validation=2.0)
    monkeypatch.setattr(budget, "measure", lambda *_: speed)
    # One video is fitted on: 4 steps an epoch, of 0.5 s and a share of 2 s.
    found, told = budget.fill(config, source, 10.3)
    assert told == speed
    assert found.training.steps == 10
    expected = dataclasses.replace(config.training, steps=10)
    assert found == dataclasses.replace(config, training=expected)
    with pytest.raises(ValueError, match="`minutes` must be more"):
        budget.fill(config, source, 0.4)


@pytest.mark.parametrize("clips", [2, 16])
def test_a_step_and_a_pass_over_held_out_clips_are_measured(
    root, tmp_path, monkeypatch, clips
):
    config = configuration(root, tmp_path / "stores", holdout=1)
    # Fewer than a batch of four, too.
    take = sources.Source.training

    def few(source, holdout, seed):
        fitted, held_out = take(source, holdout, seed)
        frames = held_out.read(0, 0, clips + config.model.frames)
        return fitted, InMemory(["held out"], [frames])

    monkeypatch.setattr(sources.Source, "training", few)
    speed = budget.measure(config, sources.open_source(config))
    assert 0 < speed.step < 5
    assert 0 < speed.validation < 20


def test_measuring_leaves_no_trace_in_the_run(root, tmp_path, capsys):
    flags = [
        *("--dataset", "folder", "--data-root", str(root)),
        *("--runs", str(tmp_path), "--stores", str(tmp_path / "stores")),
        *("--variant", "glo_net", "--image-size", "16", "24"),
        *("--channels", "1", "--frames", "2", "--width", "0.0625"),
        *("--memory-items", "4", "--batch-size", "4", "--no-residual"),
    ]
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        # However fast this machine is.
        patch.setattr(
            budget,
            "_steps",
            lambda *_: 11,
        )
        assert (
            main.main(["train", *flags, "--name", "a", "--minutes", "1"]) == 0
        )
    assert "11 steps in 1 minutes" in capsys.readouterr().out
    config = directory.read_config(tmp_path / "a")
    assert config.training.steps == 11
    train.train(config, tmp_path / "b")
    _, ours = model_files.load(tmp_path / "a")
    _, theirs = model_files.load(tmp_path / "b")
    for one, other in zip(
        ours.get_weights(), theirs.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_several_machines_are_refused(root, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    flags = ["--dataset", "folder", "--data-root", str(root), "--minutes", "1"]
    flags += ["--strategy", "data_parallel", "--runs", str(tmp_path)]
    assert main.main(["train", *flags]) == 2
    assert "`--minutes` measures on one machine" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
