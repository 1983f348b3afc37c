"""Tables of intervals: `video,start,end`, and columns behind them."""

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lgn_tf.files import listings, untrusted

Interval = tuple[int, int]
"""First and last frame, counted from 1; both belong to it."""

MOST_BYTES = 16 * untrusted.MEBIBYTE
"""Of a file of intervals."""

_COLUMNS = ("video", "start", "end")


def write_table(
    path: Path, rows: Iterable[tuple[Any, ...]], *further: str
) -> None:
    """Writes a table that `read_table` reads.

    Args:
        path: of the CSV file.
        rows: for each the name of the video, the first and the last frame,
            and what the further columns hold.
        *further: columns behind `video,start,end`.

    Raises:
        OSError: where it cannot be written.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([(*_COLUMNS, *further), *rows])


def read_table(
    path: Path, *further: str
) -> list[tuple[str, Interval, tuple[str, ...]]]:
    """Reads a table of intervals, counted from 1 and inclusive.

    Args:
        path: of a CSV file.
        *further: columns behind `video,start,end`.

    Returns:
        For each row the name of the video, the interval, and what the further
        columns hold, none of it empty.

    Raises:
        ValueError: for a file that is no table in UTF-8, another header, or a
            row that holds no interval.
    """
    columns = [*_COLUMNS, *further]
    contents = untrusted.read_bytes(path, MOST_BYTES)
    try:
        text = contents.decode("utf-8-sig")
        rows = csv.reader(io.StringIO(text, newline=""))
        header = [field.strip() for field in next(rows, [])]
        if header != columns:
            raise ValueError(
                f"{path}: the first line must read `{','.join(columns)}`. "
                f"Found there: {','.join(header)!r:.80}"
            )
        return [
            _row(row, further, f"{path}: line {rows.line_num}")
            for row in filter(None, rows)
        ]
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path}: must be a table in UTF-8. Found there: {error}"
        ) from error


def _row(
    row: list[str], further: tuple[str, ...], where: str
) -> tuple[str, Interval, tuple[str, ...]]:
    fields = [field.strip() for field in row]
    if (
        len(fields) != len(_COLUMNS) + len(further)
        or not all(re.fullmatch("[0-9]{1,9}", each) for each in fields[1:3])
        or not all(each and each.isprintable() for each in fields[3:])
    ):
        *words, last = (
            "a name",
            "two frame numbers",
            *(f"a {name}" for name in further),
        )
        raise ValueError(
            f"{where} must hold {', '.join(words)} and {last}. "
            f"Found there: {','.join(row)!r:.80}"
        )
    name = Path(fields[0])
    stem = name.stem if listings.is_video(name) else fields[0]
    return stem, (int(fields[1]), int(fields[2])), tuple(fields[3:])
