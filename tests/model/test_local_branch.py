"""The local branch: shapes, strides, and where the memory runs."""

import re

import numpy as np
import pytest

from lgn_tf.model.local_branch import FrameEncoder, STPNet, Upsampler
from lgn_tf.model.recurrent_cells import ConvLSTMState, STLSTMState
from tests.helpers import by_hand

pytestmark = pytest.mark.latest

THIRTY_SECOND = 1 / 32
"""A width that leaves 2 of 64 and 4 of 128 channels."""

FEATURES = by_hand.draw(2, 3, 4, 5, 2)
"""Of 2 clips of 3 frames; 4 x 5 pixels, 2 channels."""

UNITS = 3


def stp_net(cell, layers):
    net = STPNet(UNITS, cell, layers)
    net.build(FEATURES.shape)
    by_hand.draw_weights(net)
    return net


def st_lstm_by_hand(net):
    """Zigzag: m goes up the layers, and from the top to the next step."""
    kernels = [by_hand.gate_kernels(cell) for cell in net.cells]
    batch, steps, height, width, _ = FEATURES.shape
    zero = np.zeros((batch, height, width, UNITS))
    h = [zero] * len(kernels)
    c = [zero] * len(kernels)
    m = zero
    for step in range(steps):
        x = FEATURES[:, step]
        for layer in range(len(kernels)):
            h[layer], c[layer], m = by_hand.st_lstm(
                x, h[layer], c[layer], m, kernels[layer]
            )
            x = h[layer]
    return h[-1], c[-1], m


def conv_lstm_by_hand(net):
    kernels = [by_hand.gate_kernels(cell) for cell in net.cells]
    batch, steps, height, width, _ = FEATURES.shape
    zero = np.zeros((batch, height, width, UNITS))
    h = [zero] * len(kernels)
    c = [zero] * len(kernels)
    for step in range(steps):
        x = FEATURES[:, step]
        for layer in range(len(kernels)):
            h[layer], c[layer] = by_hand.conv_lstm(
                x, h[layer], c[layer], kernels[layer]
            )
            x = h[layer]
    return h[-1], c[-1]


def inputs_of(net, projected):
    if not projected:
        return FEATURES
    frames = FEATURES.reshape(-1, *FEATURES.shape[2:])
    projection = np.asarray(net.project(frames))
    return projection.reshape(*FEATURES.shape[:-1], -1)


@pytest.mark.parametrize("projected", [False, True])
@pytest.mark.parametrize("layers", [1, 3])
def test_memory_runs_up_the_layers_and_over_time(layers, projected):
    net = stp_net("st_lstm", layers)
    inputs = inputs_of(net, projected)
    h, c, m = st_lstm_by_hand(net)
    outputs = net(inputs, projected=projected)
    expected = np.concatenate([h, m], axis=-1)
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-5)
    assert net.compute_output_shape(FEATURES.shape) == expected.shape

    state = net.final_state(inputs, projected=projected)
    assert isinstance(state, STLSTMState)
    for part, values in zip(state, (h, c, m), strict=True):
        np.testing.assert_allclose(part, values, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("projected", [False, True])
@pytest.mark.parametrize("layers", [1, 3])
def test_conv_lstm_gives_hidden_and_cell(layers, projected):
    net = stp_net("conv_lstm", layers)
    inputs = inputs_of(net, projected)
    h, c = conv_lstm_by_hand(net)
    outputs = net(inputs, projected=projected)
    expected = np.concatenate([h, c], axis=-1)
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-5)
    assert net.compute_output_shape(FEATURES.shape) == expected.shape

    state = net.final_state(inputs, projected=projected)
    assert isinstance(state, ConvLSTMState)
    for part, values in zip(state, (h, c), strict=True):
        np.testing.assert_allclose(part, values, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("cell", "gates"), [("st_lstm", 7), ("conv_lstm", 4)])
def test_four_layers_the_first_of_which_sees_the_features(cell, gates):
    net = STPNet(UNITS, cell)
    net.build((None, 3, 4, 5, 2))
    channels = [cell.x_kernel.shape for cell in net.cells]
    above = (3, 3, UNITS, gates * UNITS)
    assert channels == [(3, 3, 2, gates * UNITS), above, above, above]


def test_unknown_cell_is_refused():
    message = "`cell` must be one of st_lstm, conv_lstm.*" + re.escape(
        "Received: cell='gru'"
    )
    with pytest.raises(ValueError, match=message):
        STPNet(UNITS, cell="gru")


@pytest.mark.parametrize("training", [False, True])
def test_frame_encoder(training):
    layer = FrameEncoder(THIRTY_SECOND)
    frames = by_hand.draw(3, 8, 12, 3)
    layer.build(frames.shape)
    by_hand.draw_weights(layer)
    expected = frames
    assert len(layer.blocks) == 4
    for block, stride in zip(layer.blocks, (2, 1, 2, 1), strict=True):
        expected = by_hand.conv_bn_relu(
            block, expected, stride, training=training
        )
    outputs = layer(frames, training=training)
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-4)
    assert expected.shape == (3, 2, 3, 4)


def test_frame_encoder_of_full_width():
    layer = FrameEncoder()
    assert [block.filters for block in layer.blocks] == [64, 64, 128, 128]
    shape = layer.compute_output_shape((None, 256, 320, 3))
    assert shape == (None, 64, 80, 128)


@pytest.mark.parametrize("training", [False, True])
def test_upsampler(training):
    layer = Upsampler(THIRTY_SECOND)
    states = by_hand.draw(3, 2, 3, 5)
    layer.build(states.shape)
    by_hand.draw_weights(layer)
    expected = states
    assert len(layer.blocks) == 2
    for block in layer.blocks:
        expected = by_hand.conv_bn_relu(
            block, expected, transposed=True, training=training
        )
    outputs = layer(states, training=training)
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-4)
    assert expected.shape == (3, 8, 12, 2)


def test_upsampler_of_full_width():
    layer = Upsampler()
    assert [block.filters for block in layer.blocks] == [128, 64]
    shape = layer.compute_output_shape((None, 64, 80, 256))
    assert shape == (None, 256, 320, 64)
