"""Readers of the label files that several data sets share.

Each `read_...` takes a path and the frames of each test video, and returns the
labels of each, uint8 (frames,). No file is ever unpickled.
"""

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lgn_tf.data.datasets import labels, matlab, tables
from lgn_tf.data.datasets.dataset import GroundTruth, LabelReader, Labels
from lgn_tf.data.datasets.tables import Interval
from lgn_tf.files import arrays, untrusted
from lgn_tf.files.listings import children

Counts = Mapping[str, int]


def read_ucsd(path: Path, counts: Counts) -> dict[str, Labels]:
    """Reads UCSD's `.m`: lines such as `...gt_frame = [61:180, 190];`.

    Raises:
        ValueError: where no such line is there, one cannot be read, or there
            is not one for each video.
    """
    contents = untrusted.read_bytes(path, tables.MOST_BYTES)
    text = contents.decode(errors="replace")
    lines = [line.partition("%")[0] for line in text.splitlines()]
    bodies = re.findall(r"gt_frame\s*=\s*\[([^\]]*)\]", "\n".join(lines))
    if not bodies:
        raise ValueError(f"{path}: no line `gt_frame = [...]` was found")
    videos = []
    for body in bodies:
        intervals = []
        for part in body.replace(",", " ").split():
            match = re.fullmatch(r"([0-9]{1,9})(?::([0-9]{1,9}))?", part)
            if match is None:
                raise ValueError(
                    f"{path}: an interval must read `first:last`. "
                    f"Found there: {part!r:.80}"
                )
            intervals.append((int(match[1]), int(match[2] or match[1])))
        videos.append(intervals)
    return _in_order(path, videos, counts)


def read_frame_pred(path: Path, counts: Counts) -> dict[str, Labels]:
    """Reads `gt` of Frame-Pred's `.mat`: a cell of 2 x N starts and ends.

    Raises:
        ValueError: where the file holds something else, or there is not one
            entry for each video.
    """
    videos = []
    for entry in matlab.read_cell(path, "gt"):
        if entry.size and (entry.ndim != 2 or entry.shape[0] != 2):
            raise ValueError(
                f"{path}: each entry of `gt` must be 2 x N, starts and ends. "
                f"Found there: {entry.shape}"
            )
        # Of floats, what is no whole number of frames is out of bounds.
        pairs = np.nan_to_num(entry).clip(-1, 2**53).reshape(2, -1).T
        videos.append([(int(start), int(end)) for start, end in pairs])
    return _in_order(path, videos, counts)


def read_csv(path: Path, counts: Counts) -> dict[str, Labels]:
    """Reads a table `video,start,end`; who is not named is normal.

    Raises:
        ValueError: for a name that no test video has, and see `read_table`.
    """
    videos: dict[str, list[Interval]] = {name: [] for name in counts}
    unknown = set()
    for video, span, _ in tables.read_table(path):
        if video in videos:
            videos[video].append(span)
        else:
            unknown.add(video)
    if unknown:
        raise ValueError(
            f"{path}: each row must name a test video. "
            f"Found there: {min(unknown)!r}"
        )
    return _in_order(path, list(videos.values()), counts)


def read_mnad(path: Path, counts: Counts) -> dict[str, Labels]:
    """Reads MNAD's `.npy`: the labels of all test videos, one after another.

    Raises:
        ValueError: where they are not as many as the frames; see `read_array`.
    """
    total = sum(counts.values())
    found = read_array(path, total, "test frames")
    ends = np.cumsum(list(counts.values()))
    return dict(zip(counts, np.split(found, ends[:-1]), strict=True))


def read_each_array(path: Path, counts: Counts) -> dict[str, Labels]:
    """Reads a folder with one `.npy` a video, as ShanghaiTech has.

    Raises:
        ValueError: where labels are not as many as the frames; see
            `read_array`.
    """
    result = {}
    for name, frames in counts.items():
        file = path / f"{name}.npy"
        result[name] = read_array(file, frames, f"frames of {name}")
    return result


