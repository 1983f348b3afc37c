"""One step of ST-LSTM and ConvLSTM, gate by gate."""

import itertools
import re

import keras
import numpy as np
import pytest

from lgn_tf.model.recurrent_cells import (
    H_GATES,
    M_GATES,
    X_GATES,
    ConvLSTMCell,
    ConvLSTMState,
    STLSTMCell,
    STLSTMState,
)
from tests.helpers import by_hand

pytestmark = pytest.mark.latest

BATCH, HEIGHT, WIDTH, CHANNELS, UNITS = 2, 4, 5, 2, 3
INPUTS = by_hand.draw(BATCH, HEIGHT, WIDTH, CHANNELS)
ZERO = np.zeros((BATCH, HEIGHT, WIDTH, UNITS), np.float32)
HIDDEN, CELL, MEMORY = (
    by_hand.draw(*ZERO.shape, seed=seed) for seed in (2, 3, 4)
)

ST_STATES = [
    STLSTMState(hidden, cell, memory)
    for (hidden, cell), memory in itertools.product(
        [(None, None), (HIDDEN, CELL)], [None, MEMORY]
    )
]
ST_IDS = ["all-zero", "memory", "hidden-cell", "hidden-cell-memory"]
CONV_STATES = [ConvLSTMState(), ConvLSTMState(HIDDEN, CELL)]
CONV_IDS = ["all-zero", "hidden-cell"]


def built(cell):
    cell.build(INPUTS.shape)
    by_hand.draw_weights(cell)
    return cell


def expected_step(cell, inputs, state, forget_bias=1.0):
    """The next state by hand; None counts as zeros, written out."""
    parts = [ZERO if part is None else part for part in state]
    kernels = by_hand.gate_kernels(cell)
    step = by_hand.st_lstm if len(parts) == 3 else by_hand.conv_lstm
    return step(inputs, *parts, kernels, forget_bias)


