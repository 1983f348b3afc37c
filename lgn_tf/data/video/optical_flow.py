"""Local optical flow: the speed of motion, and its place in the frame.

It needs no model and no training. Lengths are shares of the frame's longer
side a frame, so that they do not depend on the resolution: 0.01 crosses a
frame in a hundred frames.

Reference:
    Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
Field = NDArray[np.float32]

LONGEST = 360
"""Pixels that the longer side of a frame is shrunk to; never enlarged."""

CELLS = 60
"""Cells along the longer side of a frame."""

BOX = 5
"""Cells on each side of the box that the flow is averaged over."""

# OpenCV's flow reads beyond the end of frames that are lower than a patch.
_SHORTEST = 16


class Motion(NamedTuple):
    """The motion between two frames.

    Attributes:
        cells: float32 (rows, columns), the mean length of the flow in each
            cell, in shares of the frame's longer side a frame.
        value: the largest mean over a box of `BOX` x `BOX` cells.
    """

    cells: Field
    value: float


def to_gray(frame: NDArray[np.uint8]) -> Gray:
    """Returns a frame (height, width, 1 or 3; blue, green, red) as gray.

    Args:
        frame: uint8; one of (height, width) stays as it is.

    Returns:
        uint8 (height, width).
    """
    if frame.ndim == 2:
        return frame
    if frame.shape[-1] == 1:
        return frame[..., 0]
    gray: Gray = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    return gray


def box_means(field: Field, box: tuple[int, int]) -> Field:
    """Averages a box around every place, over what lies within the field.

    Args:
        field: float32 (rows, columns).
        box: (rows, columns) of the box, odd.

    Returns:
        float32 (rows, columns).
    """
    sums, counts = (
        cv2.boxFilter(
            values,
            cv2.CV_64F,
            box[::-1],
            normalize=False,
            borderType=cv2.BORDER_CONSTANT,
        )
        for values in (field, np.ones_like(field))
    )
    return np.asarray(sums / counts, np.float32)


def means(cells: Field) -> Field:
    """Averages a box of `BOX` x `BOX` around every cell (rows, columns)."""
    return box_means(cells, (BOX, BOX))


def strength(cells: Field, scale: Field) -> float:
    """Returns the largest box mean, divided by the usual one at its place.

    Args:
        cells: float32 (rows, columns), see `Motion`.
        scale: float32 (rows, columns), the local scale of normal video.
    """
    return float((means(cells) / scale).max())


def local_flow(before: Gray, frame: Gray) -> Motion:
    """Measures the flow from one frame to the next.

    Args:
        before: uint8 (height, width), in its own size.
        frame: uint8 (height, width), the next one.

    Returns:
        The motion between them.

    Raises:
        ValueError: where the frames are not gray, or not of one size.
    """
    flow = LocalFlow()
    flow.update(before)
    return flow.update(frame)


class LocalFlow:
    """Local flow of a video, frame by frame: remembers the frame before."""

    def __init__(self) -> None:
        """Has seen no frame."""
        self._engine = cv2.DISOpticalFlow.create(
            cv2.DISOPTICAL_FLOW_PRESET_MEDIUM
        )
        self._size: tuple[int, ...] = ()
        self._before: Gray | None = None

    def update(self, frame: Gray) -> Motion:
        """Takes the next frame.

        Args:
            frame: uint8 (height, width), in its own size.

        Returns:
            The motion since the frame before. Nothing moves in the first.

        Raises:
            ValueError: where the frame is not gray, or of another size than
                the frame before.
        """
        if frame.dtype != np.uint8 or frame.ndim != 2:
            raise ValueError(
                "`frame` must be uint8 (height, width). "
                f"Received: {frame.dtype} {frame.shape}"
            )
        if self._size not in ((), frame.shape):
            raise ValueError(
                "`frame` must be of the size of the frame before, "
                f"{self._size}. Received: {frame.shape}"
            )
        small = _shrink(frame)
        before = small if self._before is None else self._before
        lengths = self._lengths(before, small, frame.shape)
        self._before, self._size = small, frame.shape
        cells = _cells(lengths, frame.shape)
        return Motion(cells, float(means(cells).max()))

    def _lengths(
        self, before: Gray, frame: Gray, size: tuple[int, ...]
    ) -> Field:
        """Returns lengths of the flow by pixel, as shares of a side."""
        if before is frame:
            return np.zeros(frame.shape, np.float32)
        flow = self._engine.calc(before, frame, None)
        down, right = (
            side / (small * max(size))
            for side, small in zip(size, frame.shape, strict=True)
        )
        lengths: Field = cv2.magnitude(
            flow[..., 0] * np.float32(right), flow[..., 1] * np.float32(down)
        )
        return lengths


def watched(
    frames: Iterable[NDArray[np.uint8]], note: Callable[[Motion], object]
) -> Iterator[NDArray[np.uint8]]:
    """Passes the frames of a video on, and measures the motion in each.

    Args:
        frames: uint8 (height, width, 1 or 3), in their own size and in order.
        note: called with the motion in each frame before it is passed on;
            nothing moves in the first.

    Yields:
        The frames.
    """
    flow = LocalFlow()
    for frame in frames:
        note(flow.update(to_gray(frame)))
        yield frame


def measured(frames: Iterable[NDArray[np.uint8]]) -> Iterator[Motion]:
    """Yields the motion in each frame of a video as it comes; see `watched`."""
    found: list[Motion] = []
    for _ in watched(frames, found.append):
        yield found.pop()


def _shrink(frame: Gray) -> Gray:
    """Makes the longer side at most `LONGEST`, averaging over areas."""
    scale = min(1.0, LONGEST / max(frame.shape))
    height, width = (
        max(_SHORTEST, round(side * scale)) for side in frame.shape
    )
    if frame.shape == (height, width):
        # A program may decode the next frame into the same array.
        return frame.copy()
    small: Gray = cv2.resize(
        frame, (width, height), interpolation=cv2.INTER_AREA
    )
    return small


def _cells(lengths: Field, size: tuple[int, ...]) -> Field:
    """Averages over cells, also where their sides are no whole pixels."""
    rows, columns = (max(1, round(CELLS * side / max(size))) for side in size)
    cells: Field = cv2.resize(
        lengths, (columns, rows), interpolation=cv2.INTER_AREA
    )
    return cells
