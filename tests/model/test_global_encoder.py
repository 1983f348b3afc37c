"""The global branch: order of the frames, pooling, and its bare last layer."""

import numpy as np
import pytest

from lgn_tf.model.global_encoder import GlobalEncoder, stack_frames
from tests.helpers import by_hand

pytestmark = pytest.mark.latest

TINY = 1 / 64
"""A width that leaves 1, 2, 4 and 8 channels."""


def test_frames_are_stacked_in_the_order_of_time():
    clips = by_hand.draw(2, 3, 4, 5, 2)
    outputs = np.asarray(stack_frames(clips))
    assert outputs.shape == (2, 4, 5, 6)
    for time in range(3):
        for channel in range(2):
            np.testing.assert_array_equal(
                outputs[..., 2 * time + channel], clips[:, time, ..., channel]
            )


@pytest.mark.parametrize("training", [False, True])
def test_global_encoder(training):
    layer = GlobalEncoder(TINY)
    clips = by_hand.draw(2, 3, 16, 24, 2)
    layer.build(clips.shape)
    by_hand.draw_weights(layer)
    features = np.concatenate([clips[:, time] for time in range(3)], axis=-1)
    blocks = iter(layer.blocks)
    for _ in range(3):
        for _ in range(2):
            features = by_hand.conv_bn_relu(
                next(blocks), features, training=training
            )
        features = by_hand.max_pool(features)
    features = by_hand.conv_bn_relu(next(blocks), features, training=training)
    assert next(blocks, None) is None
    expected = by_hand.conv(layer.last, features)

    outputs = np.asarray(layer(clips, training=training))
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-4)
    # Without a ReLU at the end some features are negative.
    assert (outputs < 0).any()
    assert outputs.shape == (2, 2, 3, 8)
    assert layer.compute_output_shape(clips.shape) == outputs.shape


def test_the_last_convolution_has_no_batch_norm():
    layer = GlobalEncoder(TINY)
    layer.build((None, 3, 16, 24, 2))
    names = {weight.name for weight in layer.last.weights}
    assert names == {"kernel", "bias"}


def test_global_encoder_of_full_width():
    layer = GlobalEncoder()
    filters = [block.filters for block in layer.blocks]
    assert filters == [64, 64, 128, 128, 256, 256, 512]
    assert layer.last.filters == 512
    assert all(block.strides == 1 for block in layer.blocks)
    assert layer.last.strides == 1
    shape = layer.compute_output_shape((None, 4, 256, 320, 3))
    assert shape == (None, 32, 40, 512)
