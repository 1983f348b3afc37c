"""RBDC and TBDC: cases by hand, and again by brute force."""

import itertools
import re

import cv2
import numpy as np
import pytest

from lgn_tf.evaluation import regions, tracks


def grid(text):
    """Digits are scores; a dot is none."""
    return np.array(
        [[0 if c == "." else int(c) for c in row] for row in text.split()],
        np.float32,
    )


def marked(*frames):
    """Abnormal regions from frames of text, on the same grid."""
    found = np.stack([grid(frame) > 0 for frame in frames])
    return tracks.on_grid(tracks.find_tracks(found), found.shape[1:])


def test_a_region_is_found_from_an_overlap_of_a_tenth():
    # 11 detected cells in a row, 1 of them abnormal: 1 / 11 is too little.
    frame = grid("9999999999999999 ................")[:, :16]
    [[region]] = marked("1............... ................")
    # 10 detected cells: 1 / 10 is enough, and the region is not false.
    narrow, wide = frame.copy(), frame.copy()
    narrow[0, 10:] = 0
    wide[0, 11:] = 0
    assert regions.match_regions(narrow, 9, [region]) == (0, [True])
    assert regions.match_regions(wide, 9, [region]) == (1, [False])


def test_regions_found_and_false_in_one_frame():
    frame = grid("55...... 55....77 ........ 3.......")
    [found] = marked("11...... 11.11... ...11... ........")
    # Cut at 3: three detected regions; one covers the first abnormal region,
    # whole (4 / 4); nothing covers the second. Two are false.
    assert regions.match_regions(frame, 3, found) == (2, [True, False])
    assert regions.match_regions(frame, 5, found) == (1, [True, False])
    assert regions.match_regions(frame, 7, found) == (1, [False, False])
    assert regions.match_regions(frame, 8, found) == (0, [False, False])
    assert regions.match_regions(frame, 3, []) == (3, [])


def test_one_detected_region_may_find_several():
    frame = grid("4444 4444")
    [found] = marked("11.1 ....")
    # 2 / 8 and 1 / 8.
    assert regions.match_regions(frame, 4, found) == (0, [True, True])


def test_several_detected_regions_may_find_one():
    frame = grid("4.4. ....")
    [found] = marked("1111 ....")
    # 1 / 4 each: neither is false.
    assert regions.match_regions(frame, 4, found) == (0, [True])


def test_parts_of_cells_count_as_parts():
    """A region that covers a quarter of a cell: 0.25 / (2 + 0.25 - 0.25)."""
    mask = np.zeros((1, 2, 4), bool)
    mask[0, 0, 0] = True
    [[region]] = tracks.on_grid(tracks.find_tracks(mask), (1, 2))
    assert region.area == pytest.approx(0.25)
    assert regions.match_regions(grid("44"), 4, [region]) == (0, [True])
    wide = np.full((1, 3), 4, np.float32)
    region = tracks.Region(region.cells, region.shares, 0)
    # 0.25 / 3 is below a tenth.
    assert regions.match_regions(wide, 4, [region]) == (1, [False])


MAPS = [
    np.stack(
        [
            grid("9..... ......"),
            grid("7..... .....5"),
            grid("4...6. ......"),
            grid("....8. ......"),
        ]
    )
]
GROUND_TRUTH = [
    marked("1..... ......", "1..... ......", "1..... ......", "...... ......")
]


def test_a_sweep_by_hand():
    """One track of three regions, four frames.

    cut 9: 1 region, none false. 8: the false one of the last frame, 1/4 a
    frame. 7: 2 regions. 6: another false one, 2/4. 5: the corner, 3/4. 4: 3
    regions. 0: whole frames, one region each, of 12 cells: 1 / 12 is too
    little, so 4 false ones, 4/4, and none found.
    """
    found = regions.sweep(MAPS, GROUND_TRUTH, regions.thresholds(MAPS))
    assert found.thresholds.tolist() == [9, 8, 7, 6, 5, 4, 0]
    assert found.false.tolist() == [0, 0.25, 0.25, 0.5, 0.75, 0.75, 1]
    np.testing.assert_allclose(
        found.regions, [1 / 3, 1 / 3, 2 / 3, 2 / 3, 2 / 3, 1, 0]
    )
    assert found.tracks.tolist() == [1, 1, 1, 1, 1, 1, 0]


