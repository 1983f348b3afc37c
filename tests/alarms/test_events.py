"""Alarms against labels, by cases counted by hand."""

import math

import msgspec
import numpy as np
import pytest

from lgn_tf.alarms.alarms import Alarm, Timing
from lgn_tf.alarms.events import (
    EventResult,
    Match,
    evaluate_alarms,
    match_alarms,
    runs,
)
from lgn_tf.alarms.thresholds import leave_one_out
from tests.helpers.alarms_by_hand import NOW, peaks, poisson


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([], []),
        ([0], []),
        ([1], [(0, 0)]),
        ([1, 1, 1], [(0, 2)]),
        ([0, 1, 0, 0, 1, 1], [(1, 1), (4, 5)]),
        (np.array([True, False, True]), [(0, 0), (2, 2)]),
        (np.uint8([0, 1, 1, 0]), [(1, 2)]),
    ],
)
def test_runs(labels, expected):
    assert runs(labels) == expected


@pytest.mark.parametrize("bad", [[0, 2], [0.5], [math.nan], [[0, 1]]])
def test_labels_are_0_and_1(bad):
    with pytest.raises(ValueError, match=r"`labels` must be a series of 0"):
        runs(bad)


def test_match():
    labels = [0, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1, 0]
    # Two in the first event, a false one, and one that overlaps two events.
    found = [Alarm(2, 4, 4), Alarm(4, 5, 6), Alarm(7, 7, 7), Alarm(8, 9, 11)]
    assert match_alarms(found, labels) == Match(3, (2, 1, 0), 1)
    assert match_alarms(found[1:2], labels) == Match(3, (3,), 0)
    assert match_alarms([], labels) == Match(3, (), 0)


def test_an_alarm_that_sounds_already_has_no_delay():
    assert match_alarms([Alarm(0, 1, 5)], [0, 0, 0, 1, 1, 0]) == Match(
        1, (0,), 0
    )


def test_an_alarm_that_touches_an_event_does_not_overlap_it():
    beside = [Alarm(0, 0, 1), Alarm(4, 4, 5)]
    assert match_alarms(beside, [0, 0, 1, 1, 0, 0]) == Match(1, (), 2)


def test_one_common_frame_is_an_overlap():
    ends = [Alarm(0, 0, 2), Alarm(3, 4, 5)]
    labels = [0, 0, 1, 1, 0, 0]
    for one, delay in zip(ends, (0, 2), strict=True):
        assert match_alarms([one], labels) == Match(1, (delay,), 0)


def test_match_counts_from_the_first_frame_of_the_video():
    """The first three frames have no score; the event began in them."""
    labels = [0, 1, 1, 1, 1, 0, 0]
    assert match_alarms([Alarm(1, 1, 1)], labels, first=3) == Match(1, (3,), 0)
    assert match_alarms([Alarm(2, 2, 3)], labels, first=3) == Match(1, (), 1)
    # An event that no score could find was missed all the same.
    assert match_alarms([], [1, 0, 0], first=2) == Match(1, (), 0)


def test_match_wants_labels_of_all_frames():
    with pytest.raises(ValueError, match=r"Received: 3 labels, first=2"):
        match_alarms([Alarm(0, 0, 1)], [0, 0, 0], first=2)
    with pytest.raises(ValueError, match=r"first=-1"):
        match_alarms([], [0, 0, 0], first=-1)


@pytest.fixture
def result():
    scores = [[0, 0, 7, 7, 0, 0, 7, 0, 0], [7, 0, 7, 0, 0, 0]]
    labels = [
        [1, 1, 0, 1, 1, 1, 0, 0, 0, 0, 0],
        [0, 0, 0, 1, 1, 1, 0, 0],
    ]
    normal = [peaks(9, 8, 7, 6), peaks(7, 5)]
    return evaluate_alarms(
        scores, labels, normal, 1, (0.25, 1, 2), NOW, first=2
    )


def test_evaluate(result):
    few, some, many = result
    assert [one.rate for one in result] == [0.25, 1, 2]
    assert not few.supported
    assert few.threshold is few.found is few.false_alarms is few.promise is None
    assert few.events == 3
    # Scored normal frames: 6 of the first video, 3 of the second.
    assert few.normal_hours == 9 / 3600
    assert few.calibration_minutes == 120
    assert some.supported
    assert (some.threshold, some.found, some.false_alarms) == (8, 0, 0)
    assert (some.median_delay, some.false_alarm_rate) == (None, 0)
    assert many.threshold == 7
    # Frames of the video: alarms at 4 - 5 and 8, and at 2 and 4. The first
    # event of the first video has no score at all.
    assert many.found == pytest.approx(2 / 3)
    assert many.median_delay == 4 - 3
    assert many.false_alarms == 2
    assert many.false_alarm_rate == pytest.approx(2 / 9 * 3600)
    low, high = many.false_alarm_interval
    assert poisson(2, high * 9 / 3600) == pytest.approx(0.025)
    assert poisson(1, low * 9 / 3600) == pytest.approx(0.975)


def test_evaluate_checks_the_promise(result):
    normal = [peaks(9, 8, 7, 6), peaks(7, 5)]
    assert result[2].promise == leave_one_out(normal, 1, 2, NOW)
    assert result[2].promise.alarms == 4


def test_delays_are_seconds():
    """High five frames after the event began, and raised at the fifth."""
    scores = [0] * 10 + [3600] * 40
    labels = [0] * 5 + [1] * 45
    timing = Timing(minimum=0.5)
    (one,) = evaluate_alarms(
        [scores], [labels], [np.arange(3600)], 10, [10], timing
    )
    assert one.median_delay == pytest.approx(0.9)
    assert one.calibration_minutes == 6


def test_results_go_to_json_and_back(result):
    text = msgspec.json.encode(result)
    assert msgspec.json.decode(text, type=tuple[EventResult, ...]) == result


def test_evaluate_without_events_or_videos_or_normal_frames():
    normal = [peaks(9, 8)]
    (nothing,) = evaluate_alarms([], [], normal, 1, [1], NOW)
    assert (nothing.events, nothing.found, nothing.false_alarms) == (0, None, 0)
    assert nothing.false_alarm_rate is nothing.false_alarm_interval is None
    (quiet,) = evaluate_alarms([[0, 9, 0]], [[0, 0, 0]], normal, 1, [1], NOW)
    assert (quiet.events, quiet.found, quiet.false_alarms) == (0, None, 1)
    (all_abnormal,) = evaluate_alarms([[9, 9]], [[1, 1]], normal, 1, [1], NOW)
    assert (all_abnormal.found, all_abnormal.median_delay) == (1, 0)
    assert all_abnormal.false_alarm_rate is None
    (one,) = evaluate_alarms([[0, 9]], [[0, 1]], [], 1, [1], NOW)
    assert (one.supported, one.calibration_minutes) == (False, 0)


def test_saturated_calibration_is_supported_and_gives_no_threshold():
    (one,) = evaluate_alarms([[9]], [[1]], [peaks(9, 9)], 1, [1], NOW)
    assert (one.supported, one.threshold, one.found) == (True, None, None)


def test_evaluate_wants_a_label_a_frame():
    with pytest.raises(ValueError, match=r"\[3\] labels.*first=2 make \[4\]"):
        evaluate_alarms([[0, 1]], [[0, 1, 0]], [], 1, first=2)
    with pytest.raises(ValueError, match=r"first=-1"):
        evaluate_alarms([[0, 1]], [[0]], [], 1, first=-1)
