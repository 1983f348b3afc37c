"""A walkway with people, drawn: normal videos, and abnormal ones with masks.

People walk at a walking pace in two lanes, each with its direction, ground and
size; their number, clothes and gait vary. The place stays as it is, and a
camera with a little noise looks at it. The anomalies are those of `KINDS`; some
are faster than what is normal, others move less, or as all do, so that no
measure of motion finds them all. The same seed draws the same videos.
"""

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

from lgn_tf.data.synthetic import figures, scenes

KINDS = ("cart", "wrong-way", "fallen", "loiterer", "cyclist", "thrown")
"""The anomalies of the test videos, in turn.

A cart at walking pace; somebody who walks against the direction of the lane,
who falls and lies, or who stands still; a cyclist; a ball that is thrown.
"""

_NOISE = 1.5  # Deviation of the camera's noise, in gray levels.
_BLUR = 0.009  # Of the lens, a share of the picture's height.
_SHADE = 0.1  # Of the width, at both ends.
_LEAST_PIXELS = 6  # Fewer abnormal pixels than these nobody would label.


@dataclasses.dataclass(frozen=True)
class Clip:
    """One drawn video.

    Attributes:
        name: `01`, `02` ...
        kind: the anomaly in it, one of `KINDS`; empty in training videos.
        frames: uint8 (frames, height, width, channels).
        masks: bool (frames, height, width), True where a pixel is abnormal.
    """

    name: str
    kind: str
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
    _require_at_least(0, seed=seed, train=train, test=test)
    _require_at_least(1, frames=frames)
    _require_at_least(32, height=size[0], width=size[1])
    if channels not in (1, 3):
        raise ValueError(
            f"`channels` must be 1 or 3. Received: channels={channels}"
        )
    place = _background(np.random.default_rng([seed, 0]), size)
    clips = []
    for number in range(train + test):
        rng = np.random.default_rng([seed, 1, number])
        abnormal = number - train
        kind = "" if abnormal < 0 else KINDS[abnormal % len(KINDS)]
        name = f"{(number if abnormal < 0 else abnormal) + 1:02d}"
        clips.append(_clip(rng, name, kind, place, frames, channels))
    return Walkway(tuple(clips[:train]), tuple(clips[train:]))


def _require_at_least(least: int, **values: int) -> None:
    for name, value in values.items():
        if value < least:
            raise ValueError(
                f"`{name}` must be at least {least}. Received: {name}={value}"
            )


def _background(
    rng: np.random.Generator, size: tuple[int, int]
) -> NDArray[np.float32]:
    height, width = size
    picture = np.empty((height, width, 3), np.float32)
    wall, kerb = round(0.16 * height), round(scenes.KERB * height)
    for begin, end, colour, rough in (
        (0, wall, (95, 105, 100), 12),
        (wall, kerb, (165, 168, 170), 7),
        (kerb, height, (128, 132, 135), 10),
    ):
        # The same stones, whatever the size of the picture.
        stones = rng.normal(0, rough, (16, max(1, round(11 * width / height))))
        texture = cv2.resize(
            stones, (width, height), interpolation=cv2.INTER_CUBIC
        )[begin:end, :, None]
        picture[begin:end] = np.asarray(colour) + texture
    cv2.line(picture, (0, kerb), (width, kerb), (200, 205, 205), 1)
    cv2.line(picture, (0, wall), (width, wall), (70, 72, 75), 1)
    return picture.clip(20, 235)


def _clip(
    rng: np.random.Generator,
    name: str,
    kind: str,
    place: NDArray[np.float32],
    frames: int,
    channels: int,
) -> Clip:
    size = (place.shape[0], place.shape[1])
    crowd = scenes.crowd(rng, size, frames)
    # A test video holds both kinds of frames.
    least = min(0.1 * frames, 5)
    while True:
        event = scenes.anomaly(rng, kind, size, frames) if kind else []
        actors = sorted(crowd + event, key=lambda actor: actor.lane)
        pictures, masks = _film(actors, place, frames)
        seen = np.count_nonzero(masks.any(axis=(1, 2)))
        if not kind or least <= seen <= 0.9 * frames or frames < 10:
            break
    lit = _develop(rng, pictures, channels)
    return Clip(name, kind, lit, masks)


def _shade(width: int) -> NDArray[np.float64]:
    """Returns the light of each column: both ends of the walkway are dark.

    Who comes in steps out of the shade, little by little. Nothing could foresee
    them at a bright border.
    """
    share = np.linspace(0, 1, width)
    return 0.2 + 0.8 * np.clip(np.minimum(share, 1 - share) / _SHADE, 0, 1)


def _film(
    actors: list[scenes.Actor], place: NDArray[np.float32], frames: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    pictures = np.empty((frames, *place.shape), np.uint8)
    masks = np.zeros((frames, *place.shape[:2]), np.uint8)
    pictures[:] = place.astype(np.uint8)
    dark = _shade(place.shape[1]) < 0.5
    for time, (picture, mask) in enumerate(zip(pictures, masks, strict=True)):
        for actor in actors:
            pen = figures.Pen(picture, mask, actor.is_abnormal(time))
            actor.draw(pen, time)
        mask[:, dark] = 0  # Nobody would see it there.
        if np.count_nonzero(mask) < _LEAST_PIXELS:
            mask[:] = 0
    return pictures, masks.astype(bool)


def _develop(
    rng: np.random.Generator, pictures: NDArray[np.uint8], channels: int
) -> NDArray[np.uint8]:
    """Adds the lens and the noise of the camera, in gray or colour."""
    count, height, width, _ = pictures.shape
    result = np.empty((count, height, width, channels), np.uint8)
    light = float(rng.uniform(0.95, 1.05)) * _shade(width)[:, None]
    for time, picture in enumerate(pictures):
        shown = cv2.GaussianBlur(picture, (0, 0), _BLUR * height)
        if channels == 1:
            shown = cv2.cvtColor(shown, cv2.COLOR_BGR2GRAY)[..., None]
        grain = rng.standard_normal(shown.shape, np.float32) * _NOISE
        result[time] = np.clip(shown * light + grain, 0, 255).round()
    return result
