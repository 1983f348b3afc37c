"""Thresholds against all alarms counted again at each observed score."""

import math

import numpy as np
import pytest

from lgn_tf.alarms.alarms import Timing, find_alarms
from lgn_tf.alarms.thresholds import leave_one_out, threshold_for
from tests.helpers.alarms_by_hand import NOW, alarms_by_hand, peaks, poisson


def threshold_by_hand(videos, fps, rate, timing):
    """Counts all alarms of all videos again at each observed score."""
    values = [float(value) for one in videos for value in one]
    if len(values) / fps / 3600 * rate < 1:
        return None
    threshold = None
    for score in sorted(set(values), reverse=True):
        rule = timing.rule(score, fps)
        count = sum(len(alarms_by_hand(one, rule)) for one in videos)
        reached = sum(value >= score for value in values)
        if (
            count > len(values) / fps / 3600 * rate
            or reached > len(values) / 10
        ):
            break
        threshold = score
    return threshold


def drawn_calibration(seed):
    """Videos, the rate and the timing, at a frame a second."""
    random = np.random.default_rng(seed)
    videos = [
        np.round(np.cumsum(random.normal(size=count)) % 7, 1)
        for count in random.integers(0, 250, random.integers(1, 6))
    ]
    timing = Timing(*random.integers(0, [4, 6, 9]).tolist())
    # 3600 divided by the rate is the frames of one alarm.
    return videos, float(random.integers(8, 120)), timing


@pytest.mark.parametrize("seed", range(60))
def test_threshold_for(seed):
    videos, rate, timing = drawn_calibration(seed)
    result = threshold_for(videos, 1, rate, timing)
    assert result == threshold_by_hand(videos, 1, rate, timing)


@pytest.mark.parametrize("seed", range(60))
def test_leave_one_out_takes_the_threshold_of_the_others(seed):
    videos, rate, timing = drawn_calibration(seed)
    thresholds = [
        threshold_by_hand(videos[:left] + videos[left + 1 :], 1, rate, timing)
        for left in range(len(videos))
    ]
    check = leave_one_out(videos, 1, rate, timing)
    if None in thresholds:
        assert check is None
        return
    assert check.alarms == sum(
        len(alarms_by_hand(video, timing.rule(threshold, 1)))
        for video, threshold in zip(videos, thresholds, strict=True)
    )


def test_the_drawn_calibrations_give_thresholds_and_none():
    """Else the comparisons above would say little."""
    drawn_ones = [drawn_calibration(seed) for seed in range(60)]
    for function in (threshold_for, leave_one_out):
        given = [function(v, 1, rate, timing) for v, rate, timing in drawn_ones]
        assert 15 <= sum(one is not None for one in given) <= 55


def test_the_threshold_is_the_smallest_that_keeps_the_rate():
    video = peaks(2, 9, 5, 8, 6, 7)
    for rate, threshold in ((1, 9), (2, 8), (3.9, 7), (4, 6), (5, 5)):
        assert threshold_for([video], 1, rate, NOW) == threshold
        assert threshold_for([video - 100], 1, rate, NOW) == threshold - 100


def test_a_threshold_is_not_below_one_that_breaks_the_rate():
    """At 2 the three peaks have grown together to a single alarm."""
    video = peaks(9)
    video[1000:1005] = [8, 2, 8, 2, 8]
    counts = [
        len(find_alarms(video, NOW.rule(level, 1))) for level in (9, 8, 2)
    ]
    assert counts == [1, 4, 2]
    assert threshold_for([video], 1, 2, NOW) == 9


def test_what_is_usual_is_no_alarm():
    """One alarm without an end is one alarm, but a tenth may be high."""
    rising = np.arange(3600)
    assert threshold_for([rising], 1, 1, NOW) == 3240
    assert threshold_for([np.zeros(3600)], 1, 1000, NOW) is None


