"""What is usual at each place of the picture."""

import numpy as np
import pytest

from lgn_tf.data.video import optical_flow
from lgn_tf.scores import local_scales

NUMBERS = np.random.default_rng(4)


def by_hand(maps):
    """The definition, place by place."""
    boxed = np.stack([optical_flow.box_means(one, (5, 5)) for one in maps])
    usual = np.quantile(boxed, 0.99, axis=0)
    rows, columns = usual.shape
    # A neighbourhood of a fifth of each side: 5 x 3 of 24 x 16.
    reach = 2, 1
    largest, smooth = np.empty_like(usual), np.empty_like(usual)
    for y, x in np.ndindex(usual.shape):
        top, left = max(0, y - reach[0]), max(0, x - reach[1])
        around = usual[top : y + reach[0] + 1, left : x + reach[1] + 1]
        largest[y, x] = around.max()
    padded = np.pad(largest, [(r, r) for r in reach], mode="edge")
    for y, x in np.ndindex(usual.shape):
        smooth[y, x] = padded[y : y + 5, x : x + 3].mean()
    assert (rows, columns) == (24, 16)
    return np.sqrt(np.maximum(smooth / smooth.max(), 0.05))


def clips():
    # Strong at the bottom, near the camera; next to nothing at the top.
    strength = np.linspace(0, 1, 24)[:, None] ** 2
    return [
        (strength * NUMBERS.gamma(2.0, 1.0, (count, 24, 16))).astype("f4")
        for count in (30, 21)
    ]


def test_is_what_the_definition_says():
    maps = clips()
    found = local_scales.measure_scale(maps)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, by_hand(np.concatenate(maps)), rtol=1e-5)
    assert found.max() == 1
    # Nowhere are differences blown up by more than the root of 20.
    assert found.min() == pytest.approx(0.05**0.5)


def test_the_unit_has_no_part():
    maps = clips()
    np.testing.assert_allclose(
        local_scales.measure_scale([7 * one for one in maps]),
        local_scales.measure_scale(maps),
        rtol=1e-5,
    )


def test_of_many_frames_some_are_enough(monkeypatch):
    maps = clips()
    monkeypatch.setattr(local_scales, "MOST_FRAMES", 17)
    found = local_scales.measure_scale(maps)
    # Every third of 51.
    np.testing.assert_array_equal(
        found, local_scales.measure_scale([one[::3] for one in maps])
    )


def test_still_video_has_no_scale():
    still = [np.zeros((5, 4, 6), np.float32)]
    np.testing.assert_array_equal(
        local_scales.measure_scale(still), np.ones((4, 6), "f4")
    )


def test_clips_of_other_proportions():
    wide = np.ones((4, 6, 12), np.float32)
    found = local_scales.measure_scale([np.ones((3, 9, 12), np.float32), wide])
    np.testing.assert_allclose(found, np.ones((9, 12)), rtol=1e-6)
    assert local_scales.resized(found, (6, 12)).shape == (6, 12)
    assert local_scales.resized(found, (9, 12)) is found


def test_no_frame():
    with pytest.raises(ValueError, match="`clips` must hold at least one"):
        local_scales.measure_scale([np.ones((0, 4, 6), "f4")])
