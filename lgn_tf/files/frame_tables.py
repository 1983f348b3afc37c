"""Tables of numbers, one row a frame, as CSV files."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lgn_tf.files import atomic, untrusted

MOST_ROWS = 2_500_000
"""Frames of a table: a day of video at 25 frames a second."""

_COLUMNS = 16
_LINE = 4096  # Bytes.


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
        ValueError: naming the file, where it is no table of numbers, or one of
            more than `MOST_ROWS`.
    """
    with untrusted.opened(path) as file:
        try:
            names = _names(file)
            # Row by row: as text, a table is many times larger.
            rows = np.loadtxt(
                _lines(file), comments=None, delimiter=",", ndmin=2
            )
            if rows.shape[1] != len(names):
                raise ValueError(f"{rows.shape[1]} columns, {len(names)} names")
        except ValueError as error:
            raise _no_table(path, error) from error
    return {name: rows[:, place] for place, name in enumerate(names)}


def _names(file: BinaryIO) -> list[str]:
    line = file.readline(_LINE).decode().strip()
    names = next(csv.reader([line]), [])
    if not 0 < len(names) == len(set(names)) <= _COLUMNS:
        raise ValueError(f"{len(names)} names in the first line")
    return names


def _lines(file: BinaryIO) -> Iterator[str]:
    count = 0
    while line := file.readline(_LINE):
        count += 1
        if count > MOST_ROWS:
            raise ValueError(f"more than {MOST_ROWS:,} rows")
        yield line.decode()
    if not count:
        raise ValueError("no rows")


def _no_table(path: Path, error: Exception) -> ValueError:
    return ValueError(
        f"{path}: must be a table of numbers below their names. "
        f"Found there: {error}"
    )


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
    columns, new = _read_texts(path), texts(values)
    if after not in columns or len(columns[after]) != len(new):
        raise ValueError(
            f"{path}: must have the column {after}, of {len(new)} frames. "
            f"Found there: {', '.join(columns)}, of "
            f"{len(next(iter(columns.values())))}"
        )
    wanted: dict[str, Sequence[str]] = {}
    for one, column in columns.items():
        if one != name:
            wanted[one] = column
        if one == after:
            wanted[name] = new
    write_table(path, wanted)


def _read_texts(path: Path) -> dict[str, Sequence[str]]:
    with untrusted.opened(path) as file:
        rows = list(csv.reader(line.rstrip() for line in _lines(file)))
    try:
        columns = zip(*rows[1:], strict=True)
        return dict(zip(rows[0], columns, strict=True))
    except ValueError as error:
        raise _no_table(path, error) from error
