"""People on the walkway: their ways, their times, and the anomalies."""

import dataclasses
import math
from typing import NamedTuple

import numpy as np

from lgn_tf.data.synthetic import figures

_WALKING = 0.115  # Heights of a figure that it walks in a frame.


class Lane(NamedTuple):
    """A lane that people walk one way; lengths are shares of the picture.

    Attributes:
        top, bottom: where feet are.
        tall: height of a grown-up, of that of the picture.
        side: 1 to the right, -1 to the left.
    """

    top: float
    bottom: float
    tall: float
    side: int


FAR, NEAR = Lane(0.42, 0.47, 0.29, -1), Lane(0.87, 0.93, 0.37, 1)
KERB = 0.52  # Between both lanes.


@dataclasses.dataclass(frozen=True)
class Actor:
    """Someone on their way; times in frames, places in pixels."""

    kind: str
    look: figures.Look
    lane: float
    side: int
    speed: float
    entrance: float
    entry_time: float
    phase: float
    pause: tuple[float, float] = (math.inf, math.inf)

    def travelled(self, time: float) -> float:
        """Returns the pixels gone since the entrance."""
        begin, end = self.pause
        stood = min(max(time - begin, 0.0), end - begin) if begin < end else 0
        return self.speed * (time - self.entry_time - stood)

    def is_abnormal(self, time: float) -> bool:
        """True where the figure does something abnormal at this time."""
        if self.kind in ("loiterer", "fallen"):
            return self.pause[0] <= time < self.pause[1]
        return self.kind != "walker"

    def draw(self, pen: figures.Pen, time: float) -> None:
        """Draws the figure where it is at this time."""
        way = self.travelled(time)
        foot = (self.entrance + self.side * way, self.lane)
        margin = 1.2 * self.look.height
        if not -margin < foot[0] < pen.frame.shape[1] + margin:
            return
        # The legs follow the ground, whatever the speed.
        stride = self.look.stride * self.look.height
        phase = self.phase + math.pi / 2 * way / stride
        if self.kind == "cyclist":
            figures.cyclist(pen, foot, self.look, 0.3 * phase, self.side)
        elif self.kind == "cart":
            figures.cart(pen, foot, self.look)
        elif self.kind == "thrown":
            self._fly(pen, way)
        else:
            tilt = self._tilt(time) if self.kind == "fallen" else 0.0
            figures.walker(pen, foot, self.look, phase, self.side, tilt)

    def _tilt(self, time: float) -> float:
        # Down in six frames, up again in six, and trying to in between.
        begin, end = self.pause
        lying = min((time - begin + 1) / 6, (end - time) / 6, 1.0)
        angle = 0.42 + 0.06 * math.sin(0.7 * (time - begin) + self.phase)
        return math.pi * angle * max(lying, 0.0)

    def _fly(self, pen: figures.Pen, way: float) -> None:
        reach = 3.0 * self.look.height
        if 0 <= way <= reach:
            share = way / reach
            rise = self.look.height * (0.7 + 2.0 * share * (1 - share))
            place = (self.entrance + self.side * way, self.lane - rise)
            figures.ball(pen, place, self.look)


def _actor(
    rng: np.random.Generator,
    kind: str,
    size: tuple[int, int],
    entry_time: float,
) -> Actor:
    height, width = size
    lane = FAR if rng.random() < 0.5 else NEAR
    tall = lane.tall * height * float(rng.uniform(0.92, 1.08))
    faster = {"cyclist": 2.1, "thrown": 2.6}
    pace = float(rng.uniform(0.92, 1.08)) * faster.get(kind, 1.0)
    speed = lane.tall * height * _WALKING * pace
    side = -lane.side if kind == "wrong-way" else lane.side
    return Actor(
        kind,
        _look(rng, tall),
        height * float(rng.uniform(lane.top, lane.bottom)),
        side,
        speed,
        -0.6 * tall if side > 0 else width + 0.6 * tall,
        entry_time,
        float(rng.uniform(0, math.tau)),
    )


def _look(rng: np.random.Generator, tall: float) -> figures.Look:
    # Clothes are dark or bright, never of the colour of the ground.
    body, legs, load = (
        tuple(
            int(level)
            for level in rng.integers(15, 75, 3)
            + (160 if rng.random() < bright else 0)
        )
        for bright in (0.3, 0.1, 0.3)
    )
    return figures.Look(
        tall,
        body,
        legs,
        (60, 75, 110),
        load,
        float(rng.uniform(0.20, 0.30)),
        float(rng.uniform(0.20, 0.26)),
        float(rng.uniform(0.12, 0.20)),
    )


def anomaly(
    rng: np.random.Generator, kind: str, size: tuple[int, int], frames: int
) -> list[Actor]:
    """Draws lots for one anomaly of a kind, at any time of a video.

    Returns:
        The actors in it: one figure, or several throws.
    """
    # The stay begins anywhere from before the video to its end, so that no
    # position in the video is more abnormal than another.
    actor = _actor(rng, kind, size, 0.0)
    width = size[1]
    crossing = (width + 1.2 * actor.look.height) / actor.speed
    if kind in ("loiterer", "fallen"):
        stay = float(rng.uniform(0.3, 0.6)) * frames
        begin = float(rng.uniform(-stay, frames))
        before = float(rng.uniform(0.3, 0.7)) * crossing
        pause = (begin, begin + stay)
        return [
            dataclasses.replace(actor, entry_time=begin - before, pause=pause)
        ]
    if kind == "thrown":
        flight = 3.0 * actor.look.height / actor.speed
        first = float(rng.uniform(-4 * flight, frames))
        return [
            dataclasses.replace(
                actor,
                entrance=float(rng.uniform(0.2, 0.8)) * width,
                side=actor.side * (-1) ** throw,
                entry_time=first + 1.1 * throw * flight,
            )
            for throw in range(4)
        ]
    begin = float(rng.uniform(-crossing, frames))
    return [dataclasses.replace(actor, entry_time=begin)]


def crowd(
    rng: np.random.Generator, size: tuple[int, int], frames: int
) -> list[Actor]:
    """Draws lots for everybody who walks by in a video, as they should."""
    # Some who came in long ago are still in sight when the video starts.
    before = 2 * size[1] / (FAR.tall * size[0] * _WALKING)
    rate = float(rng.uniform(0.04, 0.12))
    # A busy hour comes and goes within the video.
    rush, phase = float(rng.uniform(0.3, 1.0)), float(rng.uniform(0, math.tau))
    people: list[Actor] = []
    time = -before
    while time < frames:
        level = 1.0 + rush * math.sin(math.tau * time / frames + phase)
        time += float(rng.exponential(1 / (rate * max(level, 0.15))))
        people.append(_actor(rng, "walker", size, time))
    return people
