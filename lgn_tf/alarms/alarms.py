"""Alarms that an operator hears, made of one score a frame.

A `Rule` makes alarms of scores. A `Timing` is a rule in seconds, and without
the threshold. `Alarms` applies a rule frame by frame, from the past
alone.
"""

import dataclasses
import functools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lgn_tf.config import settings

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Rule:
    """The rule that makes alarms of scores; all lengths in frames.

    `minimum`, `merge` and the distance from `start` to `end` are what alarm
    systems call on-delay, off-delay and deadband (ANSI/ISA-18.2).

    Attributes:
        start: a run of high frames begins at a score of at least this.
        end: it lasts while scores are at least this; not above `start`.
        minimum: an alarm is raised at the frame at which the run is this long,
            so with 1 at its first frame.
        merge: where at most this many low frames lie between the last high
            one of an alarm and the next that reaches `start`, the alarm goes
            on: it is not raised anew, and the run need not be `minimum` long.
        cool_down: so many frames after the last frame of an alarm no new one
            is raised. A run that outlasts them is raised at the next frame.

    Raises:
        ValueError: for a value of another type, or out of bounds.
    """

    start: float
    end: float
    minimum: settings.AtLeastOne = 1
    merge: settings.Count = 0
    cool_down: settings.Count = 0

    def __post_init__(self) -> None:
        """Checks types and bounds."""
        settings.check(self)
        if not -math.inf < self.end <= self.start < math.inf:
            raise ValueError(
                "`start` and `end` must be finite, and `end` not above "
                f"`start`. Received: start={self.start}, end={self.end}"
            )

    @functools.cached_property
    def horizon(self) -> int:
        """Frames after its last one at which an alarm is forgotten."""
        return max(self.merge + 2, self.cool_down + 1)


@dataclasses.dataclass(frozen=True)
class Timing:
    """A rule without its threshold, in seconds.

    The defaults are reasons and not measurements. 0.3 s refuses the flash of
    a few frames, and costs no more delay than a person needs to look up. What
    comes back within 1 s is the same thing. In the second after that a person
    still looks at the picture, and needs no second alarm.

    Attributes:
        minimum, merge, cool_down: as in `Rule`. `cool_down` counts from the
            same frame as `merge`, so it does something only where it is longer.

    Raises:
        ValueError: for a value of another type, or a negative one.
    """

    minimum: settings.NotNegative = 0.3
    merge: settings.NotNegative = 1.0
    cool_down: settings.NotNegative = 2.0

    def __post_init__(self) -> None:
        """Checks types and bounds."""
        settings.check(self)

    def rule(self, threshold: float, fps: float) -> Rule:
        """Returns the rule in whole frames, the nearest.

        `end` is the same as `start`: then calibration chooses one number, and
        it does so whatever the range of the score. A share of `start` would
        depend on where the score has its zero. `merge` bridges flicker.

        Args:
            threshold: both `start` and `end`.
            fps: frames a second.
        """
        threshold, fps = float(threshold), float(fps)
        return Rule(
            threshold,
            threshold,
            max(1, round(self.minimum * fps)),
            round(self.merge * fps),
            round(self.cool_down * fps),
        )


TIMING = Timing()
"""The default timing."""


@dataclasses.dataclass(frozen=True)
class Alarm:
    """One alarm; frames count from 0.

    Attributes:
        first: the frame at which its scores became high.
        raised: the frame at which the operator hears of it.
        last: its last high frame; so far, while it still sounds.
    """

    first: int
    raised: int
    last: int


class Alarms:
    """Turns scores into alarms as they come, in constant memory.

    What is raised at a frame depends on this frame and those before it.

    Attributes:
        rule: of the alarms.
        frames: how many scores came so far.
        latest: the alarm that was raised last, or None.
    """

    def __init__(self, rule: Rule) -> None:
        """Starts before the first frame of a video."""
        self.rule = rule
        self.frames = 0
        self.latest: Alarm | None = None
        self._state = State(0, rule.horizon)
        self._first = 0  # Of the run of high frames that reaches up to now.

    @property
    def sounding(self) -> bool:
        """True while the latest alarm sounds: a next frame may prolong it.

        It does so for `merge` frames after its last high one.
        """
        return self._state.since <= self.rule.merge

    def step(self, score: float) -> bool:
        """Takes the next frame; returns whether an alarm is raised at it.

        Args:
            score: in any range; high means abnormal.

        Raises:
            ValueError: for a score that is not finite; the frame then does
                not count.
        """
        if not math.isfinite(score):
            raise ValueError(
                "A score must be a finite number. "
                f"Received: score={score} at frame {self.frames}"
            )
        frame, begun = self.frames, self._state.run > 0
        self.frames += 1
        high = score >= (self.rule.end if begun else self.rule.start)
        if high and not begun:
            self._first = frame
        self._state, raised = advance(self._state, high, self.rule)
        if raised:
            self.latest = Alarm(self._first, frame, frame)
        elif self.latest is not None and not self._state.since:
            self.latest = dataclasses.replace(self.latest, last=frame)
        return raised


class State(NamedTuple):
    """The past, as far as the next frames depend on it.

    Both numbers stop where more makes no difference, so that states are equal
    where all that follows is. Before the first frame they are 0 and `horizon`.

    Attributes:
        run: high frames in a row up to now, at most `Rule.minimum`.
        since: frames since the last one of an alarm, at most `Rule.horizon`.
    """

    run: int
    since: int


def advance(state: State, high: bool, rule: Rule) -> tuple[State, bool]:
    """The rule itself: takes the next frame.

    Args:
        state: after the frame before.
        high: whether the score reaches `start`, or `end` in a run of high
            frames.
        rule: its lengths.

    Returns:
        The state after this frame, and whether an alarm is raised at it.
    """
    since = min(state.since + 1, rule.horizon)
    if not high:
        return State(0, since), False
    run = min(state.run + 1, rule.minimum)
    if since <= rule.merge + 1:  # 1 where there is no gap: the alarm lasts.
        return State(run, 0), False
    if run < rule.minimum or since <= rule.cool_down:
        return State(run, since), False
    return State(run, 0), True


def find_alarms(scores: ArrayLike, rule: Rule) -> list[Alarm]:
    """Returns the alarms of one whole video, in order, by `Alarms`.

    Args:
        scores: (frames,), finite; may be empty.
        rule: of the alarms.

    Raises:
        ValueError: for scores that are not a finite series.
    """
    stream = Alarms(rule)
    found: list[Alarm] = []
    for score in finite_series(scores).tolist():
        raised = stream.step(score)
        if stream.latest is not None:
            if not raised:
                found.pop()
            found.append(stream.latest)
    return found


def finite_series(scores: ArrayLike) -> Array:
    """Returns scores as a float64 series (frames,).

    Args:
        scores: (frames,), finite; may be empty.

    Raises:
        ValueError: for scores that are not a finite series.
    """
    series = np.asarray(scores, np.float64)
    if series.ndim != 1 or not np.isfinite(series).all():
        raise ValueError(
            "`scores` must be a series of finite numbers, one a frame. "
            f"Received: shape {series.shape}, "
            f"{np.count_nonzero(~np.isfinite(series))} not finite"
        )
    return series
