"""A data set, a trained run, and its evaluation."""

import dataclasses

import keras
import pytest

from lgn_tf.cli import main
from lgn_tf.config.schema import (
    Config,
    DataConfig,
    ModelConfig,
    ScoringConfig,
)
from lgn_tf.data.datasets import archives
from lgn_tf.data.synthetic import walkways
from lgn_tf.model.lgn_net import build_model
from lgn_tf.runs import model_files


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Drawn videos on disk, of which one test video is too short."""
    folder = tmp_path_factory.mktemp("protocol")
    drawn = walkways.draw(3, train=3, test=3, frames=16, size=(32, 40))
    short = drawn.test[1]
    short = dataclasses.replace(
        short, frames=short.frames[:4], masks=short.masks[:4]
    )
    drawn = dataclasses.replace(
        drawn, test=(drawn.test[0], short, drawn.test[2])
    )
    archives.write_drawn(drawn, folder / "data", "ucsd")
    return folder


@pytest.fixture(scope="module")
def run_dir(place):
    """An untrained run: the protocol does not ask how good it is."""
    keras.utils.set_random_seed(1)
    config = Config(
        model=ModelConfig(
            # The variant that is compiled fastest.
            variant="glo_net",
            image_size=(32, 32),
            channels=1,
            width=1 / 16,
        ),
        scoring=ScoringConfig(update_threshold="auto"),
        data=DataConfig(
            "folder",
            str(place / "data"),
            holdout=1,
            stores=str(place / "stores"),
        ),
    )
    model_files.save(place / "run", config, build_model(config))
    return place / "run"


@pytest.fixture(scope="module")
def evaluated(run_dir):
    assert main.main(["evaluate", str(run_dir), "--fps", "2"]) == 0
    return run_dir / "evaluation"
