"""Alarms against events: events found, delays, and false alarms.

An operator does not read areas under a curve. The operator hears an alarm, at
some frame, and either something is there or not. `match_alarms` compares the
alarms of one video with its events; `evaluate_alarms` counts over all videos.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from lgn_tf.alarms.alarms import (
    TIMING,
    Alarm,
    Array,
    Timing,
    find_alarms,
    finite_series,
)
from lgn_tf.alarms.thresholds import (
    Promise,
    leave_one_out,
    poisson_interval,
    threshold_for,
)


def runs(labels: ArrayLike) -> list[tuple[int, int]]:
    """Returns the events: the maximal runs of abnormal frames.

    Args:
        labels: (frames,), 0 normal or 1 abnormal.

    Returns:
        For each its first and its last frame.

    Raises:
        ValueError: for labels that are not a series of 0 and 1.
    """
    marks = np.asarray(labels)
    if marks.ndim != 1 or not np.isin(marks, (0, 1)).all():
        raise ValueError(
            "`labels` must be a series of 0 and 1, one a frame. "
            f"Received: shape {marks.shape}, values {np.unique(marks)[:5]}"
        )
    edges = np.diff(marks.astype(np.int8), prepend=0, append=0)
    firsts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return list(zip(firsts.tolist(), (ends - 1).tolist(), strict=True))


@dataclasses.dataclass(frozen=True)
class Match:
    """The events that the alarms of one video found, and false alarms.

    Attributes:
        events: in the video.
        delays: of each event that was found, in order, the frames from its
            first to the one at which an alarm that overlaps it was raised, the
            earliest counts; 0 where that alarm was raised before.
        false_alarms: alarms that overlap no event.
    """

    events: int
    delays: tuple[int, ...]
    false_alarms: int


def match_alarms(
    alarms: Sequence[Alarm], labels: ArrayLike, first: int = 0
) -> Match:
    """Compares alarms with the events of the same video.

    An alarm and an event overlap where they share a frame; an alarm reaches
    from `Alarm.first` to `Alarm.last`. It finds each event that it overlaps.

    Args:
        alarms: of the video, frames counted from the first scored one.
        labels: (frames,) of the whole video.
        first: how many frames of the video come before the first scored one.
            An event there counts: a camera would miss it.

    Raises:
        ValueError: for labels that are not 0 and 1, or too few for the alarms.
    """
    events = runs(labels)
    if first < 0 or any(a.last + first >= np.size(labels) for a in alarms):
        raise ValueError(
            "`labels` must cover `first` frames and all that were scored. "
            f"Received: {np.size(labels)} labels, first={first}"
        )
    delays = []
    hits: set[Alarm] = set()
    for begin, end in events:
        over = [
            a
            for a in alarms
            if a.first + first <= end and a.last + first >= begin
        ]
        hits.update(over)
        if over:
            raised = min(a.raised for a in over) + first
            delays.append(max(0, raised - begin))
    return Match(len(events), tuple(delays), len(set(alarms) - hits))


@dataclasses.dataclass(frozen=True)
class EventResult:
    """Alarms in the test videos, for one rate of false alarms an hour.

    Fields that need a threshold are None where there is none.

    Attributes:
        rate: false alarms an hour that are allowed.
        supported: whether the calibration video is long enough for one alarm
            at this rate.
        threshold: as `threshold_for` chose it.
        events: in the test videos.
        found: of them, the share that an alarm overlaps; None without events.
        median_delay: of the events that were found, in seconds; None where
            there are none.
        false_alarms: alarms in the test videos that overlap no event.
        normal_hours: normal frames that were scored in the test videos, those
            between and beside events too. All of a false alarm lies in them.
        false_alarm_rate: false alarms by `normal_hours`; None for no hours.
        false_alarm_interval: its exact 95 % Poisson interval.
        calibration_minutes: of normal video behind the threshold.
        promise: the same rate checked on the calibration videos.
    """

    rate: float
    supported: bool
    threshold: float | None
    events: int
    normal_hours: float
    calibration_minutes: float
    promise: Promise | None
    found: float | None = None
    median_delay: float | None = None
    false_alarms: int | None = None
    false_alarm_rate: float | None = None
    false_alarm_interval: tuple[float, float] | None = None


def evaluate_alarms(
    videos: Sequence[ArrayLike],
    labels: Sequence[ArrayLike],
    calibration_videos: Sequence[ArrayLike],
    fps: float,
    rates: Sequence[float] = (1.0, 6.0, 60.0),
    timing: Timing = TIMING,
    first: int = 0,
) -> tuple[EventResult, ...]:
    """Counts found events and false alarms, at each allowed rate.

    Six an hour are what EEMUA publication 191 calls acceptable in the long
    run, for all alarms that one operator gets; one a minute is far too many.

    Args:
        videos: scores of the test videos, each (frames,).
        labels: of each, (`first` + frames,), 0 normal or 1 abnormal.
        calibration_videos: scores of normal videos, each (frames,). The model
            must not be fitted on them, or the thresholds come out too low.
        fps: frames a second.
        rates: alarms an hour.
        timing: the rule without its threshold.
        first: frames of each test video before the first scored one.

    Returns:
        One result for each rate, in their order.

    Raises:
        ValueError: as `threshold_for`; for labels that do not fit the scores.
    """
    scores = [finite_series(one) for one in videos]
    wanted = [first + len(one) for one in scores]
    received = [np.size(one) for one in labels]
    if first < 0 or wanted != received:
        raise ValueError(
            "There must be a label for each of the `first` frames and of the "
            f"scores. Received: {received} labels, scores and first={first} "
            f"make {wanted}"
        )
    return tuple(
        _result(
            float(rate),
            scores,
            labels,
            [finite_series(one) for one in calibration_videos],
            float(fps),
            timing,
            first,
        )
        for rate in rates
    )


def _result(
    rate: float,
    scores: Sequence[Array],
    labels: Sequence[ArrayLike],
    calibration: Sequence[Array],
    fps: float,
    timing: Timing,
    first: int,
) -> EventResult:
    frames = sum(map(len, calibration))
    normal = sum(int(np.sum(np.equal(one, 0)[first:])) for one in labels)
    threshold = threshold_for(calibration, fps, rate, timing)
    blank = EventResult(
        rate=rate,
        supported=rate * frames >= 3600 * fps,
        threshold=threshold,
        events=sum(len(runs(one)) for one in labels),
        normal_hours=normal / fps / 3600,
        calibration_minutes=frames / fps / 60,
        promise=leave_one_out(calibration, fps, rate, timing),
    )
    if threshold is None:
        return blank
    rule = timing.rule(threshold, fps)
    matches = [
        match_alarms(find_alarms(one, rule), marks, first)
        for one, marks in zip(scores, labels, strict=True)
    ]
    delays = [delay for one in matches for delay in one.delays]
    false, hours = sum(one.false_alarms for one in matches), blank.normal_hours
    return dataclasses.replace(
        blank,
        found=len(delays) / blank.events if blank.events else None,
        median_delay=float(np.median(delays)) / fps if delays else None,
        false_alarms=false,
        false_alarm_rate=false / hours if hours else None,
        false_alarm_interval=poisson_interval(false, hours) if hours else None,
    )
