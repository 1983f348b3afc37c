"""A small run that nothing happened to, and what it was trained on."""

import numpy as np
import pytest

from lgn_tf.data.datasets import archives
from lgn_tf.data.synthetic import walkways
from lgn_tf.model.lgn_net import LGNNet
from lgn_tf.runs.run import Run
from lgn_tf.training import epoch_log, telemetry, train
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


STEPS, BATCH, EPOCHS = 3, 2, 2


@pytest.fixture(scope="package")
def model():
    model = LGNNet((16, 24), 1, 2, 1 / 16, "glo_net", memory_items=3)
    model.build()
    model.compile()
    return model


@pytest.fixture(scope="package")
def run_dir(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    random = np.random.default_rng(0)
    clips = random.uniform(-1, 1, (6, 2, 16, 24, 1)).astype(np.float32)
    targets = random.uniform(-1, 1, (6, 16, 24, 1)).astype(np.float32)
    with telemetry.ProgressBar(EPOCHS, STEPS, 0, BATCH) as bar:
        model.fit(
            clips,
            targets,
            batch_size=BATCH,
            epochs=EPOCHS,
            verbose=0,
            callbacks=[
                bar,
                epoch_log.EpochLog(folder, 0, lambda: 12.34),
                telemetry.Events(folder, clips[:2], targets[:2], STEPS, BATCH),
            ],
        )
    return folder
