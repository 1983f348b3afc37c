"""The update: where queries move the items, and when."""

import numpy as np
import pytest

from lgn_tf.model import prototypes
from tests.helpers import by_hand
from tests.model.memory_by_hand import (
    DIM,
    ITEMS,
    OLD_ITEMS,
    QUERIES,
    assert_same,
    draw_queries,
    layer_with,
    read_by_hand,
    updated_by_hand,
)

pytestmark = pytest.mark.latest

OPTIONS = [
    pytest.param({}, id="default"),
    pytest.param({"max_over_assigned": True}, id="max-over-assigned"),
    pytest.param({"momentum": 0.8}, id="momentum"),
    pytest.param({"momentum": 0.0}, id="centroid"),
    pytest.param({"momentum": 0.8, "max_over_assigned": True}, id="both"),
]


@pytest.mark.parametrize("options", OPTIONS)
def test_updated(options):
    items = prototypes.updated(QUERIES, OLD_ITEMS, **options)
    expected = updated_by_hand(QUERIES, OLD_ITEMS, **options)
    np.testing.assert_allclose(items, expected, rtol=1e-5, atol=1e-5)
    moved = np.abs(expected - OLD_ITEMS).max(axis=-1) > 1e-3
    np.testing.assert_array_equal(moved, [True] * (ITEMS - 1) + [False])


def test_the_maximum_of_the_update_runs_over_all_queries():
    """The query most like the first item belongs to the second.

    Along the three axes: s of the first query is 0.6 and 0.8 with the items,
    s of the second is 0.28 and 0. Over all queries the second thus weighs
    exp(0.28 - 0.6), over U_1 alone it weighs 1.
    """
    items = np.eye(2, 3, dtype=np.float32)
    queries = np.array([[0.6, 0.8, 0], [0.28, 0, 0.96]], np.float32)
    weight = np.exp(0.28 - 0.6)
    first = by_hand.unit(np.array([1 + weight * 0.28, 0, weight * 0.96]))
    second = by_hand.unit(np.array([0.6, 1.8, 0]))
    np.testing.assert_allclose(
        prototypes.updated(queries, items), [first, second], atol=1e-6
    )
    alone = by_hand.unit(np.array([1.28, 0, 0.96]))
    np.testing.assert_allclose(
        prototypes.updated(queries, items, max_over_assigned=True),
        [alone, second],
        atol=1e-6,
    )


@pytest.mark.parametrize("options", OPTIONS)
def test_an_item_nobody_chose_stays_to_the_last_bit(options):
    # Not of unit length, so that any normalisation would show.
    items = OLD_ITEMS * 1.01
    result = np.asarray(prototypes.updated(QUERIES, items, **options))
    np.testing.assert_array_equal(result[-1], items[-1])


@pytest.mark.parametrize("options", OPTIONS)
def test_layer_updates_with_its_options(options):
    layer = layer_with(**options)
    expected = updated_by_hand(QUERIES, OLD_ITEMS, **options)
    np.testing.assert_allclose(
        layer.updated(QUERIES, OLD_ITEMS), expected, rtol=1e-5, atol=1e-5
    )
    np.testing.assert_array_equal(layer.items, OLD_ITEMS)
    layer.update(QUERIES)
    np.testing.assert_allclose(layer.items, expected, rtol=1e-5, atol=1e-5)


def test_update_takes_queries_of_any_rank():
    layer = layer_with()
    layer.update(QUERIES.reshape(-1, DIM))
    np.testing.assert_allclose(
        layer.items, updated_by_hand(QUERIES, OLD_ITEMS), rtol=1e-5, atol=1e-5
    )


def test_training_reads_the_old_items_and_then_writes():
    layer = layer_with()
    first = updated_by_hand(QUERIES, OLD_ITEMS)
    assert_same(layer(QUERIES, training=True), read_by_hand(QUERIES, OLD_ITEMS))
    np.testing.assert_allclose(layer.items, first, rtol=1e-5, atol=1e-5)
    other = draw_queries(seed=8)
    readout = layer(other, training=True)
    assert_same(readout, read_by_hand(other, first), tolerance=1e-4)
    np.testing.assert_allclose(
        layer.items, updated_by_hand(other, first), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("arguments", [{}, {"training": False}])
def test_inference_never_writes(arguments):
    layer = layer_with(revive_after=1)
    for _ in range(2):
        layer(QUERIES, **arguments)
    np.testing.assert_array_equal(layer.items, OLD_ITEMS)
    np.testing.assert_array_equal(layer.idle, np.zeros(ITEMS))
