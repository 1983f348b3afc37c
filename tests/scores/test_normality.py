"""From two series to the normality of each frame of a video."""

import re

import numpy as np
import pytest

from lgn_tf.scores.normality import min_max, normality

pytestmark = pytest.mark.latest

PSNR = [31.5, 40.0, 22.25, 35.0, 33.0]
DISTANCE = [0.004, 0.001, 0.009, 0.002, 0.0085]


def scaled_by_hand(values):
    return [
        (value - min(values)) / (max(values) - min(values)) for value in values
    ]


def test_min_max():
    result = min_max([2, -2, 0, 6], constant=0.5)
    np.testing.assert_allclose(result, [0.5, 0, 0.25, 1])
    assert result.dtype == np.float64


def test_min_max_keeps_the_digits_of_float32_series():
    values = np.array([1000.0, 1000.25, 1001.0], np.float32)
    np.testing.assert_array_equal(min_max(values, constant=0), [0, 0.25, 1])


@pytest.mark.parametrize("constant", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("values", [[4, 4, 4], [-1.5], [0.0, 0.0]])
def test_min_max_of_a_constant_series(values, constant):
    result = min_max(values, constant)
    np.testing.assert_array_equal(result, [constant] * len(values))
    assert result.dtype == np.float64


@pytest.mark.parametrize("weight", [0.0, 0.6, 1.0])
def test_normality(weight):
    quality, strangeness = scaled_by_hand(PSNR), scaled_by_hand(DISTANCE)
    expected = [
        weight * good + (1 - weight) * (1 - strange)
        for good, strange in zip(quality, strangeness, strict=True)
    ]
    result = normality(PSNR, DISTANCE, weight)
    np.testing.assert_allclose(result, expected)
    assert result.dtype == np.float64


def test_high_means_normal():
    """The second frame is the best in both measures, the third the worst."""
    result = normality(PSNR, DISTANCE, 0.6)
    assert result[1] == result.max() == 1
    assert result[2] == result.min() == 0


def test_without_a_distance_the_psnr_is_all():
    result = normality(PSNR, None, 1)
    np.testing.assert_allclose(result, scaled_by_hand(PSNR))


def test_constant_psnr_counts_as_full_normality():
    result = normality([30.0] * 5, DISTANCE, 0.6)
    expected = [
        0.6 + 0.4 * (1 - strange) for strange in scaled_by_hand(DISTANCE)
    ]
    np.testing.assert_allclose(result, expected)
    np.testing.assert_array_equal(normality([30.0, 30.0], None, 1), [1, 1])


def test_constant_distance_counts_as_full_normality():
    result = normality(PSNR, [0.002] * 5, 0.6)
    expected = [0.6 * good + 0.4 for good in scaled_by_hand(PSNR)]
    np.testing.assert_allclose(result, expected)


def test_constant_in_both_is_fully_normal():
    np.testing.assert_allclose(normality([30, 30], [0.1, 0.1], 0.6), [1, 1])


def test_a_single_frame_is_fully_normal():
    np.testing.assert_allclose(normality([30], [0.1], 0.6), [1])


@pytest.mark.parametrize(
    ("values", "received"),
    [
        ([], "shape (0,), 0 not finite"),
        (3.0, "shape (), 0 not finite"),
        ([[1.0, 2.0]], "shape (1, 2), 0 not finite"),
        ([1.0, float("nan"), float("inf")], "shape (3,), 2 not finite"),
    ],
)
def test_a_series_that_is_none(values, received):
    message = "`values` must be a series of finite numbers.*" + re.escape(
        f"Received: {received}"
    )
    with pytest.raises(ValueError, match=message):
        min_max(values, constant=1.0)
    with pytest.raises(ValueError, match=message):
        normality(values, DISTANCE, 0.6)
    with pytest.raises(ValueError, match=message):
        normality(PSNR, values, 0.6)


@pytest.mark.parametrize("weight", [-0.1, 1.5, float("nan")])
def test_weight_out_of_bounds(weight):
    message = "`weight` must lie between 0 and 1.*" + re.escape(
        f"Received: weight={weight}"
    )
    with pytest.raises(ValueError, match=message):
        normality(PSNR, DISTANCE, weight)


def test_weight_without_a_distance():
    message = "`weight` must be 1 where there is no `distance`.*" + re.escape(
        "Received: weight=0.6"
    )
    with pytest.raises(ValueError, match=message):
        normality(PSNR, None, 0.6)


def test_series_of_unequal_length():
    message = (
        "`psnr` and `distance` must be of the same length.*Received: 5 and 3"
    )
    with pytest.raises(ValueError, match=message):
        normality(PSNR, DISTANCE[:3], 0.6)
