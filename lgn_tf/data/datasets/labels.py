"""Frame labels in every published format, aligned to the frames of videos.

A label is 0 (normal) or 1 (abnormal). Published intervals count frames from 1
and include both ends. No file is ever unpickled.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lgn_tf.data import sliding_windows
from lgn_tf.data.datasets import matlab
from lgn_tf.data.datasets.dataset import Dataset, Truth
from lgn_tf.files import listings

Labels = NDArray[np.uint8]
Interval = tuple[int, int]


def read(
    dataset: Dataset, frame_counts: Mapping[str, int], version: str = ""
) -> dict[str, Labels]:
    """Reads one version of the labels of all test videos.

    Args:
        dataset: what `layouts.recognise` found.
        frame_counts: frames of each test video.
        version: one of the versions of `dataset.truths`; default the first.

    Returns:
        For each test video its labels, uint8 (frames,).

    Raises:
        ValueError: where there is no such version, or where the labels are
            not binary or not as many as the frames, naming the file.
    """
    names = {truth.version: truth for truth in dataset.truths}
    if not names or version not in ("", *names):
        raise ValueError(
            f"`version` must be one of {', '.join(names) or '(none found)'}. "
            f"Received: version={version!r} for {dataset.root}"
        )
    truth = names[version] if version else dataset.truths[0]
    counts = {v.name: frame_counts[v.name] for v in dataset.split("test")}
    if truth.version in ("avenue-masks", "shanghaitech"):
        return _read_each(truth, counts)
    if truth.version == "mnad":
        return _split(truth.path, read_array(truth.path), counts)
    if truth.version == "csv":
        named = read_csv(truth.path)
        unknown = sorted(set(named) - set(counts))
        if unknown:
            raise ValueError(
                f"{truth.path}: each row must name a test video. "
                f"Found there: {unknown[0]!r}"
            )
        intervals = [named.get(name, []) for name in counts]
    elif truth.version == "ucsd":
        intervals = read_script(truth.path)
    else:
        intervals = read_intervals(truth.path)
    if len(intervals) != len(counts):
        raise ValueError(
            f"{truth.path}: must label each of the {len(counts)} test videos. "
            f"Found there: {len(intervals)}"
        )
    return {
        name: from_intervals(found, frames, f"{truth.path}: {name}")
        for (name, frames), found in zip(counts.items(), intervals, strict=True)
    }


def align(labels: Labels, inputs: int) -> Labels:
    """Keeps the labels of the frames that get a score: all but the first n."""
    return labels[list(sliding_windows.scored(len(labels), inputs))]


def from_intervals(
    intervals: Sequence[Interval], frames: int, where: str
) -> Labels:
    """Turns intervals, counted from 1 and inclusive, into labels.

    Args:
        intervals: first and last frame of each.
        frames: frames of the video.
        where: what an error names.

    Raises:
        ValueError: for an interval that does not lie within the video.
    """
    labels = np.zeros(frames, np.uint8)
    for start, end in intervals:
        if not 1 <= start <= end <= frames:
            raise ValueError(
                f"{where}: an interval must lie within frames 1 to {frames}. "
                f"Found there: {start} to {end}"
            )
        labels[start - 1 : end] = 1
    return labels


def to_intervals(labels: Labels) -> list[Interval]:
    """Turns labels into intervals, counted from 1 and inclusive."""
    edges = np.diff(np.concatenate(([0], labels.astype(np.int8), [0])))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return [(int(s) + 1, int(e)) for s, e in zip(starts, ends, strict=True)]


def read_script(path: Path) -> list[list[Interval]]:
    """Reads UCSD's `.m`: lines such as `...gt_frame = [61:180, 190];`.

    Raises:
        ValueError: where no such line is there, or one cannot be read.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = [line.partition("%")[0] for line in text.splitlines()]
    bodies = re.findall(r"gt_frame\s*=\s*\[([^\]]*)\]", "\n".join(lines))
    if not bodies:
        raise ValueError(f"{path}: no line `gt_frame = [...]` was found")
    videos = []
    for body in bodies:
        intervals = []
        for part in body.replace(",", " ").split():
            match = re.fullmatch(r"(\d+)(?::(\d+))?", part)
            if match is None:
                raise ValueError(
                    f"{path}: an interval must read `first:last`. "
                    f"Found there: {part!r}"
                )
            intervals.append((int(match[1]), int(match[2] or match[1])))
        videos.append(intervals)
    return videos


