"""Abnormal regions of masks, linked to tracks."""

import numpy as np
import pytest

from lgn_tf.evaluation import tracks


def masks(*frames):
    """Frames of text: anything but a dot is abnormal."""
    return np.array(
        [[[c != "." for c in row] for row in frame.split()] for frame in frames]
    )


def test_a_region_goes_on_where_it_overlaps():
    found = tracks.find_tracks(
        masks(
            "##.... ##.... ......",
            ".##... .##... ....##",
            "..##.. ...... ....##",
            "...... ...... ......",
            "..##.. ...... ......",
        )
    )
    # The second frame adds a region; after the empty frame a track is new.
    assert found.tracks == ((0,), (0, 1), (0, 1), (), (2,))
    assert found.count == 3
    assert found.components[3] is None


def test_corners_touch():
    assert tracks.find_tracks(masks("#. .#")).tracks == ((0,),)


def test_after_a_split_the_larger_part_goes_on():
    found = tracks.find_tracks(masks("###### ......", "####.# ......"))
    assert found.tracks == ((0,), (0, 1))
    found = tracks.find_tracks(masks("###### ......", "#.#### ......"))
    assert found.tracks == ((0,), (1, 0))


def test_after_a_merger_one_track_goes_on():
    found = tracks.find_tracks(masks("#.#### ......", "###### ......"))
    assert found.tracks == ((0, 1), (1,))
    assert found.count == 2


def test_without_overlap_a_track_is_new():
    found = tracks.find_tracks(masks("##....", "...##."))
    assert found.tracks == ((0,), (1,))
    # One goes on, the other is new, though both pairs could be named.
    found = tracks.find_tracks(masks("##....##", "##..#..."))
    assert found.tracks == ((0, 1), (0, 2))


def test_the_pairing_with_the_largest_sum_is_taken():
    """Intersection over union of old A, B with new 1, 2.

    A1 = 1 / 4, A2 = 2 / 7, B2 = 1 / 5: A2 is the largest of all, but A1 and B2
    together are more than A2 alone.
    """
    found = tracks.find_tracks(masks("####..#", "#.#####"))
    assert found.tracks == ((0, 1), (0, 1))


@pytest.mark.parametrize("size", [(2, 3), (3, 2), (4, 6), (1, 1)])
def test_cells_know_their_share(size):
    mask = np.zeros((12, 12), bool)
    mask[1:6, 2:9] = True
    height, width = 12 // size[0], 12 // size[1]
    by_hand = [
        mask[y * height : (y + 1) * height, x * width : (x + 1) * width].mean()
        for y in range(size[0])
        for x in range(size[1])
    ]
    np.testing.assert_allclose(
        tracks.coverage(mask, size).ravel(), by_hand, atol=1e-6
    )
    [[region]] = tracks.on_grid(tracks.find_tracks(mask[None]), size)
    np.testing.assert_array_equal(region.cells, np.flatnonzero(by_hand))
    np.testing.assert_allclose(
        region.shares, [one for one in by_hand if one], atol=1e-6
    )
    assert region.area == pytest.approx(35 * size[0] * size[1] / 144)


def test_cells_that_pixels_straddle():
    """5 pixels on 2 cells of 2.5: the middle one belongs to both by halves."""
    mask = np.array([[0, 1, 1, 0, 0]], bool)
    np.testing.assert_allclose(
        tracks.coverage(mask, (1, 2)), [[1.5 / 2.5, 0.5 / 2.5]], atol=1e-6
    )


def test_regions_of_a_frame_stay_apart_on_the_grid():
    found = tracks.find_tracks(masks("#.## #... ...."))
    [[first, second]] = tracks.on_grid(found, (3, 4))
    assert (first.track, second.track) == (0, 1)
    assert (first.area, second.area) == (2, 2)
    assert first.cells.tolist() == [0, 4]


def test_frames_without_regions():
    found = tracks.find_tracks(np.zeros((3, 4, 5), bool))
    assert (found.tracks, found.count) == (((), (), ()), 0)
    assert tracks.on_grid(found, (2, 2)) == [[], [], []]
