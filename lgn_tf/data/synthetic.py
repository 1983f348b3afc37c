"""A walkway with people, drawn: normal videos, and abnormal ones with masks.

People walk in two lanes, each with its direction, at sizes that depend on how
far away they are, with varied gait, speed and clothes, alone and in crowds,
under light that changes and a camera that is noisy. The anomalies are those of
`KINDS`. The same seed draws the same videos.
"""

import dataclasses
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from lgn_tf.data import figures

KINDS = ("runner", "cyclist", "cart", "loiterer", "wrong-way", "thrown")
"""What happens in the test videos, in turn."""

_LEAST_PIXELS = 6  # Fewer abnormal pixels than these nobody would label.
_WALKING = 0.055  # Heights of a figure that it walks in a frame.


@dataclasses.dataclass(frozen=True)
class Clip:
    """One drawn video.

    Attributes:
        name: `01`, `02` ...
        kinds: the anomalies in it; none in training videos.
        frames: uint8 (frames, height, width, channels).
        masks: bool (frames, height, width), True where a pixel is abnormal.
    """

    name: str
    kinds: tuple[str, ...]
    frames: NDArray[np.uint8]
    masks: NDArray[np.bool_]

    @property
    def labels(self) -> NDArray[np.uint8]:
        """1 for each frame that shows an anomaly, uint8 (frames,)."""
        return self.masks.any(axis=(1, 2)).astype(np.uint8)


@dataclasses.dataclass(frozen=True)
class Walkway:
    """Training and test videos of one camera."""

    train: tuple[Clip, ...]
    test: tuple[Clip, ...]


def draw(
    seed: int = 0,
    *,
    train: int = 8,
    test: int = 6,
    frames: int = 120,
    size: tuple[int, int] = (120, 160),
    channels: int = 1,
) -> Walkway:
    """Draws a data set.

    Args:
        seed: at least 0; each seed is another camera and another crowd.
        train: number of normal videos.
        test: number of videos with anomalies, of each kind in turn.
        frames: frames of each video.
        size: (height, width) in pixels, at least 32 x 32.
        channels: 1 (gray) or 3 (blue, green, red).

    Raises:
        ValueError: for a number out of bounds.
    """
    for name, value, least in (
        ("seed", seed, 0),
        ("train", train, 0),
        ("test", test, 0),
        ("frames", frames, 1),
        ("height", size[0], 32),
        ("width", size[1], 32),
    ):
        if value < least:
            raise ValueError(
                f"`{name}` must be at least {least}. Received: {name}={value}"
            )
    if channels not in (1, 3):
        raise ValueError(
            f"`channels` must be 1 or 3. Received: channels={channels}"
        )
    place = _background(np.random.default_rng([seed, 0]), size)
    clips = []
    for number in range(train + test):
        rng = np.random.default_rng([seed, 1, number])
        abnormal = number - train
        kinds = () if abnormal < 0 else (KINDS[abnormal % len(KINDS)],)
        name = f"{(number if abnormal < 0 else abnormal) + 1:02d}"
        clips.append(_clip(rng, name, kinds, place, frames, channels))
    return Walkway(tuple(clips[:train]), tuple(clips[train:]))


