"""`log.csv`: the measures of each epoch."""

import csv
import math
from pathlib import Path

from lgn_tf.files import untrusted

MOST_BYTES = 16 * untrusted.MEBIBYTE
"""Of a log; an epoch takes some hundred bytes."""

_COLUMNS = 64
_LARGEST = 1e39  # No float32 is larger.


def read(path: Path) -> list[dict[str, float]]:
    """Reads the measures of each epoch, by the name of their column.

    Args:
        path: of the file.

    Returns:
        One mapping an epoch, each with `epoch`; empty fields are left out.
        None where there is no file.

    Raises:
        ValueError: naming the file, where it is no table of numbers.
    """
    return [
        {name: float(field) for name, field in row.items() if field}
        for row in read_texts(path)
    ]


def read_texts(path: Path) -> list[dict[str, str]]:
    """Reads the same as text, for those who write it again; see `read`."""
    if not path.is_file():
        return []
    text = untrusted.read_text(path, MOST_BYTES)
    try:
        rows = csv.reader(text.splitlines())
        names = next(rows, [])
        if names and ("epoch" not in names or len(names) > _COLUMNS):
            raise ValueError(f"the columns {', '.join(names):.80}")
        return [_checked(names, row) for row in rows if row]
    except (ValueError, csv.Error) as error:
        raise ValueError(
            f"{path}: must be a table of numbers, a row for each epoch. "
            f"Found there: {error}"
        ) from error


def _checked(names: list[str], row: list[str]) -> dict[str, str]:
    found = dict(zip(names, row, strict=True))
    for field in filter(None, row):
        # A loss that grows may be infinite; larger numbers it never is.
        if _LARGEST < abs(float(field)) < math.inf:
            raise ValueError(f"the number {field:.80}")
    if not 0 < float(found["epoch"]) < 10**9:
        raise ValueError(f"epoch {found['epoch']:.80}")
    return found
