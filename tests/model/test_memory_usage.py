"""Usage: which items no query chooses, and their revival."""

import keras
import numpy as np
import pytest

from lgn_tf.model import prototypes
from lgn_tf.model.memory import PrototypeMemory
from tests.helpers import by_hand
from tests.model.memory_by_hand import (
    ITEMS,
    OLD_ITEMS,
    POSITIONS,
    QUERIES,
    layer_with,
    ranked,
    updated_by_hand,
)

pytestmark = pytest.mark.latest


def test_usage_counts_the_queries_of_each_item():
    nearest = np.array([[[4, 0, 0]], [[2, 4, 4]]], np.int32)
    counts = prototypes.usage(nearest, ITEMS)
    np.testing.assert_array_equal(counts, [2, 0, 1, 0, 3])
    assert keras.backend.standardize_dtype(counts.dtype) == "float32"


def test_usage_of_what_was_read():
    counts = np.zeros(ITEMS)
    for place in POSITIONS:
        counts[ranked(QUERIES[place], OLD_ITEMS)[0]] += 1
    readout = prototypes.read(QUERIES, OLD_ITEMS)
    np.testing.assert_array_equal(
        prototypes.usage(readout.nearest, ITEMS), counts
    )
    assert counts[-1] == 0


def test_used():
    assigned = np.eye(4, dtype=np.float32)[[2, 0, 2]]
    np.testing.assert_array_equal(
        prototypes.used(assigned), [True, False, True, False]
    )


def farthest_by_hand(queries, items):
    """All queries, that of the smallest largest similarity first."""
    queries = queries.reshape(-1, queries.shape[-1])
    return sorted(queries, key=lambda query: max(query @ items.T))


def test_revived():
    dead = np.array([False, True, False, True, True])
    result, replaced = prototypes.revived(QUERIES, OLD_ITEMS, dead)
    np.testing.assert_array_equal(replaced, dead)
    expected = OLD_ITEMS.copy()
    farthest = farthest_by_hand(QUERIES, OLD_ITEMS)
    for item, query in zip((1, 3, 4), farthest, strict=False):
        expected[item] = query
    np.testing.assert_array_equal(result, expected)


def test_none_dead_none_revived():
    result, replaced = prototypes.revived(
        QUERIES, OLD_ITEMS, np.zeros(ITEMS, bool)
    )
    assert not np.any(replaced)
    np.testing.assert_array_equal(result, OLD_ITEMS)


def test_more_dead_items_than_queries():
    queries = QUERIES[:1, :1, :2]
    dead = np.array([True, False, True, True, True])
    result, replaced = prototypes.revived(queries, OLD_ITEMS, dead)
    assert np.flatnonzero(replaced).tolist() == [0, 2]
    expected = OLD_ITEMS.copy()
    expected[[0, 2]] = farthest_by_hand(queries, OLD_ITEMS)
    np.testing.assert_array_equal(result, expected)


AXES = np.eye(4, dtype=np.float32)
NEAR_FIRST = np.stack([AXES[0], by_hand.unit(np.array([3, 0, 0, 1]))])
NEAR_SECOND = np.stack([AXES[1], by_hand.unit(np.array([0, 5, 0, 1]))])
NEAR_BOTH = np.concatenate([NEAR_FIRST, NEAR_SECOND]).astype(np.float32)
NEAR_THIRD = AXES[2:3]
"""Queries; the items are the first three axes. In `NEAR_BOTH` the second one
is the farthest from the items, by its part along the fourth axis."""


def update_all(layer, *batches):
    for queries in batches:
        layer.update(queries.astype(np.float32))


def test_an_idle_item_is_replaced_after_so_many_updates():
    layer = layer_with(AXES[:3], revive_after=3)
    update_all(layer, NEAR_BOTH, NEAR_BOTH)
    np.testing.assert_array_equal(layer.idle, [0, 0, 2])
    np.testing.assert_array_equal(layer.items[2], AXES[2])
    before = np.asarray(layer.items)
    update_all(layer, NEAR_BOTH)
    moved = updated_by_hand(NEAR_BOTH, before)
    farthest = farthest_by_hand(NEAR_BOTH, moved.astype(np.float32))[0]
    np.testing.assert_array_equal(farthest, NEAR_BOTH[1])
    np.testing.assert_array_equal(layer.items[2], farthest)
    np.testing.assert_allclose(layer.items[:2], moved[:2], atol=1e-6)
    np.testing.assert_array_equal(layer.idle, [0, 0, 0])


def test_an_item_that_is_chosen_in_between_starts_anew():
    layer = layer_with(AXES[:3], revive_after=2)
    update_all(layer, NEAR_BOTH, NEAR_THIRD)
    np.testing.assert_array_equal(layer.idle, [1, 1, 0])
    update_all(layer, NEAR_BOTH)
    np.testing.assert_array_equal(layer.idle, [0, 0, 1])
    np.testing.assert_array_equal(layer.items[2], AXES[2])


def test_training_counts_idle_updates_too():
    layer = layer_with(AXES[:3], revive_after=1)
    layer(NEAR_BOTH.reshape(1, 2, 2, 4), training=True)
    np.testing.assert_array_equal(layer.items[2], NEAR_BOTH[1])


def test_without_revival_an_idle_item_stays():
    layer = layer_with(AXES[:3])
    update_all(layer, *[NEAR_BOTH] * 5)
    np.testing.assert_array_equal(layer.items[2], AXES[2])
    assert not hasattr(layer, "idle")
    assert len(layer.weights) == 1


def test_the_surplus_stays_dead_with_an_unknown_number_of_queries():
    """Six queries for twenty items, in a batch whose size is not known."""
    tf = pytest.importorskip("tensorflow")
    layer = PrototypeMemory(20, revive_after=1)
    layer.build((None, 2, 3, 4))
    spec = tf.TensorSpec((None, 2, 3, 4))
    update = tf.function(layer.update, input_signature=[spec])
    before = np.array(layer.items)
    queries = np.random.default_rng(0).standard_normal((1, 2, 3, 4))
    queries /= np.linalg.norm(queries, axis=-1, keepdims=True)
    update(tf.constant(queries, tf.float32))
    same = np.all(np.array(layer.items) == before, axis=1)
    idle = np.array(layer.idle)
    # What was neither nearest to a query nor replaced waits on.
    assert same.any()
    np.testing.assert_array_equal(idle, same.astype(np.float32))
