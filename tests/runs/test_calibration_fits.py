"""A run takes the calibration that was measured with its own model."""

import numpy as np
import pytest

from lgn_tf.config.schema import Config, DataConfig, ModelConfig
from lgn_tf.data.video.footage import InMemory
from lgn_tf.inference import calibrate
from lgn_tf.model.lgn_net import build_model
from lgn_tf.runs import directory, model_files
from lgn_tf.runs.run import Run


# Stored error maps are pooled by 1, 2, 4 and 8.
@pytest.mark.parametrize(
    ("size", "error"),
    [
        ((64, 16), (64, 16)),
        ((16, 72), (8, 36)),
        ((136, 8), (34, 2)),
        ((8, 264), (1, 33)),
    ],
)
def test_a_calibration_of_any_size_is_read(tmp_path, size, error):
    config = Config(
        ModelConfig(
            image_size=size, width=0.0625, memory_items=2, variant="glo_net"
        ),
        data=DataConfig(dataset="synthetic"),
    )
    model = build_model(config)
    run_dir = tmp_path / "run"
    model_files.save(run_dir, config, model)
    clip = np.random.default_rng(0).integers(0, 256, (8, *size, 3), np.uint8)
    calibrate.calibrate(model, InMemory(["a"], [clip]), in_sample=False).save(
        run_dir / directory.CALIBRATION
    )
    found = Run(run_dir).calibration
    assert found.scales["error"].shape == error
    assert found.scales["distance"].shape == (size[0] // 8, size[1] // 8)
