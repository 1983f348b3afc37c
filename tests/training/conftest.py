"""A small run that nothing happened to, and what it was trained on."""

import pytest

from lgn_tf.data.datasets import archives
from lgn_tf.data.synthetic import walkways
from lgn_tf.runs.run import Run
from lgn_tf.training import train
from tests.helpers.training_process import configuration


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Three drawn videos of 18 frames: 48 clips, 12 steps an epoch."""
    folder = tmp_path_factory.mktemp("walkway") / "data"
    walkway = walkways.draw(1, train=3, test=1, frames=18, size=(32, 48))
    archives.write_drawn(walkway, folder, "ucsd")
    return folder


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    return tmp_path_factory.mktemp("stores")


@pytest.fixture(autouse=True)
def without_calibration(monkeypatch):
    """Spares what tests of the loop do not look at."""
    monkeypatch.setattr(Run, "calibrate", lambda *_: None)


@pytest.fixture(scope="module")
def unbroken(root, stores, tmp_path_factory):
    """Returns the run directory of a run that nothing happened to."""
    run_dir = tmp_path_factory.mktemp("runs") / "unbroken"
    train.train(configuration(root, stores), run_dir)
    return run_dir
