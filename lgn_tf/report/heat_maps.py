"""A frame, its prediction and maps of it, as pictures (Fig. 6)."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

BOXES = 2
"""Strongest regions of a frame that get a box."""

_SIDE = 256  # Pixels of the longer side at least.
_AMBER = (66, 193, 255)  # Blue, green, red; seen on light and on dark.

Picture = NDArray[np.uint8]
Map = NDArray[np.float32]


class Range(NamedTuple):
    """The values of a map that are dark and bright.

    Attributes:
        dark: this and all below is darkest.
        bright: this and all above is brightest.
    """

    dark: float
    bright: float


@dataclasses.dataclass(frozen=True, eq=False)
class Panels:
    """JPEG files of one frame.

    Attributes:
        frame: with boxes at the strongest regions.
        prediction: of the same frame.
        maps: each map in colours, by name.
    """

    frame: bytes
    prediction: bytes
    maps: Mapping[str, bytes]


def draw_panels(
    frame: Picture,
    prediction: Picture,
    maps: Mapping[str, Map],
    ranges: Mapping[str, Range],
    boxed: Map,
) -> Panels:
    """Draws the panels of one frame.

    Args:
        frame: uint8 (height, width, channels), blue, green, red or gray.
        prediction: of the same shape.
        maps: by name, float32 (rows, columns), each of its own size.
        ranges: of each map.
        boxed: the map whose strongest regions get boxes, (rows, columns).
    """
    size = height, width = _size(frame.shape[0], frame.shape[1])
    marked = _enlarged(frame, size)
    for left, top, right, bottom in boxes(boxed):
        cv2.rectangle(
            marked,
            (round(left * width), round(top * height)),
            (round(right * width) - 1, round(bottom * height) - 1),
            _AMBER,
            2,
        )
    return Panels(
        _encoded(marked),
        _encoded(_enlarged(prediction, size)),
        {
            name: _encoded(_coloured(values, ranges[name], size))
            for name, values in maps.items()
        },
    )


def common_range(maps: Sequence[Map]) -> Range:
    """Returns a range that maps of several frames share.

    Dark is what a place usually holds, bright the peak of the usual frame: the
    medians over all frames, so that one glaring frame darkens no other.

    Args:
        maps: of each frame, one at least.
    """
    return Range(
        float(np.median([np.median(one) for one in maps])),
        float(np.median([one.max() for one in maps])),
    )


def boxes(values: Map) -> list[tuple[float, float, float, float]]:
    """Returns boxes around the strongest regions of a map.

    A region is connected and lies above the middle between the median and the
    largest value.

    Args:
        values: (h, w).

    Returns:
        At most `BOXES` of (left, top, right, bottom), the strongest first, as
        shares of width and height. None for a constant map.
    """
    low, high = float(np.median(values)), float(values.max())
    if low == high:
        return []
    count, components, stats, _ = cv2.connectedComponentsWithStats(
        (values >= (low + high) / 2).astype(np.uint8), connectivity=8
    )
    peaks = [values[components == k].max() for k in range(1, count)]
    height, width = values.shape
    found = []
    for number in np.argsort(peaks)[::-1][:BOXES] + 1:
        left, top, across, down = stats[number, :4].tolist()
        found.append(
            (
                left / width,
                top / height,
                (left + across) / width,
                (top + down) / height,
            )
        )
    return found


def _size(height: int, width: int) -> tuple[int, int]:
    factor = max(1, -(-_SIDE // max(height, width)))
    return height * factor, width * factor


def _enlarged(picture: Picture, size: tuple[int, int]) -> Picture:
    if picture.ndim == 2 or picture.shape[2] == 1:
        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR).astype(np.uint8)
    result: Picture = cv2.resize(
        picture, size[::-1], interpolation=cv2.INTER_NEAREST
    ).astype(np.uint8)
    return result


def _coloured(values: Map, shown: Range, size: tuple[int, int]) -> Picture:
    span = shown.bright - shown.dark
    shares = (values - shown.dark) / span if span > 0 else 0 * values
    levels = (255 * np.clip(shares, 0, 1)).round().astype(np.uint8)
    coloured = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)
    return _enlarged(coloured.astype(np.uint8), size)


def _encoded(picture: Picture) -> bytes:
    _, contents = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return contents.tobytes()
