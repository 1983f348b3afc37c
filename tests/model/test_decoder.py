"""The decoder with both inputs, or either alone."""

import ml_dtypes
import numpy as np
import pytest

from lgn_tf.model.decoder import Decoder
from tests.helpers import by_hand

pytestmark = pytest.mark.latest

THIRTY_SECOND = 1 / 32
"""A width that leaves 16, 8, 4 and 2 of 512, 256, 128 and 64 channels."""

GLOBAL = by_hand.draw(2, 1, 2, 5, seed=2)
"""What the memory gave: an eighth of 8 x 16 pixels."""

LOCAL = by_hand.draw(2, 8, 16, 3, seed=3)

INPUTS = [
    pytest.param(LOCAL, GLOBAL, id="both"),
    pytest.param(LOCAL, None, id="local"),
    pytest.param(None, GLOBAL, id="global"),
]


def decoder(local_features, global_features, channels=3, **kwargs):
    layer = Decoder(channels, THIRTY_SECOND, **kwargs)
    layer.build(
        None if local_features is None else local_features.shape,
        None if global_features is None else global_features.shape,
    )
    by_hand.draw_weights(layer)
    return layer


def expected_frame(layer, local_features, global_features, training):
    parts = []
    if global_features is not None:
        raised = global_features
        blocks = iter(layer.raising)
        for _ in range(3):
            for transposed in (False, False, True):
                raised = by_hand.conv_bn_relu(
                    next(blocks),
                    raised,
                    transposed=transposed,
                    training=training,
                )
        parts.append(raised)
    if local_features is not None:
        parts.append(local_features)
    features = np.concatenate(parts, axis=-1)
    assert len(layer.joining) == 2
    for block in layer.joining:
        features = by_hand.conv_bn_relu(block, features, training=training)
    return np.tanh(by_hand.conv(layer.last, features))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("local_features", "global_features"), INPUTS)
def test_decoder(local_features, global_features, training):
    layer = decoder(local_features, global_features)
    expected = expected_frame(layer, local_features, global_features, training)
    frame = layer(local_features, global_features, training=training)
    np.testing.assert_allclose(frame, expected, rtol=1e-4, atol=1e-4)
    assert frame.shape == (2, 8, 16, 3)


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_of_the_frame(channels):
    layer = decoder(LOCAL, GLOBAL, channels)
    assert layer(LOCAL, GLOBAL).shape == (2, 8, 16, channels)


def test_decoder_of_full_width():
    layer = Decoder()
    filters = [block.filters for block in layer.raising]
    assert filters == [512, 512, 256, 256, 256, 128, 128, 128, 64]
    assert [block.filters for block in layer.joining] == [64, 64]
    assert layer.last.filters == 3


def test_first_joining_kernel_sees_both_branches():
    layer = decoder(LOCAL, GLOBAL)
    assert layer.joining[0].conv.kernel.shape == (3, 3, 2 + 3, 2)


def test_raising_stages_do_not_exist_without_global_features():
    layer = decoder(LOCAL, None)
    assert [block.weights for block in layer.raising] == [[]] * 9
    assert layer.joining[0].conv.kernel.shape == (3, 3, 3, 2)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_frame_is_float32_within_one(policy):
    layer = decoder(LOCAL, GLOBAL, dtype=policy)
    layer.last.kernel.assign(5 * layer.last.kernel)
    frame = np.asarray(layer(LOCAL, GLOBAL))
    assert frame.dtype == np.float32
    # Large features come near to the bounds on both sides.
    assert -1 <= frame.min() < -0.9
    assert 0.9 < frame.max() <= 1


def test_tanh_keeps_its_digits_in_mixed_precision():
    """A frame rounded to bfloat16 would have steps of 1 / 256 at its ends."""
    layer = decoder(LOCAL, GLOBAL, dtype="mixed_bfloat16")
    frame = np.asarray(layer(LOCAL, GLOBAL))
    assert (frame != frame.astype(ml_dtypes.bfloat16).astype("float32")).any()
    expected = expected_frame(layer, LOCAL, GLOBAL, training=False)
    np.testing.assert_allclose(frame, expected, atol=0.1)