def test_areas_by_hand():
    """Regions: (0, 1/3), (1/4, 1/3) up to 2/3, (1/2, 2/3), (3/4, 2/3) up to 1.

    1/4 x 1/3 + 1/4 x 2/3 + 1/4 x 2/3 + 1/4 x 1 = 2/3.
    """
    result = regions.evaluate_regions(MAPS, GROUND_TRUTH)
    assert result.rbdc == pytest.approx(2 / 3)
    assert result.tbdc == pytest.approx(1)


def test_a_track_takes_a_tenth_of_its_regions():
    """Eleven regions: one found is too few, two are enough; ten: one is."""
    for length, enough in ((10, 1), (11, 2), (20, 2), (21, 3)):
        for hits in (enough - 1, enough):
            frames = np.zeros((length, 2, 3), np.float32)
            frames[:hits, 0, 0] = 5
            mask = np.zeros((length, 2, 3), bool)
            mask[:, 0, 0] = True
            found = tracks.on_grid(tracks.find_tracks(mask), (2, 3))
            result = regions.sweep([frames], [found], np.array([5.0]))
            assert result.tracks.tolist() == [hits == enough], (length, hits)
            assert result.regions[0] == pytest.approx(hits / length)


def test_tracks_of_several_videos_are_apart():
    """Both videos have a track 0; the second is not found."""
    maps = [MAPS[0], np.zeros_like(MAPS[0])]
    found = regions.sweep(maps, GROUND_TRUTH * 2, np.array([9.0, 7.0]))
    np.testing.assert_allclose(found.regions, [1 / 6, 2 / 6])
    assert found.tracks.tolist() == [0.5, 0.5]
    # One false region in the eight frames of both.
    assert found.false.tolist() == [0, 1 / 8]


@pytest.mark.parametrize(
    ("false", "found", "x", "y", "area"),
    [
        # Level after the last threshold.
        ([0.5], [0.4], [0, 0.5, 1], [0, 0.4, 0.4], 0.1 + 0.2),
        # Straight to the first threshold beyond 1, at (2, 0.8).
        ([0.5, 2], [0.4, 1], [0, 0.5, 1], [0, 0.4, 0.6], 0.1 + 0.25),
        # What comes after it does not count.
        ([0.5, 2, 0.6], [0.4, 1, 1], [0, 0.5, 1], [0, 0.4, 0.6], 0.35),
        # Found without a false region.
        ([0, 1], [0.5, 0.5], [0, 0, 1, 1], [0, 0.5, 0.5, 0.5], 0.5),
        # The regions merge: fewer false ones, and fewer found.
        (
            [0.25, 0.75, 0.5],
            [0.5, 0.75, 0.25],
            [0, 0.25, 0.5, 0.75, 1],
            [0, 0.5, 0.5, 0.75, 0.75],
            0.0625 + 0.125 + 0.15625 + 0.1875,
        ),
        ([0], [0], [0, 0, 1], [0, 0, 0], 0),
    ],
)
def test_the_curve_and_its_area(false, found, x, y, area):
    curve = regions.limited(np.array(false, float), np.array(found, float))
    np.testing.assert_allclose(curve.x, x)
    np.testing.assert_allclose(curve.y, y)
    assert regions._area(curve) == pytest.approx(area)


def components(mask):
    """Connected components, neighbours by corners too, by growing sets."""
    left = set(zip(*np.nonzero(mask), strict=True))
    while left:
        edge = {left.pop()}
        region = set(edge)
        while edge:
            near = {
                (y + dy, x + dx)
                for (y, x), dy, dx in itertools.product(
                    edge, (-1, 0, 1), (-1, 0, 1)
                )
            }
            edge = near & left
            left -= edge
            region |= edge
        yield region


