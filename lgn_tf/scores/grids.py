"""The grids on which scores are local: how maps are pooled and filtered.

An error map is stored pooled, so that a video's maps stay small; the online
score lives on a grid of an eighth of the frame's height and width, where the
memory's distance map lies too. Maps are pooled and filtered here in NumPy, and
in `lgn_tf.scores.frame_scores` by the same rules in `keras.ops`.
"""

import numpy as np
from numpy.typing import NDArray

Maps = NDArray[np.float32]

CELL = 8
"""Pixels of the frame on each side of a cell of the grid."""

LONGEST = 64
"""What the longer side of a stored error map should not exceed."""

ERROR_SHARE = 0.1
"""Side of the box that the error is averaged over, as a share of the map's:
about as large as a person."""

DISTANCE_SHARE = 5 / 16
"""Side of the box that the distance is averaged over, as a share of the
map's."""

_TOGETHER = 1024  # Maps that are filtered at once.


def factor(size: tuple[int, int]) -> int:
    """Returns by how much an error map is pooled before it is stored.

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


def pooled(maps: Maps, size: int) -> Maps:
    """Averages cells of `size` x `size`.

    Where a side is no multiple of `size`, the cells at both ends are smaller,
    and are averaged over what they hold.

    Args:
        maps: (frames, height, width).
        size: of a cell.

    Returns:
        float32 (frames, rows, columns), rounded up.
    """
    sides = maps.shape[1:]
    missing = [-side % size for side in sides]
    margins = [(lack // 2, lack - lack // 2) for lack in missing]
    padded = np.pad(
        maps.astype(np.float64),
        [(0, 0), *margins],
        constant_values=np.nan,
    )
    rows, columns = (side // size for side in padded.shape[1:])
    cells = padded.reshape(len(maps), rows, size, columns, size)
    return np.nanmean(cells, axis=(2, 4)).astype(np.float32)


def filtered(maps: Maps, share: float) -> Maps:
    """Averages a box around every place, over what lies within the map.

    Args:
        maps: (frames, rows, columns).
        share: of each side of the grid, the side of the box.

    Returns:
        float32 (frames, rows, columns).
    """
    values = maps.astype(np.float64)
    sides = box(maps.shape[1:], share)
    for axis, side in zip((1, 2), sides, strict=True):
        length, reach = values.shape[axis], side // 2
        places = np.arange(length)
        within = np.abs(places[:, None] - places) <= reach
        weights = within / within.sum(axis=1, keepdims=True)
        values = np.moveaxis(
            np.tensordot(values, weights, axes=(axis, 1)), -1, axis
        )
    return values.astype(np.float32)


def largest(
    maps: Maps, share: float, scale: Maps | float = 1.0
) -> NDArray[np.float64]:
    """Returns the largest mean over a box of each map: how strong a cue is.

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