_READERS: Mapping[str, tuple[str, LabelReader]] = {
    ".m": ("ucsd", read_ucsd),
    ".mat": ("frame-pred", read_frame_pred),
    ".npy": ("mnad", read_mnad),
    ".csv": ("csv", read_csv),
}
SUFFIXES = tuple(_READERS)
"""Endings of the files that `label_file` takes."""


def label_file(path: Path) -> GroundTruth:
    """Returns the labels in one file; its ending says how to read it.

    Raises:
        ValueError: for another ending.
    """
    if path.suffix not in _READERS:
        raise ValueError(
            f"`labels` must be a file of {', '.join(SUFFIXES)}. "
            f"Received: labels={str(path)!r}"
        )
    version, read = _READERS[path.suffix]
    return GroundTruth(version, path, read, official=version == "ucsd")


def published_later(root: Path) -> list[GroundTruth]:
    """Finds Frame-Pred's `.mat` and MNAD's `frame_labels_*.npy` in a folder."""
    return [
        label_file(file)
        for file in children(root)
        if (file.suffix == ".mat" and not file.name.endswith("_label.mat"))
        or (file.suffix == ".npy" and file.name.startswith("frame_labels"))
    ]


def require_length(
    path: Path, of: str, found: Sequence[Any] | NDArray[Any], frames: int
) -> None:
    """Refuses labels that are not as many as the frames.

    Args:
        path: of the file.
        of: what they are labels of, such as `frames of 01`.
        found: the labels.
        frames: how many there must be.

    Raises:
        ValueError: naming the file.
    """
    if len(found) != frames:
        raise ValueError(
            f"{path}: must hold one label for each of the {frames} {of}. "
            f"Found there: {len(found)}"
        )


def read_array(path: Path, frames: int, of: str) -> Labels:
    """Reads labels from a `.npy` of shape (N,) or (1, N).

    Args:
        path: of the file.
        frames: how many labels there must be.
        of: what they are labels of, for errors.

    Raises:
        ValueError: for a pickled array, another shape, or a value that is
            neither 0 nor 1.
    """
    array = load(path)
    if array.ndim == 2 and 1 in array.shape:
        array = array.reshape(-1)
    if array.ndim != 1:
        raise ValueError(
            f"{path}: labels must have the shape (N,) or (1, N). "
            f"Found there: {array.shape}"
        )
    require_length(path, of, array, frames)
    values = np.unique(array)
    if not np.isin(values, (0, 1)).all():
        raise ValueError(
            f"{path}: labels must be 0 or 1. "
            f"Found there: {values[~np.isin(values, (0, 1))][:5].tolist()}"
        )
    return array.astype(np.uint8)


def load(path: Path) -> NDArray[Any]:
    """Loads a `.npy` file, memory-mapped and never unpickled.

    Raises:
        ValueError: where the array is pickled, cut short or none.
    """
    with untrusted.opened(path) as file:
        try:
            header = arrays.read_header(file)
            if header.dtype.kind == "U":
                raise ValueError("letters")
            if header.offset + header.bytes > file.seek(0, io.SEEK_END):
                raise ValueError(f"the shape {header.shape}")
            array: NDArray[Any] = np.memmap(
                file,
                header.dtype,
                mode="r",
                offset=header.offset,
                shape=header.shape,
                order="F" if header.by_columns else "C",
            )
        except Exception as error:
            # A damaged header raises what its parsers raise, of many kinds.
            raise ValueError(
                f"{path}: must be a plain .npy array of numbers, not pickled "
                f"and not cut short. Found there: {error}"
            ) from error
    return array


def _in_order(
    path: Path, videos: Sequence[Sequence[Interval]], counts: Counts
) -> dict[str, Labels]:
    if len(videos) != len(counts):
        raise ValueError(
            f"{path}: must label each of the {len(counts)} test videos. "
            f"Found there: {len(videos)}"
        )
    return {
        name: labels.from_intervals(intervals, frames, f"{path}: {name}")
        for (name, frames), intervals in zip(
            counts.items(), videos, strict=True
        )
    }
