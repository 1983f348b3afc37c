"""What all tests share: quiet TensorFlow, two logical devices, seeds."""

import os

from lgn_tf.runs import model_files
from lgn_tf.runs.run import Run

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import pytest

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    # Replicas of the tests; must be said before TensorFlow starts up.
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 2,
    )


@pytest.fixture(autouse=True)
def fresh_start():
    """Seeds every generator, and forgets the layers of the test before."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(7)


@pytest.fixture(scope="session")
def exported_run(tmp_path_factory):
    """Returns (run_dir, config, model, statistics) of a small coloured run."""
    import numpy as np

    from lgn_tf.config.schema import (
        Config,
        DataConfig,
        ModelConfig,
        ScoringConfig,
    )
    from lgn_tf.data.video.footage import InMemory
    from lgn_tf.inference import calibrate
    from lgn_tf.model.lgn_net import build_model
    from lgn_tf.runs import directory

    keras.utils.set_random_seed(11)
    config = Config(
        ModelConfig(
            image_size=(16, 24), width=0.0625, memory_items=4, residual=True
        ),
        scoring=ScoringConfig(distance_weight=0.5),
        data=DataConfig(dataset="synthetic"),
    )
    model = build_model(config)
    rng = np.random.default_rng(0)
    # An untrained residual model predicts no change.
    model.decoder.scale.assign(1.0)
    last = model.decoder.last
    last.kernel.assign(rng.normal(0, 0.02, last.kernel.shape))
    run_dir = tmp_path_factory.mktemp("runs") / "small"
    model_files.save(run_dir, config, model)
    clip = rng.integers(0, 256, (20, 16, 24, 3), dtype=np.uint8)
    calibration = calibrate.calibrate(
        model,
        InMemory(["clip"], [clip]),
        in_sample=False,
        # Both cues that a graph has.
        weights={"error": 1.0, "distance": 0.5},
    )
    calibration.save(run_dir / directory.CALIBRATION)
    return run_dir, config, model, calibration.statistics


@pytest.fixture(scope="session")
def moving_run(exported_run, tmp_path_factory):
    """Returns (run_dir, config, model, calibration) of that run with motion."""
    import dataclasses
    import shutil

    import numpy as np

    from lgn_tf.runs import directory
    from lgn_tf.scores.calibration import Calibration

    _, config, model, _ = exported_run
    run_dir = tmp_path_factory.mktemp("runs") / "moving"
    shutil.copytree(exported_run[0], run_dir)
    path = run_dir / directory.CALIBRATION
    known = Calibration.load(path, config.scoring.cue_weights)
    lengths = np.random.default_rng(2).gamma(2, 1e-2, known.frames)
    # Of frames of 2 to 3.
    scale = np.linspace(0.3, 1, 40 * 60, dtype=np.float32).reshape(40, 60)
    known = dataclasses.replace(
        known,
        cues={**known.cues, "motion": lengths},
        scales={**known.scales, "motion": scale},
    )
    known.save(path)
    return run_dir, config, model, known


@pytest.fixture(scope="session")
def exported_moving(moving_run, tmp_path_factory):
    """Returns the first exported version of the run with motion."""
    from lgn_tf.exporting import saved_model

    out = tmp_path_factory.mktemp("models") / "lgn_net"
    return saved_model.export(Run(moving_run[0]), out, warm_up_batches=())


@pytest.fixture(scope="session")
def moving_server(exported_moving):
    """Returns an embedded server over that version."""
    from lgn_serving.models.settings import ModelSettings
    from lgn_serving.server import EmbeddedServer

    models = (ModelSettings("lgn_net", exported_moving.path.parent),)
    with EmbeddedServer(lambda: models) as server:
        yield server


@pytest.fixture(scope="session")
def exported(exported_run, tmp_path_factory):
    """Returns the first exported version of that run."""
    from lgn_tf.exporting import saved_model

    out = tmp_path_factory.mktemp("models") / "lgn_net"
    return saved_model.export(Run(exported_run[0]), out, warm_up_batches=())


@pytest.fixture(scope="session")
def model_server(exported):
    """Returns an embedded server over that version."""
    from lgn_serving.models.settings import ModelSettings
    from lgn_serving.server import EmbeddedServer

    models = (ModelSettings("lgn_net", exported.path.parent),)
    with EmbeddedServer(lambda: models) as server:
        yield server


@pytest.fixture(scope="session")
def served(model_server):
    """Returns that version as the server has loaded it."""
    with model_server.catalogue.borrow("lgn_net") as (_, servable):
        return servable
