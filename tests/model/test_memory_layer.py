"""The layer: its start, weights, types, shapes and arguments."""

import re

import keras
import numpy as np
import pytest
from keras import ops

from lgn_tf.model.memory import PrototypeMemory
from lgn_tf.model.prototypes import MemoryReadout, UnitRows
from tests.helpers import by_hand
from tests.model.memory_by_hand import (
    ITEMS,
    OLD_ITEMS,
    QUERIES,
    assert_same,
    layer_with,
    read_by_hand,
    updated_by_hand,
)

pytestmark = pytest.mark.latest


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
