"""Shapes, batch normalisation and initialisation of the building blocks."""

import numpy as np
import pytest

from lgn_tf.backend import distribution
from lgn_tf.model import blocks
from tests.helpers import by_hand

pytestmark = pytest.mark.latest

KINDS = [
    pytest.param(1, False, id="plain"),
    pytest.param(2, False, id="halving"),
    pytest.param(1, True, id="doubling"),
]


@pytest.mark.parametrize(("strides", "transposed"), KINDS)
@pytest.mark.parametrize(("height", "width"), [(6, 4), (5, 7)])
def test_conv(strides, transposed, height, width):
    layer = blocks.Conv(5, strides, transposed)
    inputs = by_hand.draw(3, height, width, 2)
    layer.build(inputs.shape)
    by_hand.draw_weights(layer)
    outputs = layer(inputs)
    expected = by_hand.conv(layer, inputs, strides, transposed)
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-5)
    assert layer.compute_output_shape(inputs.shape) == expected.shape


@pytest.mark.parametrize("layer_class", [blocks.Conv, blocks.ConvBNReLU])
def test_doubling_ignores_strides(layer_class):
    layer = layer_class(2, strides=2, transposed=True)
    inputs = by_hand.draw(1, 2, 3, 4)
    assert layer(inputs).shape == (1, 4, 6, 2)
    assert layer.compute_output_shape(inputs.shape) == (1, 4, 6, 2)


@pytest.mark.parametrize(("strides", "transposed"), KINDS)
def test_conv_starts_uniform_within_one_over_root_fan_in(strides, transposed):
    channels, filters = 5, 40
    layer = blocks.Conv(filters, strides, transposed)
    layer.build((None, 8, 8, channels))
    # PyTorch takes the fan-in of a transposed kernel from its second axis,
    # which is that of the outputs.
    bound = 1 / np.sqrt(9 * (filters if transposed else channels))
    weights, bias = by_hand.array(layer.kernel), by_hand.array(layer.bias)
    assert np.abs(weights).max() <= bound
    assert np.abs(bias).max() <= bound
    # 1,800 uniform draws come near to the bounds, 40 not quite as near.
    assert weights.max() > 0.98 * bound and weights.min() < -0.98 * bound
    assert bias.max() > 0.7 * bound and bias.min() < -0.7 * bound
    # Uniform, so that |weight| is half of the bound on average.
    assert np.abs(weights).mean() == pytest.approx(bound / 2, rel=0.1)


@pytest.mark.parametrize(("strides", "transposed"), KINDS)
def test_conv_bn_relu_in_inference_takes_the_moving_statistics(
    strides, transposed
):
    layer = blocks.ConvBNReLU(5, strides, transposed)
    inputs = by_hand.draw(3, 6, 4, 2)
    layer.build(inputs.shape)
    by_hand.draw_weights(layer)
    before = [by_hand.array(weight) for weight in layer.weights]
    outputs = np.asarray(layer(inputs))
    expected = by_hand.conv_bn_relu(layer, inputs, strides, transposed)
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)
    assert (outputs == 0).any() and (outputs > 0).any()
    assert layer.compute_output_shape(inputs.shape) == expected.shape
    for weight, values in zip(layer.weights, before, strict=True):
        np.testing.assert_array_equal(weight, values)


def test_conv_bn_relu_keeps_the_epsilon_in_inference():
    """Of a variance of 1e-5 the epsilon doubles what is divided by."""
    layer = blocks.ConvBNReLU(5)
    inputs = by_hand.draw(3, 6, 4, 2)
    layer.build(inputs.shape)
    by_hand.draw_weights(layer)
    layer.norm.moving_variance.assign(np.full(5, 1e-5))
    expected = by_hand.conv_bn_relu(layer, inputs)
    np.testing.assert_allclose(layer(inputs), expected, rtol=1e-4, atol=1e-2)
    assert expected.max() > 100


@pytest.mark.parametrize(("strides", "transposed"), KINDS)
def test_conv_bn_relu_in_training_takes_those_of_the_batch(strides, transposed):
    layer = blocks.ConvBNReLU(5, strides, transposed)
    inputs = by_hand.draw(3, 6, 4, 2)
    layer.build(inputs.shape)
    by_hand.draw_weights(layer)
    mean = by_hand.array(layer.norm.moving_mean)
    variance = by_hand.array(layer.norm.moving_variance)
    outputs = np.asarray(layer(inputs, training=True))
    expected = by_hand.conv_bn_relu(
        layer, inputs, strides, transposed, training=True
    )
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)
    assert (outputs == 0).any() and (outputs > 0).any()

    features = by_hand.conv(layer.conv, inputs, strides, transposed)
    axes = (0, 1, 2)
    np.testing.assert_allclose(
        layer.norm.moving_mean,
        0.9 * mean + 0.1 * features.mean(axis=axes),
        rtol=1e-5,
        atol=1e-6,
    )
    np.testing.assert_allclose(
        layer.norm.moving_variance,
        0.9 * variance + 0.1 * features.var(axis=axes),
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.parametrize("training", [False, True])
def test_batch_norm_epsilon_shows_where_the_variance_is_small(training):
    """With the variance at 1e-5 the epsilon of 1e-5 is half of it all."""
    layer = blocks.BatchNormalization()
    inputs = np.zeros((1, 2, 4, 1), np.float32)
    inputs[0, 0] = 2 * 1e-5**0.5
    layer.build(inputs.shape)
    layer.moving_mean.assign([1e-5**0.5])
    layer.moving_variance.assign([1e-5])
    outputs = np.asarray(layer(inputs, training=training))
    expected = np.full((4, 1), 0.5**0.5)
    np.testing.assert_allclose(outputs[0, 0], expected, rtol=1e-4)
    np.testing.assert_allclose(outputs[0, 1], -expected, rtol=1e-4)


@pytest.mark.parametrize("number", [1, 2])
def test_batch_norm_asks_for_replicas_at_build(monkeypatch, number):
    monkeypatch.setattr(distribution, "count", lambda: number)
    layer = blocks.BatchNormalization()
    assert not layer.synchronized
    layer.build((None, 2, 3, 4))
    assert layer.synchronized == (number > 1)
    assert "synchronized" not in layer.get_config()


@pytest.mark.parametrize(
    ("channels", "width", "expected"),
    [(64, 1.0, 64), (64, 0.25, 16), (64, 0.29, 19), (64, 1.5, 96)],
)
def test_scaled(channels, width, expected):
    assert blocks.scaled(channels, width) == expected


def test_scaled_leaves_one_channel():
    assert blocks.scaled(64, 0.001) == 1
