"""The configuration: its numbers, its bounds, its file."""

import dataclasses
import re

import pytest

from lgn_tf.config import model_arguments, schema
from lgn_tf.config.schema import (
    Config,
    ModelConfig,
    ScoringConfig,
    TrainingConfig,
)

pytestmark = pytest.mark.latest

NAN, INFINITY = float("nan"), float("inf")

"""A value that is no default, in every setting."""


FINITE = "must be `float` that is finite"


def message(rule, received):
    return re.escape(rule) + ".*" + re.escape(f"Received: {received}")


# The numbers of the specification.


def test_defaults():
    default = Config()
    assert default.model == ModelConfig(
        variant="lgn_net",
        image_size=(256, 256),
        channels=3,
        frames=4,
        width=1.0,
        memory_items=10,
        dtype="float32",
    )
    assert default.training == TrainingConfig(
        epochs=60,
        batch_size=8,
        learning_rate=2e-4,
        compactness_weight=10.0,
        separateness_weight=5.0,
        seed=0,
    )
    # A gamma of 0: nothing is written at test time unless asked for.
    assert default.scoring.update_threshold == 0


@pytest.mark.parametrize("part", ["model", "training", "scoring"])
def test_a_config_is_frozen(part):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(Config(), part, None)
    section = getattr(Config(), part)
    name = dataclasses.fields(section)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(section, name, None)


@pytest.mark.parametrize(
    ("variant", "multiple"),
    [("lgn_net", 8), ("lgn_st", 8), ("glo_net", 8), ("loc_net", 4)],
)
def test_sides_are_halved_thrice_but_in_loc_net(variant, multiple):
    assert model_arguments.size_multiple(variant) == multiple
    size = (multiple, 5 * multiple)
    assert ModelConfig(variant=variant, image_size=size).image_size == size
    with pytest.raises(ValueError, match=f"multiples of {multiple}"):
        ModelConfig(variant=variant, image_size=(size[0], size[1] + 2))


# Bounds.


@pytest.mark.parametrize(
    ("section", "argument", "value", "rule"),
    [
        (ModelConfig, "variant", "mnad", "must be one of lgn_net, lgn_st"),
        (ModelConfig, "image_size", (256, 252), "must be (height, width)"),
        (ModelConfig, "image_size", (0, 256), "must be (height, width)"),
        (ModelConfig, "image_size", (-8, 256), "must be (height, width)"),
        (ModelConfig, "channels", 2, "must be 1 or 3"),
        (ModelConfig, "width", NAN, FINITE),
        (ModelConfig, "width", INFINITY, FINITE),
        (ModelConfig, "memory_items", 1, "must be at least 2"),
        (ModelConfig, "dtype", "float64", "must be one of float32, mixed_b"),
        (TrainingConfig, "epochs", 0, "must be `int` >= 1"),
        (TrainingConfig, "batch_size", 0, "must be `int` >= 1"),
        (TrainingConfig, "learning_rate", 0.0, "must be `float` > 0"),
        (TrainingConfig, "learning_rate", -1e-4, "must be `float` > 0"),
        (TrainingConfig, "learning_rate", NAN, "must be `float` > 0"),
        (
            TrainingConfig,
            "learning_rate",
            INFINITY,
            "must be `float` that is finite",
        ),
        (TrainingConfig, "compactness_weight", -0.1, "must be `float` >= 0"),
        (TrainingConfig, "compactness_weight", NAN, "must be `float` >= 0"),
        (TrainingConfig, "separateness_weight", -0.1, "must be `float` >= 0"),
        (TrainingConfig, "separateness_weight", NAN, "must be `float` >= 0"),
        (TrainingConfig, "seed", -1, "must be `int` >= 0"),
        (ScoringConfig, "normality_weight", -0.1, "must be `float` >= 0"),
        (ScoringConfig, "normality_weight", 1.1, "must be `float` <= 1"),
        (ScoringConfig, "normality_weight", NAN, "must be `float` >= 0"),
        (ScoringConfig, "update_threshold", -0.1, "must be `float` >= 0"),
        (
            ScoringConfig,
            "update_threshold",
            INFINITY,
            "must be `float` that is finite",
        ),
    ],
)
def test_values_out_of_bounds(section, argument, value, rule):
    expected = message(f"`{argument}` {rule}", f"{argument}={value!r}")
    with pytest.raises(ValueError, match=expected):
        section(**{argument: value})


