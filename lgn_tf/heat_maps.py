"""A frame, its prediction and where they differ, as pictures (Fig. 6)."""

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

BOXES = 2
"""Strongest regions of a frame that get a box."""

_SIDE = 256  # Pixels of the longer side at least.
_AMBER = (66, 193, 255)  # Blue, green, red; seen on light and on dark.

Picture = NDArray[np.uint8]
Map = NDArray[np.float32]


@dataclasses.dataclass(frozen=True, eq=False)
class Panels:
    """JPEG files of one frame.

    Attributes:
        frame: with boxes at the strongest regions.
        prediction: of the same frame.
        error: the error map in colours.
        online: the map behind the online score in colours, or None.
    """

    frame: bytes
    prediction: bytes
    error: bytes
    online: bytes | None


def draw(
    frame: Picture,
    prediction: Picture,
    error: Map,
    online: Map | None,
    scales: tuple[float, float],
) -> Panels:
    """Draws the panels of one frame.

    Boxes lie at the strongest regions of the online map, or of the error map
    where there is none.

    Args:
        frame: uint8 (height, width, channels), blue, green, red or gray.
        prediction: of the same shape.
        error: float32 (h, w).
        online: float32 (h, w) or None.
        scales: the error and the online value that get the brightest colour.
    """
    height, width = _size(frame.shape[0], frame.shape[1])
    boxed = _enlarged(frame, (height, width))
    for left, top, right, bottom in boxes(error if online is None else online):
        cv2.rectangle(
            boxed,
            (round(left * width), round(top * height)),
            (round(right * width) - 1, round(bottom * height) - 1),
            _AMBER,
            2,
        )
    return Panels(
        _encoded(boxed),
        _encoded(_enlarged(prediction, (height, width))),
        # The root shows small errors, too.
        _encoded(_coloured(np.sqrt(error), scales[0] ** 0.5, (height, width))),
        None
        if online is None
        else _encoded(_coloured(online, scales[1], (height, width))),
    )


def boxes(values: Map) -> list[tuple[float, float, float, float]]:
    """Boxes around the strongest regions of a map.

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


def _coloured(values: Map, most: float, size: tuple[int, int]) -> Picture:
    shares = np.clip(values / most if most > 0 else 0 * values, 0, 1)
    levels = (255 * shares).round().astype(np.uint8)
    coloured = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)
    return _enlarged(coloured.astype(np.uint8), size)


def _encoded(picture: Picture) -> bytes:
    _, contents = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return contents.tobytes()