def brute_force(maps, masks, cut):
    """The definition in sets of cells; tracks are given by their value."""
    false = 0
    found, all_tracks = {}, {}
    for video, (frames, marks) in enumerate(zip(maps, masks, strict=True)):
        for frame, mark in zip(frames, marks, strict=True):
            abnormal = {
                number: set(zip(*np.nonzero(mark == number), strict=True))
                for number in np.unique(mark[mark > 0])
            }
            detected = list(components(frame >= cut))
            for region in detected:
                false += all(
                    len(region & one) / len(region | one) < 0.1
                    for one in abnormal.values()
                )
            for number, one in abnormal.items():
                hit = any(
                    len(region & one) / len(region | one) >= 0.1
                    for region in detected
                )
                key = (video, number)
                found[key] = found.get(key, 0) + hit
                all_tracks[key] = all_tracks.get(key, 0) + 1
    frames = sum(len(video) for video in maps)
    total = sum(all_tracks.values())
    enough = [found[key] * 10 >= n for key, n in all_tracks.items()]
    return false / frames, sum(found.values()) / total, np.mean(enough)


@pytest.mark.parametrize("seed", range(4))
def test_a_sweep_again_by_brute_force(seed):
    """Two rectangles that pass each other, one above the other, in noise."""
    numbers = np.random.default_rng(seed)
    maps, masks = [], []
    for length, width in ((12, 16), (7, 11)):
        frames = numbers.integers(0, 7, (length, 9, width)).astype(np.float32)
        marks = np.zeros((length, 9, width), int)
        for k in range(length):
            across = k * (width - 4) // length
            marks[k, 1:3, across : across + 3] = 1
            if k % 6:
                marks[k, 5:8, width - across - 3 : width - across] = 2 + k // 6
        frames += 3 * (marks > 0) * (numbers.uniform(size=marks.shape) < 0.7)
        maps.append(frames)
        masks.append(marks)
    given = [
        tracks.on_grid(tracks.find_tracks(marks > 0), marks.shape[1:])
        for marks in masks
    ]
    cuts = regions.thresholds(maps)
    found = regions.sweep(maps, given, cuts)
    assert len(found.thresholds) >= 3
    for place, cut in enumerate(found.thresholds):
        by_hand = brute_force(maps, masks, cut)
        assert (
            found.false[place],
            found.regions[place],
            found.tracks[place],
        ) == pytest.approx(by_hand)


def large(seed=0):
    numbers = np.random.default_rng(seed)
    mask = np.zeros((40, 24, 24), bool)
    for k in range(8, 32):
        mask[k, 6:12, k // 2 : k // 2 + 6] = True
    noise = numbers.normal(size=(40, 24, 24)).astype(np.float32)
    smooth = np.stack([cv2.GaussianBlur(one, (0, 0), 1.5) for one in noise])
    maps = smooth + 0.3 * mask.astype(np.float32)
    return [maps], [tracks.on_grid(tracks.find_tracks(mask), (24, 24))]


def test_chosen_thresholds_are_close_to_all():
    maps, given = large()
    assert maps[0].size > regions.EXACT
    chosen = regions.thresholds(maps)
    assert (np.diff(chosen) < 0).all()
    assert chosen[0] == maps[0].max()
    assert len(chosen) < 200
    result = regions.evaluate_regions(maps, given)
    # All values above those at which there is more than one false region.
    last = regions.sweep(maps, given, chosen).thresholds[-1]
    every = np.unique(maps[0][maps[0] >= last])[::-1].astype(float)
    whole = regions.sweep(maps, given, every)
    exact = regions._area(regions.limited(whole.false, whole.regions))
    assert result.rbdc == pytest.approx(exact, abs=0.02)
    assert 0.02 < exact < 0.98


def test_the_sweep_ends_soon_after_one_false_region_a_frame():
    maps, given = large()
    chosen = regions.thresholds(maps)
    found = regions.sweep(maps, given, chosen)
    assert found.false[-1] > 1 or len(found.false) == len(chosen)
    assert (found.false > 1).sum() <= regions._PASS


def test_without_an_abnormal_region():
    message = re.escape(
        "RBDC and TBDC take at least one abnormal region. "
        "Received: none in 1 videos"
    )
    with pytest.raises(ValueError, match=message):
        regions.evaluate_regions(MAPS, [[[], [], [], []]])
