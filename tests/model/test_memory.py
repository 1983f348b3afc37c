"""The memory: read, losses, gradients, update, and its options."""

import re

import keras
import numpy as np
import pytest
from keras import ops

from lgn_tf.model import prototypes
from lgn_tf.model.memory import PrototypeMemory
from lgn_tf.model.prototypes import MemoryReadout, UnitRows
from tests.helpers import by_hand

pytestmark = pytest.mark.latest

BATCH, HEIGHT, WIDTH, DIM, ITEMS = 2, 3, 4, 6, 5
POSITIONS = list(np.ndindex(BATCH, HEIGHT, WIDTH))


def draw_towards_first_axis(*shape, seed):
    """Unit vectors of a positive first component."""
    values = by_hand.draw(*shape, seed=seed)
    values[..., 0] = np.abs(values[..., 0]) + 0.3
    return by_hand.unit(values).astype(np.float32)


def draw_queries(seed=1):
    return draw_towards_first_axis(BATCH, HEIGHT, WIDTH, DIM, seed=seed)


def draw_items(seed=2):
    """Items, the last of which is no query's nearest: it points away."""
    items = draw_towards_first_axis(ITEMS, DIM, seed=seed)
    items[-1] = -np.eye(DIM)[0]
    return items


QUERIES, OLD_ITEMS = draw_queries(), draw_items()


def ranked(query, items):
    """Indices of the items, the most similar first."""
    return sorted(range(len(items)), key=lambda item: -(query @ items[item]))


def distance(query, item):
    """PyTorch's: the norm of (difference + 1e-6)."""
    return np.sqrt(sum((query - item + 1e-6) ** 2))


def read_by_hand(queries, items, temperature=1.0):
    queries, items = queries.astype(np.float64), items.astype(np.float64)
    shape = queries.shape[:-1]
    features = np.zeros(queries.shape)
    weights = np.zeros((*shape, len(items)))
    nearest = np.zeros(shape, int)
    squares = np.zeros(shape)
    hinges = np.zeros(shape)
    for place in np.ndindex(shape):
        query = queries[place]
        for item in range(len(items)):
            weights[place][item] = np.exp(query @ items[item] / temperature)
        weights[place] /= weights[place].sum()
        for item in range(len(items)):
            features[place] += weights[place][item] * items[item]
        first, second = ranked(query, items)[:2]
        nearest[place] = first
        squares[place] = ((query - items[first]) ** 2).sum() / query.size
        hinges[place] = max(
            0.0,
            distance(query, items[first]) - distance(query, items[second]) + 1,
        )
    return MemoryReadout(features, weights, nearest, squares, hinges)


def updated_by_hand(queries, items, momentum=None, max_over_assigned=False):
    """Eq. 4 to 6, item by item."""
    queries = queries.reshape(-1, queries.shape[-1]).astype(np.float64)
    items = items.astype(np.float64)
    result = items.copy()
    nearest = [ranked(query, items)[0] for query in queries]
    for item in range(len(items)):
        similarity = queries @ items[item]
        assigned = [k for k in range(len(queries)) if nearest[k] == item]
        if not assigned:
            continue
        rivals = assigned if max_over_assigned else range(len(queries))
        highest = max(similarity[k] for k in rivals)
        total = np.zeros(items.shape[1])
        for k in assigned:
            total += np.exp(similarity[k] - highest) * queries[k]
        if momentum is None:
            moved = items[item] + total
        else:
            centroid = by_hand.unit(total)
            moved = momentum * items[item] + (1 - momentum) * centroid
        result[item] = by_hand.unit(moved)
    return result


def assert_same(readout, expected, tolerance=1e-5):
    for name in MemoryReadout._fields:
        np.testing.assert_allclose(
            getattr(readout, name),
            getattr(expected, name),
            rtol=tolerance,
            atol=tolerance,
            err_msg=name,
        )


