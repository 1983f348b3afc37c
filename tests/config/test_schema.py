"""The configuration: its numbers, its bounds, its file."""

import dataclasses
import json
import re

import pytest

from lgn_tf.config import model_arguments, schema
from lgn_tf.config.schema import (
    Config,
    DataConfig,
    ModelConfig,
    ScoringConfig,
    TrainingConfig,
)
from lgn_tf.data.datasets.presets import PRESETS

pytestmark = pytest.mark.latest

NAN, INFINITY = float("nan"), float("inf")

OTHER = Config(
    ModelConfig(
        variant="loc_net",
        image_size=(12, 20),
        channels=1,
        frames=2,
        width=0.25,
        memory_items=3,
        residual=True,
        dtype="mixed_bfloat16",
    ),
    TrainingConfig(
        epochs=7,
        steps=5,
        batch_size=3,
        learning_rate=1e-3,
        schedule="step",
        compactness_weight=0.0,
        separateness_weight=0.5,
        seed=11,
        strategy="single",
        save_every=0.5,
        rematerialise=True,
    ),
    ScoringConfig(
        normality_weight=1.0,
        update_threshold=0.25,
        update_quantile=0.5,
        error_weight=0.5,
        distance_weight=0.25,
        motion_weight=0.0,
    ),
    DataConfig(
        dataset="folder",
        data_root="here",
        labels="csv",
        holdout=3,
        stores="there",
        store=False,
    ),
)
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


def test_other_differs_from_the_default_everywhere():
    """Or the round trips below would prove nothing."""
    other, default = schema.to_dict(OTHER), schema.to_dict(Config())
    for section, values in default.items():
        for name, value in values.items():
            assert other[section][name] != value, name


def test_a_run_of_epochs_and_a_run_of_steps():
    whole = TrainingConfig(epochs=3).length(5)
    assert (whole.epochs, whole.total) == (3, 15)
    assert [whole.steps_of(epoch) for epoch in range(3)] == [5, 5, 5]
    cut = TrainingConfig(epochs=3, steps=12).length(5)
    assert (cut.epochs, cut.total) == (3, 12)
    assert [cut.steps_of(epoch) for epoch in range(3)] == [5, 5, 2]
    assert TrainingConfig(steps=10).length(5).epochs == 2


@pytest.mark.parametrize("value", [Config(), OTHER, *PRESETS.values()])
def test_round_trip_through_a_file(tmp_path, value):
    path = tmp_path / "config.json"
    schema.write(value, path)
    assert schema.read(path) == value
    assert json.loads(path.read_text())["model"]["frames"] == value.model.frames


@pytest.mark.parametrize("value", [OTHER, *PRESETS.values()])
def test_round_trip_through_dictionaries(value):
    values = schema.to_dict(value)
    assert schema.from_dict(values) == value
    assert schema.from_dict(json.loads(json.dumps(values))) == value


def test_a_list_becomes_a_tuple():
    value = schema.from_dict({"model": {"image_size": [64, 128]}})
    assert value.model.image_size == (64, 128)
    assert isinstance(value.model.image_size, tuple)


def test_what_is_absent_is_default():
    assert schema.from_dict({}) == Config()
    value = schema.from_dict({"training": {"epochs": 3}})
    assert value == Config(training=TrainingConfig(epochs=3))


def test_a_whole_number_is_a_float_too():
    value = schema.from_dict({"model": {"width": 2}})
    assert value.model.width == 2.0
    assert isinstance(value.model.width, float)


@pytest.mark.parametrize(
    ("values", "name", "accepted"),
    [
        ({"optimizer": {}}, "`optimizer`", "data, model, scoring, training"),
        (
            {"scoring": {"gamma": 0.1}},
            "`scoring.gamma`",
            "scoring.distance_weight, scoring.error_weight, "
            "scoring.motion_weight, scoring.normality_weight, "
            "scoring.update_quantile, scoring.update_threshold",
        ),
    ],
)
def test_unknown_names(values, name, accepted):
    expected = re.escape(f"{name} is no setting. Accepted: {accepted}")
    with pytest.raises(ValueError, match=expected):
        schema.from_dict(values)


@pytest.mark.parametrize(
    ("section", "name", "value", "kind"),
    [
        ("model", "frames", "4", "int"),
        ("model", "frames", 4.0, "int"),
        ("model", "frames", True, "int"),
        ("model", "frames", None, "int"),
        ("model", "width", "1.0", "float"),
        ("model", "width", False, "float"),
        ("data", "data_root", 3, "str"),
        ("training", "learning_rate", [1e-3], "float"),
        ("scoring", "normality_weight", {}, "float"),
    ],
)
def test_values_of_another_type(section, name, value, kind):
    path = f"{section}.{name}"
    expected = message(f"`{path}` must be `{kind}`", f"{path}={value!r}")
    with pytest.raises(ValueError, match=expected):
        schema.from_dict({section: {name: value}})


@pytest.mark.parametrize("value", [256, "ab", [256], [256, 256, 3], None])
def test_a_section_made_by_hand_checks_types_too(value):
    expected = message("`image_size` must be `array`", f"image_size={value!r}")
    with pytest.raises(ValueError, match=expected):
        ModelConfig(image_size=value)


def test_a_list_becomes_a_tuple_and_a_whole_number_a_float():
    config_by_hand = ModelConfig(image_size=[64, 32], width=1)
    assert config_by_hand.image_size == (64, 32)
    assert isinstance(config_by_hand.width, float)


def test_a_number_that_no_float_holds():
    with pytest.raises(ValueError, match=r"learning_rate` is out of range"):
        schema.from_dict({"training": {"learning_rate": 10**400}})


@pytest.mark.parametrize("value", [256, "ab", [256], [256, 256, 3], None])
def test_image_size_takes_two_values(value):
    expected = message(
        "`model.image_size` must be `array`", f"model.image_size={value!r}"
    )
    with pytest.raises(ValueError, match=expected):
        schema.from_dict({"model": {"image_size": value}})


def test_image_size_takes_whole_numbers():
    expected = message(
        "`model.image_size` must be `int`", "model.image_size=[256, 256.0]"
    )
    with pytest.raises(ValueError, match=expected):
        schema.from_dict({"model": {"image_size": [256, 256.0]}})


@pytest.mark.parametrize("value", [3, None, ["epochs"]])
def test_a_section_is_a_table(value):
    expected = message(
        "`training` must be a table of settings", f"training={value!r}"
    )
    with pytest.raises(ValueError, match=expected):
        schema.from_dict({"training": value})


def test_bounds_hold_in_dictionaries_too():
    expected = message("`frames`", "frames=1")
    with pytest.raises(ValueError, match=expected):
        schema.from_dict({"model": {"frames": 1}})


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"{", "not a JSON file"),
        (b"", "not a JSON file"),
        (b'{"model": "\xff"}', "not a JSON file"),
        (b"[1, 2]", "the file must hold one JSON object"),
        (b'{"modell": {}}', "`modell` is no setting"),
        (b'{"model": {"frames": "4"}}', "`model.frames` must be `int`"),
        (b'{"model": {"width": NaN}}', "`model.width` must be `float`"),
    ],
)
def test_a_file_that_is_no_configuration(tmp_path, content, complaint):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    expected = re.escape(f"{path}: ") + ".*" + re.escape(complaint)
    with pytest.raises(ValueError, match=expected):
        schema.read(path)


def test_a_file_that_is_not_there(tmp_path):
    path = tmp_path / "none.json"
    with pytest.raises(FileNotFoundError, match=re.escape(str(path))):
        schema.read(path)


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
