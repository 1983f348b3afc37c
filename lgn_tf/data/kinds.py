"""What kind of anomaly each abnormal frame shows: the file `kinds.csv`.

It lies in the folder that `layouts.recognise` returns as `root`, and is no
label: labels say whether a frame is abnormal, this says what happens there. It
reads `video,start,end,kind`; frames count from 1 and both ends belong to the
interval. Intervals of two kinds may overlap.
"""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from lgn_tf.data import labels, listings

FILE = "kinds.csv"
"""Its name."""

_HEADER = ["video", "start", "end", "kind"]

Row = tuple[str, labels.Interval, str]


def write(path: Path, rows: Iterable[Row]) -> None:
    """Writes the table.

    Args:
        path: of the file.
        rows: the name of a test video, an interval, counted from 1 and
            inclusive, and what happens there.

    Raises:
        OSError: where it cannot be written.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(_HEADER)
        for video, (start, end), kind in rows:
            table.writerow([video, start, end, kind])


def read(
    path: Path, frame_counts: Mapping[str, int]
) -> dict[str, dict[str, labels.Labels]]:
    """Reads which frames show which kind.

    Args:
        path: of the file.
        frame_counts: frames of each test video.

    Returns:
        For each test video, for each kind of the file, in the order in which
        they first come there: 1 where a frame shows it, uint8 (frames,). Every
        video has every kind.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for another header, a row that holds no interval, an
            interval that leaves its video, or a name that no test video has.
    """
    rows = _rows(path)
    for video, _, _ in rows:
        if video not in frame_counts:
            raise ValueError(
                f"{path}: each row must name a test video. "
                f"Found there: {video!r}"
            )
    names = dict.fromkeys(kind for _, _, kind in rows)
    return {
        video: {
            name: labels.from_intervals(
                [
                    span
                    for one, span, kind in rows
                    if (one, kind) == (video, name)
                ],
                frames,
                f"{path}: {video}",
            )
            for name in names
        }
        for video, frames in frame_counts.items()
    }


def _rows(path: Path) -> list[Row]:
    found: list[Row] = []
    with path.open(newline="", encoding="utf-8-sig") as file:
        table = csv.reader(file)
        header = [field.strip() for field in next(table, [])]
        if header != _HEADER:
            raise ValueError(
                f"{path}: the first line must read `{','.join(_HEADER)}`. "
                f"Found there: {','.join(header)!r}"
            )
        for row in table:
            fields = [field.strip() for field in row]
            if not fields:
                continue
            if (
                len(fields) != 4
                or not all(field.isdecimal() for field in fields[1:3])
                or not fields[3]
            ):
                raise ValueError(
                    f"{path}: line {table.line_num} must hold a name, two "
                    f"frame numbers and a kind. Found there: {','.join(row)!r}"
                )
            video, start, end, kind = fields
            if listings.is_video(Path(video)):
                video = Path(video).stem
            found.append((video, (int(start), int(end)), kind))
    return found
