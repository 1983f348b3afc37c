"""Local scales: the usual speed at each place, which divides a cue there.

Near the camera people are large and fast, far away they are small and slow, and
on the road things go faster than on the pavement. With one measure for the
whole picture only what happens near the camera counts. So the box means of the
error and of the motion are divided, place by place, by a scale that normal
video gives: the root of the motion that is rarely exceeded there. Without the
root, a place where next to nothing ever moved would turn noise into evidence;
the root goes half the way.

`docs/results.md` has what that gains, and on which data it was chosen.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lgn_tf.data.video import optical_flow

Maps = NDArray[np.float32]

LEVEL = 0.99
"""Share of normal frames that move less than what a scale is made of."""

REACH = 0.2
"""Side of the neighbourhood, as a share of the map's, whose largest value
counts: a place that happened to stay empty is measured by what is around."""

FLOOR = 0.05
"""Least share of the largest value that is taken for usual anywhere."""

MOST_FRAMES = 4000
"""Frames that a scale is made of, at most; evenly spread over the clips."""


def measure_scale(clips: Sequence[Maps]) -> Maps:
    """Measures the scale on normal clips.

    Args:
        clips: `optical_flow.Motion.cells` of each clip, (frames, rows,
            columns). A clip with maps of another size counts as if it had that
            of the first.

    Returns:
        float32 (rows, columns), in (0, 1], the largest is 1. All are 1 where
        the clips are still.

    Raises:
        ValueError: where there is no frame.
    """
    total = sum(len(maps) for maps in clips)
    if not total:
        raise ValueError("`clips` must hold at least one frame. Received: none")
    step = -(-total // MOST_FRAMES)
    size = clips[0].shape[1:]
    kept = np.stack(
        [
            resized(optical_flow.means(cells), size)
            for maps in clips
            for cells in maps[::step]
        ]
    )
    usual = np.quantile(kept, LEVEL, axis=0).astype(np.float32)
    rows, columns = (2 * int(REACH * side / 2) + 1 for side in size)
    usual = cv2.dilate(usual, np.ones((rows, columns), np.uint8))
    # Two places side by side do not differ by a jump.
    usual = cv2.blur(usual, (columns, rows), borderType=cv2.BORDER_REPLICATE)
    largest = float(usual.max())
    if largest <= 0:
        return np.ones(size, np.float32)
    return np.sqrt(np.maximum(usual / largest, FLOOR)).astype(np.float32)


def resized(scale: Maps, size: tuple[int, ...]) -> Maps:
    """Returns a map (rows, columns) as one of another size.

    A video whose frames have other proportions than the normal clips has maps
    of another size.

    Args:
        scale: float32 (rows, columns).
        size: (rows, columns) of the result.
    """
    if scale.shape == tuple(size):
        return scale
    rows, columns = size
    found: Maps = cv2.resize(
        scale, (columns, rows), interpolation=cv2.INTER_LINEAR
    )
    return found
