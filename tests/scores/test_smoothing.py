"""The causal average of online scores."""

import numpy as np
import pytest

from lgn_tf.scores import smoothing


def test_it_is_causal():
    np.testing.assert_allclose(
        smoothing.smooth(np.array([1.0, 0.0, 0.0, 1.0]), 0.25),
        [1.0, 0.75, 0.5625, 0.671875],
    )


def test_seconds():
    # After 0.2 seconds, five frames, a frame counts a third of what it did.
    share = smoothing.share_of_newest(0.2, 25.0)
    assert (1 - share) ** 5 == pytest.approx(1 / np.e)
    usual = smoothing.share_of_newest(smoothing.SECONDS, 25.0)
    assert smoothing.share_of_newest(None, 25.0) == usual
    for off in ((None, None), (0.0, 25.0), (0.0, None)):
        assert smoothing.share_of_newest(*off) is None


@pytest.mark.parametrize("seconds", [-0.1, np.nan, np.inf])
def test_seconds_out_of_bounds(seconds):
    with pytest.raises(ValueError, match="`smoothing` must be seconds"):
        smoothing.share_of_newest(seconds, 25.0)


def test_seconds_without_a_frame_rate():
    with pytest.raises(ValueError, match="give --fps"):
        smoothing.share_of_newest(0.2, None)
