"""The threshold of alarms, by the false alarms an hour that are allowed.

`threshold_for` chooses it on normal video, and `leave_one_out` checks on the
same video the rate that it promises.
"""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lgn_tf.alarms.alarms import (
    TIMING,
    Array,
    Rule,
    State,
    Timing,
    advance,
    find_alarms,
    finite_series,
)

_SHARE = 0.1
# Of normal frames, may reach a threshold: what is usual is no alarm.


@dataclasses.dataclass(frozen=True)
class Promise:
    """A promised rate of false alarms against the one that was found.

    Attributes:
        rate: promised, alarms an hour.
        found: alarms an hour on normal videos, each with the threshold that
            the others gave.
        interval: 95 % interval of `found`, exact for alarms that come
            independently of each other (a Poisson process).
        alarms: that were raised.
        hours: of normal video.
    """

    rate: float
    found: float
    interval: tuple[float, float]
    alarms: int
    hours: float


def threshold_for(
    videos: Sequence[ArrayLike],
    fps: float,
    rate: float,
    timing: Timing = TIMING,
) -> float | None:
    """Chooses the threshold by the false alarms an hour that are allowed.

    It is the smallest of the observed scores at which, and at every larger
    one, normal video raises at most `rate` alarms an hour; and which at most a
    tenth of the frames reach. Else a low threshold could win at which alarms
    grow together: one alarm that hardly ever ends is only one.

    Args:
        videos: scores of normal videos, each (frames,), in any range.
        fps: frames a second.
        rate: alarms an hour.
        timing: the rule without its threshold.

    Returns:
        The threshold. None where the videos are too short to hold one alarm
        at this rate (hours * rate < 1): then they cannot tell it from lower
        ones. None also where even the largest score is reached too often:
        above it nothing was observed.

    Raises:
        ValueError: for a score that is not finite, or `fps` or `rate` that is
            not positive.
    """
    series = [finite_series(one) for one in videos]
    everything = np.ones((1, len(series)), bool)
    return _thresholds(series, everything, fps, rate, timing)[0]


def leave_one_out(
    videos: Sequence[ArrayLike],
    fps: float,
    rate: float,
    timing: Timing = TIMING,
) -> Promise | None:
    """Checks a promised rate: each video by the threshold of the others.

    Args:
        videos: scores of normal videos, each (frames,).
        fps: frames a second.
        rate: alarms an hour.
        timing: the rule without its threshold.

    Returns:
        What was promised and found; None where for any of the videos the
        others give no threshold.

    Raises:
        ValueError: as `threshold_for`.
    """
    series = [finite_series(one) for one in videos]
    others = ~np.eye(len(series), dtype=bool)
    count = 0
    for one, threshold in zip(
        series, _thresholds(series, others, fps, rate, timing), strict=True
    ):
        if threshold is None:
            return None
        count += len(find_alarms(one, timing.rule(threshold, fps)))
    if not series:
        return None
    hours = sum(map(len, series)) / float(fps) / 3600
    interval = poisson_interval(count, hours)
    return Promise(float(rate), count / hours, interval, count, hours)


def poisson_interval(count: int, hours: float) -> tuple[float, float]:
    """Returns the exact 95 % interval of a rate.

    Args:
        count: alarms that came independently of each other.
        hours: in which they came, above 0.

    Returns:
        Its two ends, alarms an hour; the lower is 0 where none came.

    Reference:
        Garwood, Fiducial limits for the Poisson distribution, Biometrika 28,
        1936.
    """
    # Imported late: it takes seconds, and a threshold needs no statistics.
    from scipy.stats import chi2

    low = chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    high = chi2.ppf(0.975, 2 * count + 2) / 2
    return float(low / hours), float(high / hours)


def _thresholds(
    videos: Sequence[Array],
    chosen: NDArray[np.bool_],
    fps: float,
    rate: float,
    timing: Timing,
) -> list[float | None]:
    """Chooses thresholds for several choices of the videos at once.

    Args:
        videos: scores of normal videos.
        chosen: (choices, videos), which videos each choice holds.
        fps: frames a second.
        rate: alarms an hour.
        timing: the rule without its threshold.
    """
    for name, value in (("fps", fps), ("rate", rate)):
        if not 0 < value < math.inf:
            raise ValueError(
                f"`{name}` must be positive. Received: {name}={value}"
            )
    lengths = np.array([len(one) for one in videos], int)
    frames = chosen @ lengths
    allowed = rate * frames / (3600 * fps)
    falling = allowed >= 1  # Choices whose threshold may still fall.
    counts, high = np.zeros((2, len(chosen)), int)
    thresholds = np.full(len(chosen), np.nan)
    descent = _descent(videos, timing.rule(0.0, fps))
    for score, group in itertools.groupby(descent, key=lambda one: one[0]):
        if not falling.any():
            break
        before = high.copy()
        for _, video, gain in group:
            counts += gain * chosen[:, video]
            high += chosen[:, video]
        falling &= (counts <= allowed) & (high <= _SHARE * frames)
        thresholds[falling & (high > before)] = score
    return [None if math.isnan(one) else float(one) for one in thresholds]


def _descent(
    videos: Sequence[Array], rule: Rule
) -> Iterator[tuple[float, int, int]]:
    """Lowers the threshold over all frames, from the largest score down.

    A frame that becomes high changes the states of those that follow, up to
    one whose state stays the same: no further ones are computed again.

    Args:
        videos: finite scores.
        rule: with `end` the same as `start`; which number it is counts not.

    Yields:
        The score, its video, and how many alarms that video then has more.
    """
    start = State(0, rule.horizon)
    states = [[start] * len(one) for one in videos]
    high = [[False] * len(one) for one in videos]
    raised = [[False] * len(one) for one in videos]
    places = [
        (v, frame) for v, one in enumerate(videos) for frame in range(len(one))
    ]
    scores = np.concatenate([np.empty(0), *videos])
    for index in np.argsort(-scores, kind="stable"):
        video, frame = places[index]
        high[video][frame] = True
        state = states[video][frame - 1] if frame else start
        gain = 0
        for later in range(frame, len(videos[video])):
            state, now = advance(state, high[video][later], rule)
            gain += now - raised[video][later]
            raised[video][later] = now
            if state == states[video][later]:
                break
            states[video][later] = state
        yield float(scores[index]), video, gain
