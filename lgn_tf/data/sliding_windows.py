"""Sliding-window arithmetic: which frames make a clip, and which get a score.

A clip is n consecutive frames of one video and the frame after them, the
target. The first n frames of a video are never a target, so they get no score.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def count(frames: int, inputs: int, stride: int = 1) -> int:
    """Returns how many clips a video has.

    Args:
        frames: frames of the video.
        inputs: n, the frames that predict the next one.
        stride: frames from the start of a clip to that of the next.

    Raises:
        ValueError: where `inputs` or `stride` is below 1, or `frames` below 0.
    """
    for name, value, least in (
        ("inputs", inputs, 1),
        ("stride", stride, 1),
        ("frames", frames, 0),
    ):
        if value < least:
            raise ValueError(
                f"`{name}` must be at least {least}. Received: {name}={value}"
            )
    return max(0, (frames - inputs - 1) // stride + 1)


def scored(frames: int, inputs: int) -> range:
    """Returns the positions of the frames that get a score."""
    return range(min(inputs, frames), frames)


@dataclasses.dataclass(frozen=True)
class Window:
    """One clip: frames [start, start + n) of a video, and the one after."""

    video: int
    start: int


class ClipTable:
    """Every clip of a list of videos, numbered from 0.

    Args:
        frame_counts: frames of each video.
        inputs: n, the frames that predict the next one.
        stride: frames from the start of a clip to that of the next.

    Raises:
        ValueError: where no video is long enough for one clip.
    """

    def __init__(
        self, frame_counts: Sequence[int], inputs: int, stride: int = 1
    ) -> None:
        """Counts the clips of each video."""
        counts = [count(frames, inputs, stride) for frames in frame_counts]
        self.inputs = inputs
        self.stride = stride
        self.too_short = [i for i, clips in enumerate(counts) if not clips]
        self._ends = np.cumsum(counts, dtype=np.int64)
        if not len(self):
            raise ValueError(
                f"A clip takes {inputs + 1} frames, and no video has as many. "
                f"Received: frame_counts={list(frame_counts)}"
            )

    def __len__(self) -> int:
        """Returns the number of clips."""
        return int(self._ends[-1]) if len(self._ends) else 0

    def window(self, number: int) -> Window:
        """Returns the clip of a number.

        Raises:
            IndexError: where there is no such clip.
        """
        if not 0 <= number < len(self):
            raise IndexError(
                f"`number` must lie in [0, {len(self)}). "
                f"Received: number={number}"
            )
        video = int(np.searchsorted(self._ends, number, side="right"))
        first = int(self._ends[video - 1]) if video else 0
        return Window(video, (number - first) * self.stride)


def order(total: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Returns the order of the clips in one epoch.

    The same for the same arguments on every machine: NumPy keeps the raw
    stream of a bit generator from release to release, and promises no such
    thing of `permutation`.

    Args:
        total: number of clips.
        seed: at least 0.
        epoch: at least 0.

    Returns:
        A permutation of 0 .. total - 1.
    """
    bits = np.random.Philox(key=[seed, epoch]).random_raw(total)
    return np.argsort(bits, kind="stable").astype(np.int64)


def steps(total: int, batch_size: int) -> int:
    """Returns the batches of an epoch; the last partial one is dropped.

    Raises:
        ValueError: where there are fewer clips than one batch takes.
    """
    if batch_size < 1 or total < batch_size:
        raise ValueError(
            f"`batch_size` must lie between 1 and the number of clips, "
            f"{total}. Received: batch_size={batch_size}"
        )
    return total // batch_size


def shard(
    numbers: NDArray[np.int64], batch_size: int, shards: int, index: int
) -> NDArray[np.int64]:
    """Cuts every batch into equal parts and returns those of one worker.

    Part i of batch b of the whole is batch b of worker i, so any number of
    workers together see in each step what one would.

    Args:
        numbers: clip numbers of the epoch in their order.
        batch_size: clips a step, over all workers.
        shards: number of workers.
        index: which of them.

    Returns:
        Clip numbers, (steps, batch_size / shards).

    Raises:
        ValueError: where the batch does not divide, or `index` is no worker.
    """
    if shards < 1 or batch_size % shards:
        raise ValueError(
            "`batch_size` must be a multiple of `shards`. "
            f"Received: batch_size={batch_size}, shards={shards}"
        )
    if not 0 <= index < shards:
        raise ValueError(
            f"`index` must lie in [0, {shards}). Received: index={index}"
        )
    whole = steps(len(numbers), batch_size)
    parts = numbers[: whole * batch_size].reshape(whole, shards, -1)
    return parts[:, index]
