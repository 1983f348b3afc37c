"""The losses of the memory, and where their gradients go."""

import keras
import numpy as np
import pytest
from keras import ops

from lgn_tf.model import prototypes
from lgn_tf.model.memory import PrototypeMemory
from tests.model.memory_by_hand import (
    ITEMS,
    OLD_ITEMS,
    QUERIES,
    assert_same,
    layer_with,
    read_by_hand,
)

pytestmark = pytest.mark.latest


def test_call_adds_both_losses():
    layer = layer_with(compactness_weight=3.0, separateness_weight=0.7)
    assert_same(layer(QUERIES), read_by_hand(QUERIES, OLD_ITEMS))
    expected = read_by_hand(QUERIES, OLD_ITEMS)
    np.testing.assert_allclose(
        layer.losses,
        [3.0 * expected.distance.mean(), 0.7 * expected.separateness.mean()],
        rtol=1e-5,
    )


def test_weights_of_the_losses_are_those_of_ped2():
    layer = PrototypeMemory(ITEMS)
    assert layer.compactness_weight == 10
    assert layer.separateness_weight == 5


tape = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="TensorFlow's tape takes the gradients",
)


def numeric_gradient(function, queries, step=1e-6):
    """Central differences of a scalar function, in float64."""
    queries = queries.astype(np.float64)
    gradient = np.zeros(queries.shape)
    for place in np.ndindex(queries.shape):
        above, below = queries.copy(), queries.copy()
        above[place] += step
        below[place] -= step
        gradient[place] = (function(above) - function(below)) / (2 * step)
    return gradient


def tape_gradients(function):
    """Gradients of `function(queries, items)` with respect to both."""
    import tensorflow as tf

    queries, items = tf.constant(QUERIES), tf.constant(OLD_ITEMS)
    with tf.GradientTape() as recorded:
        recorded.watch([queries, items])
        value = function(queries, items)
    return recorded.gradient(value, [queries, items])


@tape
@pytest.mark.parametrize("part", ["features", "weights"])
def test_no_gradient_passes_through_what_is_read(part):
    gradients = tape_gradients(
        # Squares, since the weights themselves sum to 1 whatever they are.
        lambda queries, items: ops.sum(
            ops.square(getattr(prototypes.read(queries, items), part))
        )
    )
    assert gradients == [None, None]


@tape
@pytest.mark.parametrize("part", ["distance", "separateness"])
def test_gradient_of_the_losses_reaches_the_queries_alone(part):
    of_queries, of_items = tape_gradients(
        lambda queries, items: ops.mean(
            getattr(prototypes.read(queries, items), part)
        )
    )
    assert of_items is None
    expected = numeric_gradient(
        lambda queries: getattr(read_by_hand(queries, OLD_ITEMS), part).mean(),
        QUERIES,
    )
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(of_queries, expected, rtol=1e-4, atol=1e-6)


@tape
def test_gradient_of_the_total_is_that_of_the_old_items():
    """In training the items are written, yet after the losses."""
    import tensorflow as tf

    layer = layer_with(compactness_weight=3.0, separateness_weight=0.7)
    queries = tf.constant(QUERIES)
    with tf.GradientTape() as recorded:
        recorded.watch(queries)
        readout = layer(queries, training=True)
        total = ops.sum(readout.features) + sum(layer.losses)
    gradient = recorded.gradient(total, queries)

    def total_by_hand(queries):
        readout = read_by_hand(queries, OLD_ITEMS)
        return 3.0 * readout.distance.mean() + 0.7 * readout.separateness.mean()

    np.testing.assert_allclose(
        gradient,
        numeric_gradient(total_by_hand, QUERIES),
        rtol=1e-4,
        atol=1e-6,
    )


@tape
def test_gradient_is_finite_where_a_query_is_an_item():
    import tensorflow as tf

    items = tf.constant(np.eye(2, 3, dtype=np.float32)[[0, 1, 1]])
    queries = tf.reshape(items[1], (1, 1, 1, 3))
    with tf.GradientTape() as recorded:
        recorded.watch(queries)
        readout = prototypes.read(queries, items)
        total = ops.sum(readout.separateness) + ops.sum(readout.distance)
    assert np.isfinite(recorded.gradient(total, queries)).all()


@tape
def test_updated_passes_no_gradient():
    of_queries, _ = tape_gradients(
        lambda queries, items: ops.sum(prototypes.updated(queries, items) ** 2)
    )
    assert of_queries is None
