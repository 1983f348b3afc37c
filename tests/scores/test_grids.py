"""Sizes of cells and boxes, and filtering by hand, with unequal sides."""

import numpy as np
import pytest

from lgn_tf.scores import grids


@pytest.mark.parametrize(
    ("size", "factor"),
    [
        ((64, 48), 1),
        ((64, 65), 2),
        ((128, 128), 2),
        ((256, 256), 4),
        ((240, 360), 8),
        ((1080, 1920), 8),
    ],
)
def test_factor_is_the_smallest_that_fits(size, factor):
    assert grids.factor(size) == factor


@pytest.mark.parametrize(
    ("side", "share", "box"),
    [
        (64, grids.ERROR_SHARE, 7),
        (32, grids.ERROR_SHARE, 3),
        (16, grids.ERROR_SHARE, 1),
        # Ten lies between nine and eleven.
        (32, grids.DISTANCE_SHARE, 11),
        (16, grids.DISTANCE_SHARE, 5),
        (8, grids.DISTANCE_SHARE, 3),
        (1, grids.ERROR_SHARE, 1),
    ],
)
def test_box_is_the_nearest_odd_number(side, share, box):
    assert grids.box((side, 1), share) == (box, 1)


def test_filtered_averages_what_lies_within():
    maps = np.random.default_rng(0).random((2, 8, 5)).astype(np.float32)
    found = grids.filtered(maps, 0.5)
    assert grids.box((8, 5), 0.5) == (5, 3)
    for place in np.ndindex(maps.shape):
        n, y, x = place
        around = maps[n, max(0, y - 2) : y + 3, max(0, x - 1) : x + 2]
        np.testing.assert_allclose(found[place], around.mean(), rtol=1e-6)


def test_largest_mean_over_a_box():
    maps = np.random.default_rng(0).random((3, 9, 6)).astype(np.float32)
    expected = [one.max() for one in grids.filtered(maps, 0.4)]
    found = grids.largest(maps, 0.4)
    assert found.shape == (3,) and found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-7)
    # One bright place counts by its share of the box.
    maps[:] = 0
    maps[1, 4, 3] = 1
    np.testing.assert_allclose(grids.largest(maps, 0.4), [0, 1 / 9, 0])


def test_the_largest_of_more_maps_than_are_filtered_at_once(monkeypatch):
    maps = np.random.default_rng(2).random((7, 6, 9)).astype(np.float32)
    wanted = grids.largest(maps, 0.4)
    monkeypatch.setattr(grids, "_TOGETHER", 3)
    np.testing.assert_allclose(grids.largest(maps, 0.4), wanted, rtol=1e-6)
    assert grids.largest(maps[:0], 0.4).shape == (0,)