def layer_with(items=OLD_ITEMS, **kwargs):
    layer = PrototypeMemory(len(items), **kwargs)
    layer.build((None, HEIGHT, WIDTH, items.shape[-1]))
    layer.items.assign(items)
    return layer


# Reading.


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


# Losses.


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


# Gradients.

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


# The update.

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


# Usage and revival.


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


# The start, types and shapes.


def test_items_start_as_unit_rows_of_uniform_values():
    layer = PrototypeMemory(20)
    layer.build((None, 4, 4, 512))
    items = by_hand.array(layer.items)
    assert items.shape == (20, 512)
    assert items.min() >= 0
    np.testing.assert_allclose((items**2).sum(axis=-1), 1, rtol=1e-5)
    # E[u]^2 / E[u^2] = 3 / 4 for u of U[0, 1).
    cosine = (items @ items.T)[~np.eye(20, dtype=bool)]
    assert cosine.mean() == pytest.approx(0.75, abs=0.02)
    # The largest of 512 values lies at 1 before the division by sqrt(512 / 3).
    assert items.max() == pytest.approx((3 / 512) ** 0.5, rel=0.05)
    assert items.min() < 0.01 * items.max()


def test_seed_of_the_start():
    first, same, other = (
        by_hand.array(UnitRows(seed)((3, 4))) for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).max() > 0.01
    assert UnitRows(5).get_config() == {"seed": 5}


def test_items_are_no_trainable_weight():
    layer = layer_with(revive_after=2)
    assert layer.trainable_weights == []
    names = [weight.name for weight in layer.non_trainable_weights]
    assert names == ["items", "idle"]


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("everywhere", [True, False])
def test_float32_under_mixed_policies(policy, everywhere):
    queries = ops.cast(QUERIES, policy.removeprefix("mixed_"))
    rounded = np.asarray(ops.cast(queries, "float32"))
    before = keras.config.dtype_policy()
    try:
        if everywhere:
            keras.config.set_dtype_policy(policy)
            layer = layer_with()
        else:
            layer = layer_with(dtype=policy)
        readout = layer(queries, training=True)
    finally:
        keras.config.set_dtype_policy(before)
    dtypes = [keras.backend.standardize_dtype(part.dtype) for part in readout]
    assert dtypes == ["float32", "float32", "int32", "float32", "float32"]
    assert layer.items.dtype == "float32"
    assert_same(readout, read_by_hand(rounded, OLD_ITEMS))
    np.testing.assert_allclose(
        layer.items, updated_by_hand(rounded, OLD_ITEMS), rtol=1e-5, atol=1e-5
    )


def test_symbolic_outputs():
    layer = layer_with()
    readout = layer(QUERIES)
    symbolic = layer(keras.KerasTensor(QUERIES.shape))
    assert isinstance(symbolic, MemoryReadout)
    for known, computed in zip(symbolic, readout, strict=True):
        assert tuple(known.shape) == tuple(computed.shape)
        dtype = keras.backend.standardize_dtype(computed.dtype)
        assert known.dtype == dtype


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


# Errors.


@pytest.mark.parametrize(
    ("argument", "value", "rule"),
    [
        ("items", 1, "must be at least 2"),
        ("temperature", 0, "must be positive"),
        ("temperature", -0.5, "must be positive"),
        ("temperature", float("nan"), "must be positive"),
        ("temperature", float("inf"), "must be positive"),
        ("compactness_weight", float("nan"), "must be finite"),
        ("separateness_weight", -1, "must be finite"),
        ("momentum", 1.0, "must be None or lie in [0, 1)"),
        ("momentum", -0.1, "must be None or lie in [0, 1)"),
        ("revive_after", 0, "must be None or at least 1"),
    ],
)
def test_arguments_out_of_bounds(argument, value, rule):
    message = (
        re.escape(f"`{argument}` {rule}")
        + ".*"
        + re.escape(f"Received: {argument}={value}")
    )
    with pytest.raises(ValueError, match=message):
        PrototypeMemory(**{"items": ITEMS, argument: value})
