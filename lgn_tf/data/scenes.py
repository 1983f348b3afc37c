"""Who is on the walkway when: people on their way, and what is abnormal."""

import dataclasses
import math

import numpy as np

from lgn_tf.data import figures

_WALKING = 0.055  # Heights of a figure that it walks in a frame.


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
        """Whether what is done at this time is abnormal."""
        if self.kind == "loiterer":
            return self.pause[0] <= time < self.pause[1]
        return self.kind != "walker"

    def draw(self, pen: figures.Pen, time: float) -> None:
        """Draws the figure where it is at this time."""
        way = self.travelled(time)
        foot = (self.entrance + self.side * way, self.lane)
        # The legs follow the ground, whatever the speed.
        phase = self.phase + way / (self.look.stride * self.look.height) * 1.4
        if self.kind == "cyclist":
            figures.cyclist(pen, foot, self.look, 0.5 * phase, self.side)
        elif self.kind == "cart":
            figures.cart(pen, foot, self.look, self.side)
        elif self.kind == "thrown":
            self._fly(pen, way)
        else:
            lean = 0.1 * self.side if self.kind == "runner" else 0.0
            figures.walker(pen, foot, self.look, phase, lean)

    def _fly(self, pen: figures.Pen, way: float) -> None:
        reach = 2.6 * self.look.height
        if 0 <= way <= reach:
            share = way / reach
            rise = self.look.height * (0.7 + 2.4 * share * (1 - share))
            place = (self.entrance + self.side * way, self.lane - rise)
            figures.ball(pen, place, self.look)


def _actor(
    rng: np.random.Generator,
    kind: str,
    size: tuple[int, int],
    entry_time: float,
) -> Actor:
    height, width = size
    near = float(rng.random())
    upper = bool(rng.random() < 0.5)
    lane = height * (0.40 + 0.19 * near if upper else 0.66 + 0.31 * near)
    side = -1 if upper else 1
    tall = (0.10 + 0.42 * (lane / height - 0.28)) * height
    tall *= float(rng.uniform(0.85, 1.15))
    colours = rng.integers(25, 225, (2, 3)).tolist()
    # Three of four wear what a grey day suggests.
    if rng.random() < 0.75:
        level = int(rng.integers(25, 200))
        colours[0] = [level, level, min(255, level + 10)]
    look = figures.Look(
        tall,
        (colours[0][0], colours[0][1], colours[0][2]),
        (colours[1][0] // 2, colours[1][1] // 2, colours[1][2] // 2),
        (110, 140, 180),
        float(rng.uniform(0.17, 0.28)),
        float(rng.uniform(0.14, 0.22)),
    )
    faster = {"runner": 2.6, "cyclist": 2.3, "cart": 1.7, "thrown": 2.6}
    speed = tall * _WALKING * faster.get(kind, 1.0) * rng.uniform(0.7, 1.3)
    if kind == "wrong-way":
        side = -side
    entrance = -0.6 * tall if side > 0 else width + 0.6 * tall
    return Actor(
        kind,
        look,
        lane,
        side,
        float(speed),
        float(entrance),
        entry_time,
        float(rng.uniform(0, math.tau)),
    )


def anomaly(
    rng: np.random.Generator, kind: str, size: tuple[int, int], frames: int
) -> list[Actor]:
    """Draws lots for one event: a kind, at any time of a video.

    Returns:
        Who takes part in it, one figure or several throws.
    """
    # The stay begins anywhere from before the video to its end, so that no
    # position in the video is more abnormal than another.
    actor = _actor(rng, kind, size, 0.0)
    width = size[1]
    crossing = (width + 1.2 * actor.look.height) / actor.speed
    if kind == "loiterer":
        stay = float(rng.uniform(0.3, 0.6)) * frames
        begin = float(rng.uniform(-stay, frames))
        before = float(rng.uniform(0.2, 0.8)) * crossing
        pause = (begin, begin + stay)
        return [
            dataclasses.replace(actor, entry_time=begin - before, pause=pause)
        ]
    if kind == "thrown":
        flight = 2.6 * actor.look.height / actor.speed
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
    before = 3.0 * size[1] / (0.2 * size[0] * _WALKING * 2)
    rate = float(rng.uniform(0.02, 0.09))
    # A busy hour comes and goes within the video.
    rush, phase = float(rng.uniform(0.3, 1.0)), float(rng.uniform(0, math.tau))
    people: list[Actor] = []
    time = -before
    while time < frames:
        level = 1.0 + rush * math.sin(math.tau * time / frames + phase)
        time += float(rng.exponential(1 / (rate * max(level, 0.15))))
        people.append(_actor(rng, "walker", size, time))
        if rng.random() < 0.25:
            # Somebody walks beside them.
            twin = dataclasses.replace(
                people[-1],
                entry_time=time + float(rng.uniform(2, 8)),
                lane=people[-1].lane + 1.5,
                phase=float(rng.uniform(0, math.tau)),
            )
            people.append(twin)
    return people
