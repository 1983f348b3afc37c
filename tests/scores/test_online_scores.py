"""The online score in graphs: pooled maps, evidence, and the score of it."""

import numpy as np
import pytest

from lgn_tf.scores import frame_scores, grids
from lgn_tf.scores.evidence import CueStatistics, Statistics
from tests.helpers import by_hand

pytestmark = pytest.mark.latest
SIZE = (72, 40)
"""Of the frames: stored at half their size, a grid of 9 x 5 cells."""
ERROR_SCALE = np.linspace(0.3, 1, 36 * 20, dtype=np.float32).reshape(36, 20)
DISTANCE_SCALE = np.linspace(1, 0.5, 45, dtype=np.float32).reshape(9, 5)
MOTION_SCALE = np.linspace(0.2, 1, 42, dtype=np.float32).reshape(6, 7)
STATISTICS = Statistics(
    CueStatistics(0.5, 0.25, 2.0, ERROR_SCALE),
    CueStatistics(0.125, 4.0, 0.5, DISTANCE_SCALE),
    np.array([0.1, 0.4, 0.9], np.float32),
    np.array([-1.0, 0.5, 3.0], np.float32),
    np.float32(2.0),
    CueStatistics(0.25, 0.5, 3.0, MOTION_SCALE),
)


def test_pooled_averages_cells():
    maps = np.arange(24, dtype=np.float32).reshape(1, 4, 6)
    expected = [[[3.5, 5.5, 7.5], [15.5, 17.5, 19.5]]]
    np.testing.assert_array_equal(frame_scores.pooled(maps, 2), expected)


def test_cells_at_both_ends_hold_what_is_there():
    """Five columns in cells of two: the last one stands alone."""
    maps = np.array([[[1, 2, 3, 4, 5], [3, 4, 5, 6, 9]]], np.float32)
    expected = [[[2.5, 4.5, 7.0]]]
    np.testing.assert_array_equal(frame_scores.pooled(maps, 2), expected)
    # Twelve rows in cells of eight: six and six.
    maps = np.arange(12, dtype=np.float32).reshape(1, 12, 1)
    found = frame_scores.pooled(maps, 8)
    np.testing.assert_array_equal(found, [[[2.5], [8.5]]])


@pytest.mark.parametrize("size", [1, 2, 8])
def test_pooled_by_hand(size):
    maps = by_hand.draw(2, 12, 20)
    np.testing.assert_allclose(
        frame_scores.pooled(maps, size),
        by_hand.pool_cells(maps, size),
        atol=1e-6,
    )


def test_stored_error_map():
    target = np.tanh(by_hand.draw(2, *SIZE, 3, seed=1))
    prediction = np.tanh(by_hand.draw(2, *SIZE, 3, seed=2))
    # Absolute, on [0, 1].
    errors = (np.abs(target - prediction) / 2).mean(axis=-1)
    cells = errors.reshape(2, 36, 2, 20, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(
        frame_scores.stored_error_map(target, prediction), cells, rtol=1e-5
    )


@pytest.mark.parametrize("share", [0.1, 0.4, 1.0])
def test_largest_is_that_of_grids(share):
    maps = by_hand.draw(3, 9, 14)
    sides = grids.box((9, 14), share)
    for scale in (1.0, np.linspace(0.2, 1, 126).reshape(9, 14).astype("f4")):
        np.testing.assert_allclose(
            frame_scores.largest(maps, sides, scale),
            grids.largest(maps, share, scale),
            rtol=1e-5,
        )


def largest_by_hand(maps, sides, scale):
    """Cell by cell: the mean of what lies in the box; the largest of them."""
    height, width = maps.shape[1:]
    reach = [side // 2 for side in sides]
    means = np.zeros(maps.shape)
    for n, y, x in np.ndindex(maps.shape):
        rows = range(max(0, y - reach[0]), min(height, y + reach[0] + 1))
        columns = range(max(0, x - reach[1]), min(width, x + reach[1] + 1))
        around = [float(maps[n, i, j]) for i in rows for j in columns]
        means[n, y, x] = sum(around) / len(around)
    return (means / scale).max(axis=(1, 2))


@pytest.mark.parametrize("left_out", [None, "error", "distance", "memory"])
def test_online_evidence(left_out):
    errors = by_hand.draw(3, 36, 20, seed=7)
    distances = by_hand.draw(3, 9, 5, seed=8)
    # On a grid of eighths four stored cells of two pixels make one.
    grid = (errors / ERROR_SCALE).reshape(3, 9, 4, 5, 4).mean(axis=(2, 4))
    strength, places = 0.0, 0.0
    if left_out != "error":
        sides = grids.box((36, 20), grids.ERROR_SHARE)
        strong = largest_by_hand(errors, sides, ERROR_SCALE)
        strength = strength + 2.0 * (strong - 0.5) / 0.25
        places = places + 2.0 * (grid - 0.5) / 0.25
    if left_out not in ("distance", "memory"):
        sides = grids.box((9, 5), grids.DISTANCE_SHARE)
        far = largest_by_hand(distances, sides, DISTANCE_SCALE)
        strength = strength + 0.5 * (far - 0.125) / 4.0
        places = places + 0.5 * (distances / DISTANCE_SCALE - 0.125) / 4.0
    statistics = STATISTICS
    if left_out in ("error", "distance"):
        without = getattr(statistics, left_out)._replace(weight=0.0)
        statistics = statistics._replace(**{left_out: without})
    if left_out == "memory":
        distances, statistics = None, statistics._replace(distance=None)
    evidence, found = frame_scores.online_evidence(
        errors, distances, statistics, SIZE
    )
    np.testing.assert_allclose(evidence, strength, rtol=1e-4)
    np.testing.assert_allclose(found, places, rtol=1e-3, atol=1e-5)


def test_motion_evidence():
    cells = np.abs(by_hand.draw(3, 6, 7, seed=4))
    strong = largest_by_hand(cells, (3, 5), MOTION_SCALE)
    np.testing.assert_allclose(
        frame_scores.motion_evidence(cells, (3, 5), STATISTICS),
        3.0 * (strong - 0.25) / 0.5,
        rtol=1e-5,
    )


def test_online_score_is_the_level_at_each_knot_and_linear_between():
    evidence = np.array([-1.0, -0.25, 0.5, 1.75, 3.0], np.float32)
    np.testing.assert_allclose(
        frame_scores.online_score(evidence, STATISTICS),
        [0.1, 0.25, 0.4, 0.65, 0.9],
        rtol=1e-6,
    )


def test_online_score_halves_what_is_left_a_tail_further():
    evidence = np.array([-3.0, 5.0, 9.0], np.float32)
    np.testing.assert_allclose(
        frame_scores.online_score(evidence, STATISTICS),
        [0.1 / 2, 1 - 0.1 / 2, 1 - 0.1 / 4],
        rtol=1e-6,
    )


def test_online_score_never_stops_rising():
    """Nearly all abnormal frames lie beyond the last knot."""
    evidence = np.linspace(-60, 60, 2401).astype(np.float32)
    score = np.asarray(frame_scores.online_score(evidence, STATISTICS))
    assert np.all(np.diff(score) > 0)
    assert 0 < score[0] and score[-1] < 1


def test_online_score_of_one_knot():
    """Normal clips that were all alike."""
    alike = STATISTICS._replace(
        levels=np.array([0.5], np.float32), knots=np.array([2.0], np.float32)
    )
    np.testing.assert_allclose(
        frame_scores.online_score(np.array([0.0, 2.0, 4.0], np.float32), alike),
        [0.25, 0.5, 0.75],
    )