@pytest.mark.parametrize(
    ("argument", "value", "rule"),
    [
        ("frames", 1, "must be at least 2"),
        ("width", 0.0, "must be positive"),
        ("width", -1.0, "must be positive"),
    ],
)
def test_values_out_of_bounds_that_are_explained(argument, value, rule):
    """The message says between name and rule what the argument is."""
    expected = f"`{argument}`, the .*" + message(rule, f"{argument}={value!r}")
    with pytest.raises(ValueError, match=expected):
        ModelConfig(**{argument: value})


@pytest.mark.parametrize(
    ("section", "arguments"),
    [
        (ModelConfig, {"frames": 2, "memory_items": 2, "channels": 1}),
        (ModelConfig, {"image_size": (8, 8), "width": 1e-3}),
        (TrainingConfig, {"epochs": 1, "batch_size": 1, "seed": 0}),
        (
            TrainingConfig,
            {"compactness_weight": 0.0, "separateness_weight": 0.0},
        ),
        (ScoringConfig, {"normality_weight": 0.0}),
        (ScoringConfig, {"normality_weight": 1.0, "update_threshold": 0.0}),
    ],
)
def test_values_at_their_bounds(section, arguments):
    values = dataclasses.asdict(section(**arguments))
    assert values.items() >= arguments.items()


@pytest.mark.parametrize("dtype", schema.POLICIES)
def test_dtypes(dtype):
    assert ModelConfig(dtype=dtype).dtype == dtype


# Dictionaries and files.


def test_a_run_of_epochs_and_a_run_of_steps():
    whole = TrainingConfig(epochs=3).length(5)
    assert (whole.epochs, whole.total) == (3, 15)
    assert [whole.steps_of(epoch) for epoch in range(3)] == [5, 5, 5]
    cut = TrainingConfig(epochs=3, steps=12).length(5)
    assert (cut.epochs, cut.total) == (3, 12)
    assert [cut.steps_of(epoch) for epoch in range(3)] == [5, 5, 2]
    assert TrainingConfig(steps=10).length(5).epochs == 2


@pytest.mark.parametrize("value", [256, "ab", [256], [256, 256, 3], None])
def test_a_section_made_by_hand_checks_types_too(value):
    expected = message("`image_size` must be `array`", f"image_size={value!r}")
    with pytest.raises(ValueError, match=expected):
        ModelConfig(image_size=value)


def test_a_list_becomes_a_tuple_and_a_whole_number_a_float():
    config_by_hand = ModelConfig(image_size=[64, 32], width=1)
    assert config_by_hand.image_size == (64, 32)
    assert isinstance(config_by_hand.width, float)


@pytest.mark.parametrize("value", ["never", -0.5, NAN, None])
def test_a_threshold_is_a_number_or_auto(value):
    with pytest.raises(ValueError, match="`update_threshold` must"):
        ScoringConfig(update_threshold=value)


def test_a_threshold_may_be_left_to_the_calibration(tmp_path):
    path = tmp_path / "config.json"
    schema.write(Config(scoring=ScoringConfig(update_threshold="auto")), path)
    assert schema.read(path).scoring.update_threshold == "auto"


@pytest.mark.parametrize("value", [0.0, 1.5, NAN])
def test_a_quantile_is_a_share(value):
    with pytest.raises(ValueError, match="`update_quantile` must be `float`"):
        ScoringConfig(update_quantile=value)