def test_a_rate_is_supported_from_one_alarm_on():
    ten_minutes = np.arange(6000)
    assert threshold_for([ten_minutes], 10, 6, NOW) == 5400
    assert threshold_for([ten_minutes[1:]], 10, 6, NOW) is None
    halves = [ten_minutes[:2999], ten_minutes[2999:]]
    assert threshold_for(halves, 10, 6, NOW) == 5400
    assert threshold_for(halves[1:], 10, 6, NOW) is None


def test_a_score_that_is_reached_too_often_gives_no_threshold():
    """Above where the scores saturate, nothing was observed."""
    saturated = peaks(9, 9, 9, 4)
    assert threshold_for([saturated], 1, 3, NOW) == 9
    assert threshold_for([saturated], 1, 4, NOW) == 4
    assert threshold_for([saturated], 1, 2, NOW) is None


@pytest.mark.parametrize("value", [-3.5, 0.0, 1.0])
def test_constant_videos_give_no_threshold(value):
    videos = [np.full(1800, value), np.full(5400, value)]
    assert threshold_for(videos, 1, 60, NOW) is None
    assert leave_one_out(videos, 1, 60, NOW) is None


def test_no_video_supports_nothing():
    for videos in ([], [[]], [[], []]):
        assert threshold_for(videos, 10, 60) is None
        assert leave_one_out(videos, 10, 60) is None


@pytest.mark.parametrize("count", [0, 1, 7])
def test_calibration_refuses_what_is_no_number(count):
    videos = [np.zeros(9)] * count + [[0, math.nan]]
    for function in (threshold_for, leave_one_out):
        with pytest.raises(ValueError, match=r"finite.*1 not finite"):
            function(videos, 10, 60)


@pytest.mark.parametrize("bad", [0, -1, math.nan, math.inf])
def test_rates_are_positive(bad):
    for function in (threshold_for, leave_one_out):
        with pytest.raises(ValueError, match="`fps` must be positive"):
            function([[1.0]], bad, 60)
        with pytest.raises(ValueError, match="`rate` must be positive"):
            function([[1.0]], 10, bad)


def test_leave_one_out():
    # One alarm an hour is two in two hours: the second largest peak of the
    # two others is the threshold.
    videos = [peaks(9, 8, 7, 6), peaks(5, 4), peaks(3, 2)]
    check = leave_one_out(videos, 1, 1, NOW)
    # At 4 and more there are four, and none at 8 and more, twice.
    assert (check.rate, check.alarms, check.hours) == (1, 4, 3)
    assert check.found == pytest.approx(4 / 3)
    low, high = check.interval
    assert poisson(4, 3 * high) == pytest.approx(0.025)
    assert poisson(3, 3 * low) == pytest.approx(0.975)


def test_leave_one_out_without_an_alarm():
    videos = [peaks(9, 8), peaks(5, 4), peaks(3, 2)]
    check = leave_one_out(videos, 1, 1, Timing(2, 0, 0))
    assert (check.alarms, check.found, check.interval[0]) == (0, 0, 0)
    assert math.exp(-3 * check.interval[1]) == pytest.approx(0.025)


def test_leave_one_out_is_not_below_a_threshold_that_breaks_the_rate():
    """Also not while the threshold of other choices still falls."""
    joining = peaks(9)
    joining[1000:1005] = [8, 2, 8, 2, 8]
    check = leave_one_out([joining, peaks(5), peaks(1)], 1, 1, NOW)
    # The two others give the first one 1, and it gives them 9.
    assert check.alarms == len(find_alarms(joining, NOW.rule(1, 1))) == 2


def test_leave_one_out_of_one_video_is_none():
    assert leave_one_out([peaks(5, 4)], 1, 1, NOW) is None


def test_leave_one_out_wants_enough_of_each_choice():
    """Without the long video the others do not hold one alarm."""
    videos = [peaks(5, 4), peaks(3, frames=600), peaks(2, frames=600)]
    assert leave_one_out(videos, 1, 2.9, NOW) is None
    assert leave_one_out(videos, 1, 3, NOW) is not None
