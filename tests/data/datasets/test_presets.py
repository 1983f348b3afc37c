"""The presets hold the numbers of the paper."""

import dataclasses

import pytest

from lgn_tf.config.schema import Config
from lgn_tf.data.datasets.presets import PRESETS, lite, preset

pytestmark = pytest.mark.latest


@pytest.mark.parametrize(
    ("name", "items", "compactness", "separateness", "weight", "threshold"),
    [
        ("ped2", 10, 10, 5, 0.6, 0.009),
        ("avenue", 10, 10, 2, 0.5, 0.006),
        ("shanghaitech", 200, 1, 1, 0.8, 0.0135),
    ],
)
def test_presets(name, items, compactness, separateness, weight, threshold):
    preset = PRESETS[name]
    assert preset.model.memory_items == items
    assert preset.training.compactness_weight == compactness
    assert preset.training.separateness_weight == separateness
    assert preset.scoring.normality_weight == weight
    assert preset.scoring.update_threshold == threshold
    # All else is the same for all datasets.
    default = Config()
    assert preset.model == dataclasses.replace(
        default.model, memory_items=items
    )
    assert not preset.model.residual
    assert preset.training == dataclasses.replace(
        default.training,
        compactness_weight=compactness,
        separateness_weight=separateness,
    )


def test_presets_are_these_and_stay():
    assert sorted(PRESETS) == [
        "avenue",
        "folder",
        "ped1",
        "ped2",
        "shanghaitech",
        "synthetic",
        "umn",
    ]
    with pytest.raises(TypeError):
        PRESETS["ped2"] = Config()


@pytest.mark.parametrize(
    ("name", "channels"), [("ped2", 1), ("avenue", 3), ("folder", 3)]
)
def test_lite_is_small_and_holds_out_two_videos(name, channels):
    small = lite(PRESETS[name])
    assert small.model.image_size == (128, 128)
    assert small.model.residual
    assert small.model.width == 0.25
    assert small.model.channels == channels
    assert small.scoring.update_threshold == 0
    assert small.data.holdout == 2
    assert small.training == dataclasses.replace(
        PRESETS[name].training,
        steps=3200,
        batch_size=4,
        learning_rate=1e-3,
        schedule="step",
    )


def test_a_preset_by_its_name():
    assert preset("avenue") is PRESETS["avenue"]
    assert preset("avenue", lite=True) == lite(PRESETS["avenue"])
    with pytest.raises(ValueError, match=r"one of avenue, .*dataset='moon'"):
        preset("moon")