def read_intervals(path: Path) -> list[list[Interval]]:
    """Reads `gt` of Frame-Pred's `.mat`: a cell of 2 x N starts and ends.

    Raises:
        ValueError: where the file holds something else.
    """
    videos = []
    for entry in matlab.read_cell(path, "gt"):
        if entry.size and (entry.ndim != 2 or entry.shape[0] != 2):
            raise ValueError(
                f"{path}: each entry of `gt` must be 2 x N, starts and ends. "
                f"Found there: {entry.shape}"
            )
        pairs = entry.reshape(2, -1).T.astype(np.int64)
        videos.append([(int(start), int(end)) for start, end in pairs])
    return videos


def read_csv(path: Path) -> dict[str, list[Interval]]:
    """Reads a table `video,start,end`, counted from 1 and inclusive.

    Raises:
        ValueError: see `read_table`.
    """
    videos: dict[str, list[Interval]] = {}
    for video, span, _ in read_table(path):
        videos.setdefault(video, []).append(span)
    return videos


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
    columns = ["video", "start", "end", *further]
    found = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file)
            header = [field.strip() for field in next(rows, [])]
            if header != columns:
                raise ValueError(
                    f"{path}: the first line must read `{','.join(columns)}`. "
                    f"Found there: {','.join(header)!r}"
                )
            for row in filter(None, rows):
                fields = [field.strip() for field in row]
                if (
                    len(fields) != len(columns)
                    or not all(field.isdecimal() for field in fields[1:3])
                    or not all(fields[3:])
                ):
                    *words, last = (
                        "a name",
                        "two frame numbers",
                        *(f"a {name}" for name in further),
                    )
                    raise ValueError(
                        f"{path}: line {rows.line_num} must hold "
                        f"{', '.join(words)} and {last}. "
                        f"Found there: {','.join(row)!r}"
                    )
                name = Path(fields[0])
                stem = name.stem if listings.is_video(name) else fields[0]
                span = int(fields[1]), int(fields[2])
                found.append((stem, span, tuple(fields[3:])))
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path}: must be a table in UTF-8. Found there: {error}"
        ) from error
    return found


def read_array(path: Path) -> Labels:
    """Reads labels from a `.npy` of shape (N,) or (1, N).

    Raises:
        ValueError: for a pickled array, another shape, or a value that is
            neither 0 nor 1.
    """
    return _binary(path, load(path))


def load(path: Path) -> NDArray[Any]:
    """Loads a `.npy` file, memory-mapped and never unpickled.

    Raises:
        ValueError: where the array is pickled, cut short or none.
    """
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(
            f"{path}: must be a plain .npy array, not pickled and not cut "
            f"short. Found there: {error}"
        ) from error
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{path}: must be one .npy array, not an archive")
    return array


def _binary(path: Path, array: NDArray[Any]) -> Labels:
    if array.ndim == 2 and 1 in array.shape:
        array = array.reshape(-1)
    if array.ndim != 1:
        raise ValueError(
            f"{path}: labels must have the shape (N,) or (1, N). "
            f"Found there: {array.shape}"
        )
    values = np.unique(array)
    if not np.isin(values, (0, 1)).all():
        raise ValueError(
            f"{path}: labels must be 0 or 1. "
            f"Found there: {values[~np.isin(values, (0, 1))][:5].tolist()}"
        )
    return array.astype(np.uint8)


def _split(
    path: Path, labels: Labels, counts: Mapping[str, int]
) -> dict[str, Labels]:
    total = sum(counts.values())
    if len(labels) != total:
        raise ValueError(
            f"{path}: must hold one label for each of the {total} test "
            f"frames. Found there: {len(labels)}"
        )
    ends = np.cumsum(list(counts.values()))
    return dict(zip(counts, np.split(labels, ends[:-1]), strict=True))


def _read_each(truth: Truth, counts: Mapping[str, int]) -> dict[str, Labels]:
    result = {}
    for name, frames in counts.items():
        if truth.version == "avenue-masks":
            path = truth.path / f"{name.lstrip('0') or '0'}_label.mat"
            masks = matlab.read_cell(path, "volLabel")
            found = np.array([mask.any() for mask in masks], np.uint8)
        else:
            path = truth.path / f"{name}.npy"
            found = read_array(path)
        if len(found) != frames:
            raise ValueError(
                f"{path}: must hold one label for each of the {frames} "
                f"frames of {name}. Found there: {len(found)}"
            )
        result[name] = found
    return result
