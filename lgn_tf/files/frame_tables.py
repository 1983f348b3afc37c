"""Tables of numbers, one row a frame, as CSV files."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lgn_tf.files import atomic

_Column = TypeVar("_Column")


def texts(values: ArrayLike) -> list[str]:
    """Returns the shortest text of each number that reads back as the same."""
    return [repr(float(value)) for value in np.asarray(values)]


def write_table(path: Path, columns: Mapping[str, Sequence[object]]) -> None:
    """Writes a table that appears whole or not at all.

    Args:
        path: of the file; its folder is made where it is not there.
        columns: of one length, by name.

    Raises:
        OSError: naming the file, where it cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    with atomic.opened(path) as file:
        file.write(text.getvalue().encode())


def read_table(path: Path) -> dict[str, NDArray[np.float64]]:
    """Reads a table; float64 (frames,) for each name.

    Raises:
        FileNotFoundError: where there is none.
        ValueError: naming the file, where it is no table of numbers.
    """
    return _read(path, lambda column: np.array(column, np.float64))


def insert_column(path: Path, name: str, values: ArrayLike, after: str) -> None:
    """Adds a column to a table, in the place of one of that name.

    The text of the other columns stays as it is.

    Args:
        path: of the file.
        name: of the column.
        values: (frames,).
        after: the column that it stands behind.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: naming the file, where it has no column `after` or not as
            many rows.
        OSError: naming the file, where it cannot be written.
    """
    columns, new = _read(path, list), texts(values)
    if after not in columns or len(columns[after]) != len(new):
        raise ValueError(
            f"{path}: must have the column {after}, of {len(new)} frames. "
            f"Found there: {', '.join(columns)}, of "
            f"{len(next(iter(columns.values())))}"
        )
    wanted: dict[str, list[str]] = {}
    for one, column in columns.items():
        if one != name:
            wanted[one] = column
        if one == after:
            wanted[name] = new
    write_table(path, wanted)


def _read(
    path: Path, convert: Callable[[Sequence[str]], _Column]
) -> dict[str, _Column]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    try:
        columns = zip(*rows[1:], strict=True)
        return {
            name: convert(column)
            for name, column in zip(rows[0], columns, strict=True)
        }
    except (ValueError, IndexError) as error:
        raise ValueError(
            f"{path}: must be a table of numbers below their names. "
            f"Found there: {error}"
        ) from error