def _background(
    rng: np.random.Generator, size: tuple[int, int]
) -> NDArray[np.float32]:
    height, width = size
    coarse = rng.normal(0, 1, (height // 4, width // 4, 3))
    texture = cv2.resize(coarse, (width, height)) * 5
    texture += rng.normal(0, 4, (height, width, 1))
    picture = np.empty((height, width, 3), np.float32)
    horizon = int(0.28 * height)
    picture[:horizon] = (90, 110, 95)
    picture[horizon:] = np.linspace(120, 165, height - horizon)[:, None, None]
    for x in np.linspace(-0.4, 1.4, 10) * width:
        centre = 0.5 * width
        top = (int(centre + 0.55 * (x - centre)), horizon)
        cv2.line(picture, top, (int(x), height), (105, 108, 110), 1)
    for x in rng.uniform(0, width, 7):
        radius = int(rng.uniform(0.08, 0.16) * height)
        centre_y = horizon - int(0.4 * radius)
        cv2.circle(picture, (int(x), centre_y), radius, (60, 85, 65), -1)
    middle = int(0.62 * height)
    cv2.line(picture, (0, middle), (width, middle), (95, 98, 98), 1)
    return np.clip(picture + texture, 20, 230).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class _Actor:
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
        begin, end = self.pause
        stood = min(max(time - begin, 0.0), end - begin) if begin < end else 0
        return self.speed * (time - self.entry_time - stood)

    def is_abnormal(self, time: float) -> bool:
        if self.kind == "loiterer":
            return self.pause[0] <= time < self.pause[1]
        return self.kind != "walker"

    def draw(self, pen: figures.Pen, time: float) -> None:
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
) -> _Actor:
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
    return _Actor(
        kind,
        look,
        lane,
        side,
        float(speed),
        float(entrance),
        entry_time,
        float(rng.uniform(0, math.tau)),
    )


def _anomaly(
    rng: np.random.Generator, kind: str, size: tuple[int, int], frames: int
) -> list[_Actor]:
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


def _clip(
    rng: np.random.Generator,
    name: str,
    kinds: tuple[str, ...],
    place: NDArray[np.float32],
    frames: int,
    channels: int,
) -> Clip:
    size = (place.shape[0], place.shape[1])
    crowd = _crowd(rng, size, frames)
    while True:
        extra = [
            actor
            for kind in kinds
            for actor in _anomaly(rng, kind, size, frames)
        ]
        actors = sorted(crowd + extra, key=lambda actor: actor.lane)
        pictures, masks = _film(actors, place, frames)
        seen = masks.any(axis=(1, 2)).mean()
        # A test video holds both kinds of frames.
        if not kinds or 0.1 <= seen <= 0.9 or frames < 10:
            break
    lit = _develop(rng, pictures, channels)
    return Clip(name, kinds, lit, masks)


def _crowd(
    rng: np.random.Generator, size: tuple[int, int], frames: int
) -> list[_Actor]:
    # Some who came in long ago are still in sight when the video starts.
    before = 3.0 * size[1] / (0.2 * size[0] * _WALKING * 2)
    rate = float(rng.uniform(0.02, 0.09))
    # A busy hour comes and goes within the video.
    rush, phase = float(rng.uniform(0.3, 1.0)), float(rng.uniform(0, math.tau))
    crowd, time = [], -before
    while time < frames:
        level = 1.0 + rush * math.sin(math.tau * time / frames + phase)
        time += float(rng.exponential(1 / (rate * max(level, 0.15))))
        crowd.append(_actor(rng, "walker", size, time))
        if rng.random() < 0.25:
            # Somebody walks beside them.
            twin = dataclasses.replace(
                crowd[-1],
                entry_time=time + float(rng.uniform(2, 8)),
                lane=crowd[-1].lane + 1.5,
                phase=float(rng.uniform(0, math.tau)),
            )
            crowd.append(twin)
    return crowd


def _film(
    actors: list[_Actor], place: NDArray[np.float32], frames: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    pictures = np.empty((frames, *place.shape), np.uint8)
    masks = np.zeros((frames, *place.shape[:2]), np.uint8)
    pictures[:] = place.astype(np.uint8)
    for time, (picture, mask) in enumerate(zip(pictures, masks, strict=True)):
        for actor in actors:
            pen = figures.Pen(picture, mask, actor.is_abnormal(time))
            actor.draw(pen, time)
        if np.count_nonzero(mask) < _LEAST_PIXELS:
            mask[:] = 0
    return pictures, masks.astype(bool)


def _develop(
    rng: np.random.Generator, pictures: NDArray[np.uint8], channels: int
) -> NDArray[np.uint8]:
    """Changes the light, adds the camera's noise, and drops the colour."""
    count, height, width, _ = pictures.shape
    result = np.empty((count, height, width, channels), np.uint8)
    period, phase = rng.uniform(40, 160), rng.uniform(0, math.tau)
    base, depth = rng.uniform(0.85, 1.15), rng.uniform(0.0, 0.12)
    flicker = rng.uniform(0.0, 0.012)
    noise = rng.uniform(1.0, 4.0)
    ramp = np.linspace(-1, 1, width, dtype=np.float32)[None, :, None]
    for time, picture in enumerate(pictures):
        angle = math.tau * time / period + phase
        gain = base + depth * math.sin(angle) + rng.normal(0, flicker)
        light = gain + 0.08 * math.cos(angle) * ramp
        shown = picture
        if channels == 1:
            shown = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)[..., None]
        grain = rng.standard_normal(shown.shape, np.float32) * noise
        result[time] = np.clip(shown * light + grain, 0, 255).round()
    return result
