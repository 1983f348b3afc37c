"""A run, drawn videos, and their store."""

import dataclasses
import shutil

import numpy as np
import pytest

from lgn_tf.cli import main
from lgn_tf.config.schema import Config, DataConfig, ModelConfig
from lgn_tf.data.datasets import archives
from lgn_tf.data.datasets.layouts import recognise
from lgn_tf.data.store import preparation
from lgn_tf.data.synthetic import walkways
from lgn_tf.data.video.footage import InMemory
from lgn_tf.inference import calibrate, run_scorer
from lgn_tf.model.lgn_net import build_model
from lgn_tf.runs import directory, model_files
from lgn_tf.scores.calibration import Calibration
from tests.parallel.bulk import contents


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """A run, drawn videos of which one is too short, and their store."""
    folder = tmp_path_factory.mktemp("bulk")
    # The variant that is compiled fastest.
    config = Config(
        ModelConfig("glo_net", (16, 24), channels=1, width=1 / 16),
        data=DataConfig("synthetic"),
    )
    model = build_model(config)
    model_files.save(folder / "run", config, model)
    clip = np.random.default_rng(0).integers(0, 256, (20, 16, 24, 1), np.uint8)
    calibrate.calibrate(
        model, InMemory(["clip"], [clip]), in_sample=False
    ).save(folder / "run" / directory.CALIBRATION)
    drawn = walkways.draw(3, train=1, test=3, frames=22, size=(32, 40))
    short = dataclasses.replace(
        drawn.test[1],
        frames=drawn.test[1].frames[:4],
        masks=drawn.test[1].masks[:4],
    )
    test = (drawn.test[0], short, drawn.test[2])
    archives.write_drawn(
        dataclasses.replace(drawn, test=test), folder / "data", "ucsd"
    )
    preparation.prepare(recognise(folder / "data"), folder / "store", (16, 24))
    return folder


@pytest.fixture(scope="session")
def videos(place):
    return [str(place / "data" / "Test" / f"Test00{n}") for n in (1, 2, 3)]


@pytest.fixture(scope="session")
def by_one(place, videos):
    """Returns what one process writes."""
    argv = ["score", str(place / "run"), *videos, "--workers", "1"]
    assert main.main([*argv, "--out", str(place / "one")]) == 0
    return contents(place / "one")


@pytest.fixture(scope="session")
def moving(place):
    """Returns a folder like `place`, where motion has a part in the score."""
    folder = place / "moving"
    folder.mkdir()
    shutil.copytree(place / "run", folder / "run")
    path = folder / "run" / directory.CALIBRATION
    known = Calibration.load(path)
    lengths = np.random.default_rng(1).gamma(2, 1e-2, known.frames)
    scale = np.linspace(0.3, 1, 48 * 60, dtype=np.float32).reshape(48, 60)
    dataclasses.replace(
        known,
        cues={**known.cues, "motion": lengths},
        scales={**known.scales, "motion": scale},
    ).save(path)
    preparation.prepare(
        recognise(place / "data"), folder / "store", (16, 24), motion=True
    )
    return folder


@pytest.fixture
def alone(monkeypatch):
    """Fails where a run is loaded or a pipeline runs."""
    beam = pytest.importorskip("apache_beam")
    monkeypatch.setattr(run_scorer, "RunScorer", None)
    monkeypatch.setattr(beam, "Pipeline", None)
