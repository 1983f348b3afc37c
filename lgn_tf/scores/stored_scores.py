"""The table and the maps of a video, checked while they are read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lgn_tf.files import arrays, frame_tables
from lgn_tf.files.arrays import Header

COLUMNS = ("frame", "psnr", "regular_score", "updated")
"""Columns that each table has."""

MAPS = ("error_map", "distance_map", "online_map")
"""Names of the maps; a file has the first one at least."""


def read_rows(path: Path) -> dict[str, NDArray[np.float64]]:
    """Reads the table of a video; float64 (frames,) for each column.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: naming the file, where a column is missing, the frames do
            not follow each other, or a mark is neither 0 nor 1.
    """
    table = frame_tables.read_table(path)
    missing = [key for key in COLUMNS if key not in table]
    if missing:
        raise ValueError(
            f"{path}: must have the columns {', '.join(COLUMNS)}. "
            f"Found there: {', '.join(table)}"
        )
    frames = table["frame"]
    first = frames[0] if len(frames) else -1
    if not 0 <= first < 2**31 or not np.array_equal(
        frames, first + np.arange(len(frames))
    ):
        raise ValueError(
            f"{path}: must have a row for each frame, one after the other. "
            f"Found there: the frames {frames[:5].tolist()} and so on"
        )
    for name in ("label", "updated"):
        marks = np.unique(table.get(name, ()))
        if not np.isin(marks, (0, 1)).all():
            raise ValueError(
                f"{path}: each `{name}` must be 0 or 1. "
                f"Found there: {marks[:5].tolist()}"
            )
    return table


def read_maps(path: Path) -> dict[str, NDArray[Any]]:
    """Returns maps, float32 (frames, rows, columns), by name.

    Args:
        path: of the file.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: naming the file, where it is damaged, or holds other maps.
    """

    def accept(found: Mapping[str, Header]) -> None:
        if not set(MAPS[:1]) <= set(found) <= set(MAPS) or not all(
            arrays.are_floats(one, 3) for one in found.values()
        ):
            raise ValueError(
                f"{path}: must hold maps, float32 (frames, rows, columns), "
                f"named {', '.join(MAPS)}. "
                f"Found there: {arrays.shapes(found)}"
            )

    return arrays.map_arrays(path, accept=accept)
