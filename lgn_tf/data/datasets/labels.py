"""Frame labels of the test videos, and the intervals they are made from.

A label is 0 (normal) or 1 (abnormal). Published intervals count frames from 1
and include both ends.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from lgn_tf.data import sliding_windows
from lgn_tf.data.datasets.dataset import Dataset, Labels
from lgn_tf.data.datasets.tables import Interval


def read_ground_truth(
    dataset: Dataset, frame_counts: Mapping[str, int], version: str = ""
) -> dict[str, Labels]:
    """Reads one version of the labels of all test videos.

    Args:
        dataset: what `layouts.recognise` found.
        frame_counts: frames of each test video.
        version: one of the versions of `dataset.ground_truths`; default the
            first.

    Returns:
        For each test video its labels, uint8 (frames,).

    Raises:
        ValueError: where there is no such version, or where the labels are
            not binary or not as many as the frames, naming the file.
    """
    versions = {one.version: one for one in dataset.ground_truths}
    if not versions or version not in ("", *versions):
        raise ValueError(
            f"`version` must be one of {', '.join(versions) or '(none found)'}."
            f" Received: version={version!r} for {dataset.root}"
        )
    chosen = versions[version or dataset.ground_truths[0].version]
    starts = {video.name: video.start for video in dataset.split("test")}
    # Of a video that is a part, the frames up to its end.
    counts = {
        name: start + frame_counts[name] for name, start in starts.items()
    }
    found = chosen.read(chosen.path, counts)
    return {name: found[name][start:] for name, start in starts.items()}


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

    Returns:
        uint8 (frames,).

    Raises:
        ValueError: for an interval that does not lie within the video.
    """
    # Where intervals begin and end: a million may cover the same frames.
    edges = np.zeros(frames + 1, np.int64)
    for start, end in intervals:
        if not 1 <= start <= end <= frames:
            raise ValueError(
                f"{where}: an interval must lie within frames 1 to {frames}. "
                f"Found there: {start} to {end}"
            )
        edges[int(start) - 1] += 1
        edges[int(end)] -= 1
    return (np.cumsum(edges[:-1]) > 0).astype(np.uint8)


def to_intervals(labels: Labels) -> list[Interval]:
    """Turns labels into intervals, counted from 1 and inclusive."""
    edges = np.diff(np.concatenate(([0], labels.astype(np.int8), [0])))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return [(int(s) + 1, int(e)) for s, e in zip(starts, ends, strict=True)]
