"""Scores of a frame, pixel by pixel."""

import keras
import numpy as np
import pytest

from lgn_tf.scores import frame_scores
from tests.helpers import by_hand

pytestmark = pytest.mark.latest
BATCH, HEIGHT, WIDTH, CHANNELS = 3, 4, 5, 2
SHAPE = (BATCH, HEIGHT, WIDTH, CHANNELS)
TARGET = np.tanh(by_hand.draw(*SHAPE, seed=1))
PREDICTION = np.tanh(by_hand.draw(*SHAPE, seed=2))
FRAME_SCORES = [
    frame_scores.mean_squared_error,
    frame_scores.psnr,
    frame_scores.regular_score,
]


def squared_errors(target, prediction):
    """On [0, 1], where publications take them."""
    errors = np.zeros(target.shape)
    for place in np.ndindex(target.shape):
        first = (float(target[place]) + 1) / 2
        second = (float(prediction[place]) + 1) / 2
        errors[place] = (first - second) ** 2
    return errors


def mean_errors(target, prediction):
    errors = squared_errors(target, prediction)
    return np.array([frame.sum() / frame.size for frame in errors])


def test_error_map():
    np.testing.assert_allclose(
        frame_scores.error_map(TARGET, PREDICTION),
        squared_errors(TARGET, PREDICTION),
        rtol=1e-5,
        atol=1e-7,
    )


def test_largest_error_is_one():
    ones = np.ones((1, 2, 3, 1), np.float32)
    np.testing.assert_array_equal(frame_scores.error_map(ones, -ones), ones)


def test_mean_squared_error():
    np.testing.assert_allclose(
        frame_scores.mean_squared_error(TARGET, PREDICTION),
        mean_errors(TARGET, PREDICTION),
        rtol=1e-5,
    )


def test_psnr():
    np.testing.assert_allclose(
        frame_scores.psnr(TARGET, PREDICTION),
        10 * np.log10(1 / mean_errors(TARGET, PREDICTION)),
        rtol=1e-5,
    )


def test_psnr_has_a_peak_of_one_however_dark_the_frame():
    """A tenth of grey off everywhere is an MSE of 1 / 100: 20 dB."""
    target = np.full((2, 3, 4, 1), -1, np.float32)
    target[1] = 0.4
    np.testing.assert_allclose(
        frame_scores.psnr(target, target + 0.2), [20, 20], rtol=1e-5
    )


def test_psnr_of_a_perfect_prediction_is_100():
    np.testing.assert_allclose(
        frame_scores.psnr(TARGET, TARGET), [100] * BATCH, rtol=1e-6
    )
    # No more than a perfect one for an error below the floor.
    np.testing.assert_allclose(
        frame_scores.psnr(TARGET, TARGET + 1e-7), [100] * BATCH, rtol=1e-6
    )


def regular_scores(target, prediction):
    """Eq. 7 and 8: sum of w e, with w = (1 - exp(-e)) divided by its sum."""
    scores = []
    for errors in squared_errors(target, prediction):
        weight = 1 - np.exp(-errors)
        scores.append((weight / weight.sum() * errors).sum())
    return np.array(scores)


def test_regular_score():
    np.testing.assert_allclose(
        frame_scores.regular_score(TARGET, PREDICTION),
        regular_scores(TARGET, PREDICTION),
        rtol=1e-5,
    )


def test_regular_score_of_equal_errors_is_the_error():
    target = np.zeros((2, 3, 4, 1), np.float32)
    prediction = target + np.array([0.2, 1.0], np.float32)[:, None, None, None]
    np.testing.assert_allclose(
        frame_scores.regular_score(target, prediction), [0.01, 0.25], rtol=1e-5
    )


def test_regular_score_of_a_perfect_prediction_is_0():
    """Even where another frame of the batch is none."""
    prediction = TARGET.copy()
    prediction[1] = PREDICTION[1]
    scores = np.asarray(frame_scores.regular_score(TARGET, prediction))
    np.testing.assert_array_equal(scores[[0, 2]], [0, 0])
    np.testing.assert_allclose(
        scores[1], regular_scores(TARGET, PREDICTION)[1], rtol=1e-5
    )


def test_regular_score_keeps_its_digits_for_small_errors():
    """1 - exp(-1e-9) is 0 in float32, and 1e-9 by expm1."""
    target = np.zeros((1, 2, 2, 1), np.float32)
    prediction = target.copy()
    prediction[0, 0] = 2 * 1e-9**0.5
    np.testing.assert_allclose(
        frame_scores.regular_score(target, prediction), [1e-9], rtol=1e-4
    )


def test_feature_distance():
    distance = by_hand.draw(BATCH, HEIGHT, WIDTH)
    expected = []
    for frame in distance:
        total = sum(float(value) for row in frame for value in row)
        expected.append(total / (HEIGHT * WIDTH))
    result = frame_scores.feature_distance(distance)
    assert result.shape == (BATCH,)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_results_are_float32(dtype):
    target = keras.ops.cast(TARGET, dtype)
    prediction = keras.ops.cast(PREDICTION, dtype)
    # What is left of them after the rounding is computed in full precision.
    rounded = [by_hand.array(part) for part in (target, prediction)]
    result = frame_scores.error_map(target, prediction)
    assert keras.backend.standardize_dtype(result.dtype) == "float32"
    np.testing.assert_allclose(
        result, squared_errors(*rounded), rtol=1e-5, atol=1e-7
    )
    for score in FRAME_SCORES:
        result = score(target, prediction)
        assert result.shape == (BATCH,)
        assert keras.backend.standardize_dtype(result.dtype) == "float32"
    result = frame_scores.feature_distance(target[..., 0])
    assert keras.backend.standardize_dtype(result.dtype) == "float32"
