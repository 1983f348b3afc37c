"""The three losses, value by value."""

import numpy as np
import pytest

from lgn_tf.model import losses
from tests.helpers import by_hand

pytestmark = pytest.mark.latest

TARGET = by_hand.draw(3, 2, 4, 5, seed=1)
PREDICTION = by_hand.draw(3, 2, 4, 5, seed=2)

QUERIES, NEAREST, SECOND = (
    by_hand.draw(2, 3, 4, 6, seed=seed) for seed in (3, 4, 5)
)


def test_intensity():
    total = 0.0
    for place in np.ndindex(TARGET.shape):
        total += (float(TARGET[place]) - float(PREDICTION[place])) ** 2
    expected = total / (3 * 2 * 4 * 5)
    result = losses.intensity(TARGET, PREDICTION)
    assert result.shape == ()
    np.testing.assert_allclose(result, expected, rtol=1e-5)
    np.testing.assert_allclose(
        losses.Intensity()(TARGET, PREDICTION), expected, rtol=1e-5
    )


def test_intensity_of_each_clip():
    expected = []
    for clip in range(3):
        difference = TARGET[clip].astype(np.float64) - PREDICTION[clip]
        expected.append((difference**2).sum() / (2 * 4 * 5))
    loss = losses.Intensity()
    np.testing.assert_allclose(
        loss.call(TARGET, PREDICTION), expected, rtol=1e-5
    )
    # Keras weighs clips before it takes their mean.
    np.testing.assert_allclose(
        loss(TARGET, PREDICTION, sample_weight=np.array([0.0, 3.0, 0.0])),
        expected[1],
        rtol=1e-5,
    )


def test_intensity_has_a_name_for_the_logs():
    assert losses.Intensity().name == "intensity"
    assert losses.Intensity(name="other").name == "other"


def test_compactness():
    result = losses.compactness(QUERIES, NEAREST)
    expected = np.zeros((2, 3, 4))
    for place in np.ndindex(expected.shape):
        for channel in range(6):
            expected[place] += (
                float(QUERIES[place][channel]) - NEAREST[place][channel]
            ) ** 2 / 6
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, rtol=1e-5)


def distance(query, item):
    """The norm of (query - item + 1e-6), as PyTorch takes it."""
    return np.sqrt(sum((query.astype(np.float64) - item + 1e-6) ** 2))


@pytest.mark.parametrize("margin", [losses.SEPARATENESS_MARGIN, 0.2])
def test_separateness(margin):
    result = losses.separateness(QUERIES, NEAREST, SECOND, margin)
    expected = np.zeros((2, 3, 4))
    for place in np.ndindex(expected.shape):
        gap = distance(QUERIES[place], NEAREST[place])
        gap -= distance(QUERIES[place], SECOND[place])
        expected[place] = max(0.0, gap + margin)
    assert result.shape == expected.shape
    assert (expected == 0).any() and (expected > 0).any()
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-6)


def test_separateness_has_a_margin_of_one():
    same = np.ones((1, 4), np.float32)
    np.testing.assert_allclose(losses.separateness(same, same, same), [1.0])


def test_distances_are_offset_by_a_millionth():
    """Where a query equals its item, sqrt(4 x 1e-12) is left of the norm."""
    query = np.zeros((1, 4), np.float32)
    second = np.full((1, 4), 1e-6, np.float32)
    # Offset, the second lies at 0 and the nearest at 2e-6.
    result = losses.separateness(query, query, second, margin=0.0)
    np.testing.assert_allclose(result, [2e-6], rtol=1e-4)
    # The offset is added to (query - item), whose sign then matters.
    result = losses.separateness(query, -second, query, margin=0.0)
    np.testing.assert_allclose(result, [2e-6], rtol=1e-4)
