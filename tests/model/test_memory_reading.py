"""Reading: which items a query finds, and how far away they are."""

import keras
import numpy as np
import pytest

from lgn_tf.model import prototypes
from tests.helpers import by_hand
from tests.model.memory_by_hand import (
    DIM,
    OLD_ITEMS,
    QUERIES,
    assert_same,
    draw_items,
    layer_with,
    read_by_hand,
)

pytestmark = pytest.mark.latest


@pytest.mark.parametrize("temperature", [1.0, 0.1, 3.0])
def test_read(temperature):
    readout = prototypes.read(QUERIES, OLD_ITEMS, temperature)
    assert_same(readout, read_by_hand(QUERIES, OLD_ITEMS, temperature))


def test_read_weights_default_to_no_temperature():
    readout = prototypes.read(QUERIES, OLD_ITEMS)
    assert_same(readout, read_by_hand(QUERIES, OLD_ITEMS))


def test_a_query_that_is_an_item():
    """At distance 0 the offset of 1e-6 is all there is."""
    items = np.eye(3, DIM, dtype=np.float32)
    readout = prototypes.read(items[1].reshape(1, 1, 1, DIM), items)
    assert np.asarray(readout.nearest).item() == 1
    assert np.asarray(readout.distance).item() == 0
    # Orthogonal items lie at sqrt(2): 0 - 1.41 + 1 < 0.
    assert np.asarray(readout.separateness).item() == 0
    weights = np.asarray(readout.weights).reshape(-1)
    total = np.e + 2
    np.testing.assert_allclose(
        weights, [1 / total, np.e / total, 1 / total], rtol=1e-6
    )


def test_separateness_of_the_same_item_twice_is_the_margin():
    items = np.eye(2, DIM, dtype=np.float32)[[0, 1, 1]]
    readout = prototypes.read(items[2].reshape(1, 1, 1, DIM), items)
    np.testing.assert_allclose(readout.separateness, [[[1.0]]], rtol=1e-6)
    np.testing.assert_allclose(readout.distance, [[[0.0]]])


def test_layer_reads_its_own_items_or_those_given():
    layer = layer_with(temperature=0.5)
    other = draw_items(seed=9)
    assert_same(layer.read(QUERIES), read_by_hand(QUERIES, OLD_ITEMS, 0.5))
    assert_same(
        layer.read(QUERIES, items=other), read_by_hand(QUERIES, other, 0.5)
    )
    np.testing.assert_array_equal(layer.items, OLD_ITEMS)


def test_normalize():
    vectors = by_hand.draw(2, 3, 4)
    result = np.asarray(prototypes.normalize(vectors))
    np.testing.assert_allclose(result, by_hand.unit(vectors), rtol=1e-5)
    half = prototypes.normalize(vectors.astype(np.float16))
    assert keras.backend.standardize_dtype(half.dtype) == "float32"


def test_normalize_leaves_a_zero_vector():
    result = prototypes.normalize(np.zeros((2, 3), np.float32))
    np.testing.assert_array_equal(result, np.zeros((2, 3)))
