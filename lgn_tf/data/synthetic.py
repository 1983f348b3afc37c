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

from lgn_tf.data import figures, scenes

KINDS = ("runner", "cyclist", "cart", "loiterer", "wrong-way", "thrown")
"""What happens in the test videos, in turn."""

_LEAST_PIXELS = 6  # Fewer abnormal pixels than these nobody would label.


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
        seen: NDArray[np.bool_] = self.masks.any(axis=(1, 2))
        return seen.astype(np.uint8)


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
    result: NDArray[np.float32] = picture + texture.astype(np.float32)
    return result.clip(20, 230)


def _clip(
    rng: np.random.Generator,
    name: str,
    kinds: tuple[str, ...],
    place: NDArray[np.float32],
    frames: int,
    channels: int,
) -> Clip:
    size = (place.shape[0], place.shape[1])
    crowd = scenes.crowd(rng, size, frames)
    while True:
        extra = [
            actor
            for kind in kinds
            for actor in scenes.anomaly(rng, kind, size, frames)
        ]
        actors = sorted(crowd + extra, key=lambda actor: actor.lane)
        pictures, masks = _film(actors, place, frames)
        seen = masks.any(axis=(1, 2)).mean()
        # A test video holds both kinds of frames.
        if not kinds or 0.1 <= seen <= 0.9 or frames < 10:
            break
    lit = _develop(rng, pictures, channels)
    return Clip(name, kinds, lit, masks)


def _film(
    actors: list[scenes.Actor], place: NDArray[np.float32], frames: int
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