def assert_same(state, expected):
    assert len(state) == len(expected)
    for part, values in zip(state, expected, strict=True):
        np.testing.assert_allclose(part, values, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("state", ST_STATES, ids=ST_IDS)
def test_st_lstm_step(state):
    cell = built(STLSTMCell(UNITS))
    result = cell(INPUTS, state)
    assert isinstance(result, STLSTMState)
    assert_same(result, expected_step(cell, INPUTS, state))


@pytest.mark.parametrize("state", CONV_STATES, ids=CONV_IDS)
def test_conv_lstm_step(state):
    cell = built(ConvLSTMCell(UNITS))
    result = cell(INPUTS, state)
    assert isinstance(result, ConvLSTMState)
    assert_same(result, expected_step(cell, INPUTS, state))


def test_st_lstm_takes_none_for_zeros():
    cell = built(STLSTMCell(UNITS))
    assert_same(
        cell(INPUTS, cell.initial_state),
        cell(INPUTS, STLSTMState(ZERO, ZERO, ZERO)),
    )


def test_conv_lstm_takes_none_for_zeros():
    cell = built(ConvLSTMCell(UNITS))
    assert_same(
        cell(INPUTS, cell.initial_state),
        cell(INPUTS, ConvLSTMState(ZERO, ZERO)),
    )


@pytest.mark.parametrize("cell_class", [STLSTMCell, ConvLSTMCell])
def test_kernel_size_and_forget_bias(cell_class):
    cell = built(cell_class(UNITS, kernel_size=5, forget_bias=-0.7))
    assert cell.x_kernel.shape[:2] == (5, 5)
    fields = len(cell.initial_state)
    state = cell.initial_state._make([HIDDEN, CELL, MEMORY][:fields])
    result = cell(INPUTS, state)
    assert_same(result, expected_step(cell, INPUTS, state, forget_bias=-0.7))


@pytest.mark.parametrize(
    ("cell_class", "state"),
    [(STLSTMCell, state) for state in ST_STATES]
    + [(ConvLSTMCell, state) for state in CONV_STATES],
    ids=ST_IDS + CONV_IDS,
)
def test_projected_inputs_give_the_same_step(cell_class, state):
    cell = built(cell_class(UNITS))
    projection = cell.project(INPUTS)
    kernels = by_hand.gate_kernels(cell)
    gates = [kernels[name] for name in kernels if name[0] == "x"]
    np.testing.assert_allclose(
        projection,
        by_hand.convolve(INPUTS, np.concatenate(gates, axis=-1)),
        rtol=1e-5,
        atol=1e-5,
    )
    result = cell(projection, state, projected=True)
    assert_same(result, expected_step(cell, INPUTS, state))


@pytest.mark.parametrize(
    ("cell_class", "state"),
    [(STLSTMCell, ST_STATES[-1]), (ConvLSTMCell, CONV_STATES[-1])],
)
def test_kernels_given_are_those_used(cell_class, state):
    cell = built(cell_class(UNITS))
    kernels = cell.joint_kernels()
    before = expected_step(cell, INPUTS, state)
    cell.h_kernel.assign(0 * cell.h_kernel)
    assert_same(cell(INPUTS, state, kernels=kernels), before)
    with pytest.raises(AssertionError):
        assert_same(cell(INPUTS, state), before)


def test_order_of_the_gates_is_that_of_saved_weights():
    """`by_hand.gate_kernels` spells it out for the steps above."""
    assert X_GATES == ("f", "i", "g", "o", "i'", "g'", "f'")
    assert H_GATES == ("f", "i", "g", "o")
    assert M_GATES == ("i'", "g'", "f'")


def test_st_lstm_weights_are_kernels_alone():
    cell = built(STLSTMCell(UNITS))
    assert {weight.name: weight.shape for weight in cell.weights} == {
        "x_kernel": (3, 3, CHANNELS, 7 * UNITS),
        "h_kernel": (3, 3, UNITS, 4 * UNITS),
        "m_kernel": (3, 3, UNITS, 3 * UNITS),
        "o_kernel": (3, 3, 2 * UNITS, UNITS),
        "last_kernel": (1, 1, 2 * UNITS, UNITS),
    }
    assert len(cell.trainable_weights) == 5


def test_conv_lstm_weights_are_kernels_alone():
    cell = built(ConvLSTMCell(UNITS))
    assert {weight.name: weight.shape for weight in cell.weights} == {
        "x_kernel": (3, 3, CHANNELS, 4 * UNITS),
        "h_kernel": (3, 3, UNITS, 4 * UNITS),
    }
    assert len(cell.trainable_weights) == 2


@pytest.mark.parametrize("cell_class", [STLSTMCell, ConvLSTMCell])
def test_kernels_start_uniform_within_one_over_root_fan_in(cell_class):
    cell = cell_class(12)
    cell.build((None, 4, 4, 7))
    for weight in cell.weights:
        values = by_hand.array(weight)
        bound = 1 / np.sqrt(np.prod(values.shape[:3]))
        assert np.abs(values).max() <= bound, weight.name
        # The smallest kernel has 288 values, uniform up to the bounds.
        assert values.max() > 0.95 * bound, weight.name
        assert values.min() < -0.95 * bound, weight.name
        assert np.abs(values).mean() == pytest.approx(bound / 2, rel=0.15)


@pytest.mark.parametrize("cell_class", [STLSTMCell, ConvLSTMCell])
def test_output_shapes(cell_class):
    cell = built(cell_class(UNITS))
    result = cell(INPUTS, cell.initial_state)
    symbolic = cell(keras.KerasTensor(INPUTS.shape), cell.initial_state)
    assert type(symbolic) is type(result)
    for known, computed in zip(symbolic, result, strict=True):
        assert tuple(known.shape) == tuple(computed.shape) == ZERO.shape


@pytest.mark.parametrize(
    "cell_class, state",
    [
        (STLSTMCell, STLSTMState(None, ZERO, ZERO)),
        (STLSTMCell, STLSTMState(ZERO, None, ZERO)),
        (ConvLSTMCell, ConvLSTMState(None, ZERO)),
        (ConvLSTMCell, ConvLSTMState(ZERO, None)),
    ],
)
def test_half_a_temporal_state_is_refused(cell_class, state):
    with pytest.raises(ValueError, match=r"`hidden` and `cell`.*Received"):
        built(cell_class(UNITS))(INPUTS, state)


@pytest.mark.parametrize("cell_class", [STLSTMCell, ConvLSTMCell])
def test_even_kernel_size_is_refused(cell_class):
    message = "`kernel_size` must be odd.*" + re.escape(
        "Received: kernel_size=4"
    )
    with pytest.raises(ValueError, match=message):
        cell_class(UNITS, kernel_size=4)
