"""Draws what moves on a walkway: walkers, runners, cyclists, carts, balls.

All lengths are shares of the height of the figure, so a figure far away is the
same figure, smaller. y grows downwards; `foot` is where a figure stands.
"""

import dataclasses
import math

import cv2
import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]
_SHIFT = 4  # OpenCV takes places in sixteenths of a pixel.


@dataclasses.dataclass(frozen=True)
class Look:
    """How a figure looks.

    Attributes:
        height: in pixels.
        body, legs, head: blue, green, red, 0 to 255.
        width: of the trunk, a share of the height.
        stride: how far the feet swing, a share of the height.
    """

    height: float
    body: tuple[int, int, int]
    legs: tuple[int, int, int]
    head: tuple[int, int, int]
    width: float
    stride: float


class Pen:
    """Draws on a frame, and on the mask beside it.

    Args:
        frame: uint8 (height, width, 3), drawn on.
        mask: uint8 (height, width): abnormal figures write 1, and normal ones
            that stand before them 0.
        abnormal: whether what is drawn is abnormal.
    """

    def __init__(
        self, frame: NDArray[np.uint8], mask: NDArray[np.uint8], abnormal: bool
    ) -> None:
        """Takes both pictures."""
        self.frame = frame
        self.mask = mask
        self.value = int(abnormal)

    def line(
        self, start: Point, end: Point, colour: tuple[int, ...], width: float
    ) -> None:
        """Draws a stroke, `width` pixels wide."""
        pixels = max(1, round(width))
        ends = _fixed(start), _fixed(end)
        cv2.line(self.frame, *ends, colour, pixels, cv2.LINE_AA, _SHIFT)
        cv2.line(self.mask, *ends, self.value, pixels, cv2.LINE_8, _SHIFT)

    def ellipse(
        self,
        centre: Point,
        radii: Point,
        colour: tuple[int, ...],
        outline: int = -1,
    ) -> None:
        """Draws an ellipse, filled or as an outline of so many pixels."""
        place, axes = _fixed(centre), _fixed(radii)
        around = (0, 0, 360)
        cv2.ellipse(
            self.frame,
            place,
            axes,
            *around,
            colour,
            outline,
            cv2.LINE_AA,
            _SHIFT,
        )
        cv2.ellipse(
            self.mask,
            place,
            axes,
            *around,
            self.value,
            outline,
            cv2.LINE_8,
            _SHIFT,
        )


def _fixed(point: Point) -> tuple[int, int]:
    scale = 1 << _SHIFT
    return round(point[0] * scale), round(point[1] * scale)


def walker(
    pen: Pen, foot: Point, look: Look, phase: float, lean: float = 0.0
) -> None:
    """Draws somebody on foot.

    Args:
        pen: what draws.
        foot: where the figure stands.
        look: how it looks.
        phase: of the gait, in radians; a step is pi.
        lean: how far the head is before the hip, signed, for who runs.
    """
    x, y = foot
    h = look.height
    hip = (x, y - 0.48 * h)
    neck = (x + lean * h, y - 0.82 * h)
    swing = look.stride * h * math.sin(phase)
    lift = 0.06 * h * abs(math.cos(phase))
    shade = tuple(int(0.75 * level) for level in look.legs)
    pen.line(hip, (x - swing, y - lift), shade, 0.10 * h)
    pen.line(hip, (x + swing, y), look.legs, 0.10 * h)
    pen.line(neck, (neck[0] + 0.8 * swing, y - 0.5 * h), look.body, 0.07 * h)
    middle = ((hip[0] + neck[0]) / 2, (hip[1] + neck[1]) / 2)
    pen.ellipse(middle, (look.width * h / 2, 0.21 * h), look.body)
    pen.line(neck, (neck[0] - 0.8 * swing, y - 0.5 * h), look.body, 0.06 * h)
    pen.ellipse((neck[0], y - 0.91 * h), (0.065 * h, 0.085 * h), look.head)


def cyclist(pen: Pen, foot: Point, look: Look, phase: float, side: int) -> None:
    """Draws somebody on a bicycle; `side` is 1 to the right, -1 to the left."""
    x, y = foot
    h = look.height
    radius, reach = 0.19 * h, 0.30 * h
    axle = y - radius
    thin = max(1, round(0.03 * h))
    for wheel in (x - reach, x + reach):
        pen.ellipse((wheel, axle), (radius, radius), (40, 40, 40), thin)
    crank = (x, axle)
    saddle, bar = (
        (x - side * 0.1 * h, y - 0.5 * h),
        (
            x + side * 0.25 * h,
            y - 0.55 * h,
        ),
    )
    for end in (saddle, (x - reach, axle), bar):
        pen.line(crank, end, (50, 50, 60), 0.03 * h)
    pen.line(bar, (x + side * reach, axle), (50, 50, 60), 0.03 * h)
    pedal = (x + 0.09 * h * math.cos(phase), axle + 0.09 * h * math.sin(phase))
    pen.line(saddle, pedal, look.legs, 0.09 * h)
    shoulder = (x + side * 0.12 * h, y - 0.85 * h)
    pen.line(saddle, shoulder, look.body, look.width * h)
    pen.line(shoulder, bar, look.body, 0.06 * h)
    pen.ellipse(
        (shoulder[0] + side * 0.04 * h, y - 0.98 * h),
        (0.07 * h, 0.085 * h),
        look.head,
    )


def cart(pen: Pen, foot: Point, look: Look, side: int) -> None:
    """Draws a small motor cart with its driver."""
    x, y = foot
    h = look.height
    pen.line(
        (x - 0.45 * h, y - 0.3 * h),
        (x + 0.45 * h, y - 0.3 * h),
        look.legs,
        0.28 * h,
    )
    for wheel in (x - 0.33 * h, x + 0.33 * h):
        pen.ellipse((wheel, y - 0.11 * h), (0.11 * h, 0.11 * h), (30, 30, 30))
    seat = (x - side * 0.1 * h, y - 0.6 * h)
    pen.ellipse(seat, (0.1 * h, 0.18 * h), look.body)
    pen.ellipse((seat[0], y - 0.86 * h), (0.065 * h, 0.08 * h), look.head)
    for post in (-0.42, 0.42):
        pen.line(
            (x + post * h, y - 0.4 * h),
            (x + post * h, y - 1.02 * h),
            (90, 90, 90),
            0.03 * h,
        )
    pen.line(
        (x - 0.46 * h, y - 1.02 * h),
        (x + 0.46 * h, y - 1.02 * h),
        (190, 195, 200),
        0.06 * h,
    )


def ball(pen: Pen, centre: Point, look: Look) -> None:
    """Draws a thrown object."""
    radius = 0.11 * look.height
    pen.ellipse(centre, (radius, 0.8 * radius), look.body)
