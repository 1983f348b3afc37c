"""A configuration from tables and files, and back."""

import json
import re

import pytest

from lgn_tf.config import schema
from lgn_tf.config.schema import (
    Config,
    DataConfig,
    ModelConfig,
    ScoringConfig,
    TrainingConfig,
)
from lgn_tf.data.datasets.presets import PRESETS
from tests.config.test_schema import message

pytestmark = pytest.mark.latest

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


def test_other_differs_from_the_default_everywhere():
    """Or the round trips below would prove nothing."""
    other, default = schema.to_dict(OTHER), schema.to_dict(Config())
    for section, values in default.items():
        for name, value in values.items():
            assert other[section][name] != value, name


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
