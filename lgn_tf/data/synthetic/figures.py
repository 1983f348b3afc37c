"""Draws all that moves on a walkway: people, cyclists, carts, balls.

All lengths are shares of the height of the figure, so a figure far away is the
same figure, smaller. y grows downwards; `foot` is where a figure stands.
`side` is 1 for who faces right, -1 for who faces left.
"""

import dataclasses
import functools
import math

import cv2
import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]
Colour = tuple[int, ...]
_SHIFT = 4  # OpenCV takes places in sixteenths of a pixel.
_STEEL, _TYRE = (70, 70, 75), (35, 35, 35)


@dataclasses.dataclass(frozen=True)
class Look:
    """The look of a figure.

    Attributes:
        height: in pixels.
        body, legs, head, load: blue, green, red, 0 to 255.
        width: of the trunk, a share of the height.
        stride: how far the feet swing, a share of the height.
        burden: size of what is carried on the back, a share of the height.
    """

    height: float
    body: Colour
    legs: Colour
    head: Colour
    load: Colour
    width: float
    stride: float
    burden: float


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
        self, start: Point, end: Point, colour: Colour, width: float
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
        colour: Colour,
        *,
        turned: float = 0.0,
        outline: int = -1,
    ) -> None:
        """Draws an ellipse, filled or as an outline of so many pixels.

        Args:
            centre: of the ellipse.
            radii: along x and y, before it is turned.
            colour: blue, green, red.
            turned: degrees, clockwise.
            outline: -1 fills.
        """
        for picture, value, kind in (
            (self.frame, colour, cv2.LINE_AA),
            (self.mask, self.value, cv2.LINE_8),
        ):
            cv2.ellipse(
                picture,
                _fixed(centre),
                _fixed(radii),
                turned,
                0,
                360,
                value,
                outline,
                kind,
                _SHIFT,
            )

    def box(self, corner: Point, opposite: Point, colour: Colour) -> None:
        """Draws a filled rectangle."""
        ends = _fixed(corner), _fixed(opposite)
        cv2.rectangle(self.frame, *ends, colour, -1, cv2.LINE_AA, _SHIFT)
        cv2.rectangle(self.mask, *ends, self.value, -1, cv2.LINE_8, _SHIFT)


def _fixed(point: Point) -> tuple[int, int]:
    scale = 1 << _SHIFT
    return round(point[0] * scale), round(point[1] * scale)


def walker(
    pen: Pen, foot: Point, look: Look, phase: float, side: int, tilt: float = 0
) -> None:
    """Draws somebody on foot.

    Args:
        pen: what draws.
        foot: where the figure stands.
        look: how it looks.
        phase: of the gait, in radians; a step is pi.
        side: where it faces.
        tilt: radians that the figure has fallen forwards; 0 is upright.
    """
    h, degrees = look.height, math.degrees(side * tilt)
    at = functools.partial(_place, foot, h, side, side * tilt)
    swing = look.stride * math.sin(phase)
    lift = 0.06 * abs(math.cos(phase))
    hip, neck = at(0, 0.48), at(0.02, 0.80)
    shade = tuple(int(0.7 * level) for level in look.legs)
    pen.line(hip, at(-swing, lift), shade, 0.11 * h)
    pen.line(neck, at(0.7 * swing, 0.5), shade, 0.07 * h)
    pen.line(hip, at(swing, 0), look.legs, 0.11 * h)
    pen.ellipse(
        at(-look.width / 2 - look.burden / 3, 0.68),
        (look.burden / 2 * h, 0.8 * look.burden * h),
        look.load,
        turned=degrees,
    )
    trunk = (look.width / 2 * h, 0.22 * h)
    pen.ellipse(at(0.01, 0.63), trunk, look.body, turned=degrees)
    pen.line(neck, at(-0.7 * swing, 0.5), look.body, 0.06 * h)
    head = (0.075 * h, 0.09 * h)
    pen.ellipse(at(0.03, 0.91), head, look.head, turned=degrees)


def _place(
    foot: Point, height: float, side: int, turn: float, x: float, y: float
) -> Point:
    """Returns a place on a figure, forwards and up, that has turned."""
    x *= side
    return (
        foot[0] + height * (x * math.cos(turn) + y * math.sin(turn)),
        foot[1] + height * (x * math.sin(turn) - y * math.cos(turn)),
    )


def cyclist(pen: Pen, foot: Point, look: Look, phase: float, side: int) -> None:
    """Draws somebody on a bicycle; `phase` is that of the pedals."""
    x, y = foot
    h = look.height
    radius, reach = 0.20 * h, 0.34 * h
    axle = y - radius
    for wheel in (x - reach, x + reach):
        pen.ellipse(
            (wheel, axle),
            (radius, radius),
            _TYRE,
            outline=max(1, round(0.05 * h)),
        )
    crank, saddle = (x, axle), (x - side * 0.12 * h, y - 0.52 * h)
    bar = (x + side * 0.25 * h, y - 0.58 * h)
    for start, end in (
        (crank, saddle),
        (crank, (x - side * reach, axle)),
        (crank, bar),
        (bar, (x + side * reach, axle)),
    ):
        pen.line(start, end, _STEEL, 0.04 * h)
    pedal = (x + 0.09 * h * math.cos(phase), axle + 0.09 * h * math.sin(phase))
    pen.line(saddle, pedal, look.legs, 0.11 * h)
    shoulder = (x + side * 0.12 * h, y - 0.86 * h)
    pen.line(saddle, shoulder, look.body, look.width * h)
    pen.line(shoulder, bar, look.body, 0.07 * h)
    head = (shoulder[0] + side * 0.06 * h, y - h)
    pen.ellipse(head, (0.075 * h, 0.09 * h), look.head)


def cart(pen: Pen, foot: Point, look: Look) -> None:
    """Draws a cart: a box with bands across, on two wheels."""
    x, y = foot
    h = look.height
    bands, left, step = 4, x - 0.55 * h, 1.1 * h / 8
    across = tuple(round(180 - 0.4 * level) for level in look.body)
    top, floor = y - 0.75 * h, y - 0.18 * h
    pen.box((left, top), (left + 8 * step, floor), look.body)
    for band in range(bands):
        begin = left + (2 * band + 0.5) * step
        pen.box((begin, top), (begin + step, floor), across)
    for wheel in (x - 0.36 * h, x + 0.36 * h):
        pen.ellipse((wheel, y - 0.13 * h), (0.13 * h, 0.13 * h), _TYRE)


def ball(pen: Pen, centre: Point, look: Look) -> None:
    """Draws a thrown object."""
    radius = 0.17 * look.height
    pen.ellipse(centre, (radius, radius), look.load)
