"""The grids of maps: sizes of cells and boxes, and filtering.

An error map is stored pooled, so that a video's maps stay small. The anomaly
map of the online score lies on a grid of an eighth of the frame's height and
width, as the memory's distance map does. `lgn_tf.scores.frame_scores` pools and
filters in graphs; stored maps are filtered here by the same rule.
"""

import numpy as np
from numpy.typing import NDArray

from lgn_tf.data.video import optical_flow

Maps = NDArray[np.float32]

CELL = 8
"""Pixels of the frame on each side of a cell of the grid."""

LONGEST = 64
"""Largest longer side of a stored error map."""

ERROR_SHARE = 0.1
"""Side of the box that the error is averaged over, as a share of the map's:
about as large as a person."""

DISTANCE_SHARE = 5 / 16
"""Side of the box that the distance is averaged over, as a share of the
map's."""

_TOGETHER = 1024  # Maps that are filtered at once.


def factor(size: tuple[int, int]) -> int:
    """Returns the side of the cells that a stored error map is pooled by.

    Args:
        size: (height, width) of the frames.

    Returns:
        The smallest of 1, 2, 4 and 8 that makes the longer side at most
        `LONGEST`; 8 where none does.
    """
    fitting = (f for f in (1, 2, 4) if max(size) <= LONGEST * f)
    return next(fitting, CELL)


def box(shape: tuple[int, ...], share: float) -> tuple[int, int]:
    """Returns the box that filters a map: the odd number nearest to a share.

    Args:
        shape: (rows, columns) of the map.
        share: of each side; `ERROR_SHARE` or `DISTANCE_SHARE`.
    """
    rows, columns = (2 * int(side * share / 2) + 1 for side in shape)
    return rows, columns


def filtered(maps: Maps, share: float) -> Maps:
    """Averages a box around every place, over what lies within the map.

    Args:
        maps: float32 (frames, rows, columns).
        share: of each side of the grid, the side of the box.

    Returns:
        float32 (frames, rows, columns).
    """
    sides = box(maps.shape[1:], share)
    found = np.empty(maps.shape, np.float32)
    for place, one in enumerate(maps):
        found[place] = optical_flow.box_means(one, sides)
    return found


def largest(
    maps: Maps, share: float, scale: Maps | float = 1.0
) -> NDArray[np.float64]:
    """Returns the largest mean over a box of each map: the value of a cue.

    Args:
        maps: (frames, rows, columns); may lie in a file that is larger than
            memory.
        share: of each side of the map, the side of the box.
        scale: that the mean around each place is divided by, (rows, columns);
            see `local_scales`.

    Returns:
        float64 (frames,).
    """
    starts = range(0, max(1, len(maps)), _TOGETHER)
    return np.concatenate(
        [
            (filtered(maps[start : start + _TOGETHER], share) / scale).max(
                axis=(1, 2)
            )
            for start in starts
        ],
        dtype=np.float64,
    )
