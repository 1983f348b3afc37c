"""The kind of anomaly that each abnormal frame shows: the file `kinds.csv`.

It lies in the folder that `layouts.recognise` returns as `root`, and is no
label: labels say whether a frame is abnormal, this says what happens there. It
reads `video,start,end,kind`; frames count from 1 and both ends belong to the
interval. Intervals of two kinds may overlap.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from lgn_tf.data.datasets import labels, tables
from lgn_tf.data.datasets.dataset import Dataset, Labels
from lgn_tf.data.datasets.tables import Interval

FILE = "kinds.csv"
"""Its name."""

MOST = 100
"""Kinds of a data set: each has a label for each frame."""

Row = tuple[str, Interval, str]
Kinds = dict[str, dict[str, Labels]]
"""For each video, for each kind: 1 where a frame shows it, uint8 (frames,)."""


def write_kinds(path: Path, rows: Iterable[Row]) -> None:
    """Writes the table.

    Args:
        path: of the file.
        rows: the name of a test video, an interval, counted from 1 and
            inclusive, and what happens there.

    Raises:
        OSError: where it cannot be written.
    """
    flat = [(video, *interval, kind) for video, interval, kind in rows]
    tables.write_table(path, flat, "kind")


def kinds_of(
    dataset: Dataset,
    frame_counts: Mapping[str, int],
    ground_truth: Mapping[str, Labels] | None,
) -> Kinds | None:
    """Reads the kinds of a data set, where it has the file.

    Args:
        dataset: what `layouts.recognise` found.
        frame_counts: frames of each test video.
        ground_truth: their labels, (frames,) each; or None.

    Returns:
        The kinds as from `read_kinds`; None without the file or labels: it
        does not say which frames are normal.

    Raises:
        ValueError: where the file is damaged, or a frame that shows a kind is
            labelled normal.
    """
    root = dataset.root
    # A single video is a data set; what is said of it lies beside it.
    path = (root if root.is_dir() else root.parent) / FILE
    if ground_truth is None or not path.is_file():
        return None
    starts = {video.name: video.start for video in dataset.split("test")}
    whole = {name: starts[name] + count for name, count in frame_counts.items()}
    found = {
        video: {kind: marks[starts[video] :] for kind, marks in shown.items()}
        for video, shown in read_kinds(path, whole).items()
    }
    for video, shown in found.items():
        for kind, marks in shown.items():
            wrong = np.flatnonzero(marks > ground_truth[video])
            if wrong.size:
                frame = wrong[0] + 1 + starts[video]
                raise ValueError(
                    f"{path}: a frame that shows a kind must be labelled "
                    f"abnormal. Found there: {video}, {kind}, frame {frame} "
                    "is labelled normal"
                )
    return found


def read_kinds(path: Path, frame_counts: Mapping[str, int]) -> Kinds:
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
        ValueError: for a file that is no table in UTF-8, another header, a row
            that holds no interval, an interval that leaves its video, or a
            name that no test video has.
    """
    rows = [
        (video, span, kind)
        for video, span, (kind,) in tables.read_table(path, "kind")
    ]
    for video, _, _ in rows:
        if video not in frame_counts:
            raise ValueError(
                f"{path}: each row must name a test video. "
                f"Found there: {video!r}"
            )
    spans: dict[tuple[str, str], list[Interval]] = {}
    for video, span, kind in rows:
        spans.setdefault((video, kind), []).append(span)
    names = dict.fromkeys(kind for _, _, kind in rows)
    if len(names) > MOST:
        raise ValueError(
            f"{path}: must hold at most {MOST} kinds. Found there: {len(names)}"
        )
    return {
        video: {
            kind: labels.from_intervals(
                spans.get((video, kind), []), frames, f"{path}: {video}"
            )
            for kind in names
        }
        for video, frames in frame_counts.items()
    }
