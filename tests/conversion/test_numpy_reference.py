"""The NumPy reference against loops over pixels, at a tiny width."""

import numpy as np
import pytest

from lgn_tf.conversion import numpy_reference
from tests.conversion.network_by_hand import (
    BATCH,
    CHANNELS,
    CLIPS,
    DIM,
    HEIGHT,
    ITEMS,
    OLD_ITEMS,
    UNITS,
    WEIGHTS,
    WIDTH,
    cell_kernels,
    channels_first,
    channels_last,
    latent_by_hand,
    prediction_by_hand,
    states_by_hand,
)
from tests.helpers import by_hand

pytestmark = pytest.mark.latest

"""Channels of F_loc; those of F'_glo are 4."""

"""The orders of the authors' fused kernels."""


@pytest.fixture
def computed():
    return numpy_reference.Reference(WEIGHTS, OLD_ITEMS)


def assert_near(values, expected):
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("bias", [None, by_hand.draw(4, seed=8)])
def test_convolve(bias, size, stride):
    inputs = by_hand.draw(2, 3, 5, 8)
    weights = by_hand.draw(4, 3, size, size, seed=2)
    outputs = numpy_reference.convolve(inputs, weights, bias, stride)
    expected = by_hand.convolve(
        channels_last(inputs), weights.transpose(2, 3, 1, 0), stride
    )
    if bias is not None:
        expected += bias
    assert_near(outputs, channels_first(expected))


def test_convolve_transposed():
    inputs = by_hand.draw(2, 3, 2, 4)
    weights = by_hand.draw(3, 5, 3, 3, seed=2)
    bias = by_hand.draw(5, seed=8)
    outputs = numpy_reference.convolve_transposed(inputs, weights, bias)
    expected = by_hand.convolve_transposed(
        channels_last(inputs), weights.transpose(2, 3, 1, 0)
    )
    assert_near(outputs, channels_first(expected + bias))


def test_convolve_transposed_drops_the_first_row_and_column():
    weights = np.arange(1, 10, dtype=np.float32).reshape(1, 1, 3, 3)
    inputs = np.array([1, 100], np.float32).reshape(1, 1, 1, 2)
    outputs = numpy_reference.convolve_transposed(
        inputs, weights, np.zeros(1, "f")
    )
    expected = [[5, 406, 500, 600], [8, 709, 800, 900]]
    np.testing.assert_array_equal(outputs[0, 0], expected)


def test_sigmoid():
    x = np.array([-3.0, 0.0, 0.5, 20.0], np.float32)
    result = numpy_reference.sigmoid(x)
    np.testing.assert_allclose(
        result, [0.04742587, 0.5, 0.62245933, 1.0], rtol=1e-6
    )
    assert result.dtype == np.float32


def test_normalize():
    vectors = by_hand.draw(2, 3, 4)
    result = numpy_reference.normalize(vectors)
    np.testing.assert_allclose(result, by_hand.unit(vectors), rtol=1e-6)
    assert result.dtype == np.float32


def test_latent(computed):
    expected = latent_by_hand()
    assert (expected < 0).any()
    assert_near(computed.latent(CLIPS), channels_first(expected))


def test_cell(computed):
    shape = (BATCH, 3, 4, UNITS)
    x, h, c, m = (by_hand.draw(*shape, seed=seed) for seed in (1, 2, 3, 4))
    expected = by_hand.st_lstm(x, h, c, m, cell_kernels(2))
    result = computed.cell(2, *(channels_first(part) for part in (x, h, c, m)))
    for part, values in zip(result, expected, strict=True):
        assert_near(part, channels_first(values))


def test_states(computed):
    for part, values in zip(
        computed.states(CLIPS), states_by_hand(), strict=True
    ):
        assert_near(part, channels_first(values))


def test_queries(computed):
    assert_near(computed.queries(CLIPS), by_hand.unit(latent_by_hand()))


def test_read_weights(computed):
    queries = by_hand.unit(by_hand.draw(2, 3, 4, DIM))
    weights = computed.read_weights(queries.astype(np.float32))
    expected = np.zeros((2, 3, 4, ITEMS))
    for place in np.ndindex(2, 3, 4):
        powers = [np.exp(queries[place] @ item) for item in OLD_ITEMS]
        expected[place] = np.array(powers) / sum(powers)
    assert_near(weights, expected)


def test_predict(computed):
    prediction = computed.predict(CLIPS)
    assert prediction.shape == (BATCH, CHANNELS, HEIGHT, WIDTH)
    assert_near(prediction, channels_first(prediction_by_hand()))


def test_updated_items():
    queries = by_hand.draw(2, 3, 4, DIM)
    queries[..., 0] = np.abs(queries[..., 0]) + 0.3
    queries = by_hand.unit(queries).astype(np.float32)
    items = OLD_ITEMS.copy()
    items[:, 0] = np.abs(items[:, 0])
    # No query is near to the opposite of the first axis.
    items[2] = -np.eye(DIM)[0]
    items = by_hand.unit(items).astype(np.float32)

    flat = queries.reshape(-1, DIM).astype(np.float64)
    similarity = flat @ items.T
    expected = items.astype(np.float64)
    for item in range(ITEMS):
        highest = max(similarity[k, item] for k in range(len(flat)))
        chosen = [
            k
            for k in range(len(flat))
            if max(similarity[k]) == similarity[k, item]
        ]
        for k in chosen:
            weight = np.exp(similarity[k, item] - highest)
            expected[item] += weight * flat[k]
        if chosen:
            expected[item] = by_hand.unit(expected[item])
    computed = numpy_reference.Reference(WEIGHTS, items)
    result = computed.updated_items(queries)
    assert_near(result, expected)
    np.testing.assert_array_equal(result[2], items[2])
    moved = np.abs(result - items).max(axis=-1) > 1e-3
    np.testing.assert_array_equal(moved, [True, True, False, True])
    # Nothing is written: the old items are still those compared with above.
    assert computed.items is items
