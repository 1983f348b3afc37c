"""Numbers in answers read back as they were, and bytes as base64."""

import base64
import json

import numpy as np
import pytest

from lgn_serving.failure import Failure
from lgn_serving.protocols import json_answers


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_decimal_reads_back(dtype):
    rng = np.random.default_rng(0)
    values = rng.standard_normal(500) * 10.0 ** rng.integers(-30, 30, 500)
    values = np.array([*values, 0, -0.0, 1, 0.1, 1e9], dtype)
    text = json_answers.dump({"a": values, "b": values}, rows=False)
    found = np.array(json.loads(text)["outputs"]["a"], dtype)
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1, "1.0"), (0.1, "0.1"), (2.0924392, "2.09243917"), (9e6, "9e+06")],
)
def test_a_decimal_is_written_as_tensorflow_serving_writes_it(value, text):
    answer = json_answers.dump({"y": np.float32([value])}, rows=False)
    assert f"[{text}]" in answer


def test_what_is_no_number():
    values = np.float32([np.nan, np.inf, -np.inf])
    answer = json_answers.dump({"y": values}, rows=False)
    assert "[NaN, Infinity, -Infinity]" in answer


def test_bytes_by_their_name():
    files = np.array([b"\xff\x00", b""], object)
    answer = json.loads(
        json_answers.dump({"x_bytes": files, "n": np.arange(2)}, rows=True)
    )
    assert [row["x_bytes"] for row in answer["predictions"]] == [
        {"b64": base64.b64encode(each).decode()} for each in files
    ]
    words = np.array([b"\xc3\xa4", b'"'], object)
    answer = json.loads(json_answers.dump({"x": words}, rows=False))
    assert answer["outputs"] == ["ä", '"']


def test_one_tensor_goes_without_its_name():
    values = np.arange(6).reshape(2, 3)
    rows = json.loads(json_answers.dump({"y": values}, rows=True))
    assert rows == {"predictions": [[0, 1, 2], [3, 4, 5]]}


@pytest.mark.parametrize(
    ("outputs", "text"),
    [
        ({}, "Cannot convert empty tensor map to JSON"),
        ({"y": np.float32(1)}, "y has no shape information"),
        (
            {"y": np.zeros(2), "z": np.zeros(3)},
            "z has inconsistent batch size: 3 expecting: 2",
        ),
    ],
)
def test_what_makes_no_rows(outputs, text):
    with pytest.raises(Failure, match=text):
        json_answers.dump(outputs, rows=True)
