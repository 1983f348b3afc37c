"""Training clips without TensorFlow, in the order of `tf_data`."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from lgn_tf.data import sliding_windows
from lgn_tf.data.video import preprocessing
from lgn_tf.data.video.footage import Footage

RESIDENT_SHARE = 0.25
"""Of a device's memory, what frames may take."""


def read_clips(
    footage: Footage,
    windows: Sequence[tuple[int, int]],
    inputs: int,
    channels: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Reads clips and the frames that follow them.

    Args:
        footage: videos.
        windows: the video and the first frame of each clip.
        inputs: n, the frames of a clip.
        channels: 3 or 1, what the model takes.

    Returns:
        Clips (B, n, H, W, C) and targets (B, H, W, C), in [-1, 1].
    """
    height, width = footage.size
    shape = (len(windows), inputs, height, width, channels)
    past = np.empty(shape, np.float32)
    target = np.empty((len(windows), *shape[2:]), np.float32)
    for row, (video, start) in enumerate(windows):
        found = footage.read(video, start, start + inputs + 1)
        preprocessing.fill(past[row], found[:-1])
        preprocessing.fill(target[row : row + 1], found[-1:])
    return past, target


class Resident:
    """Frames in the memory of the device, as uint8.

    The host then hands over numbers of frames and no pixels.

    Args:
        footage: videos.
        channels: 3 or 1, what the model takes.
    """

    def __init__(self, footage: Footage, channels: int) -> None:
        """Copies every frame to the device."""
        counts = footage.frame_counts
        self._first = np.cumsum([0, *counts[:-1]])
        self._channels = channels
        videos = [footage.read(n, 0, count) for n, count in enumerate(counts)]
        kept = min(channels, max(video.shape[-1] for video in videos))
        self._frames = ops.convert_to_tensor(
            np.concatenate([preprocessing.to_channels(v, kept) for v in videos])
        )
        self._table = ops.convert_to_tensor(preprocessing.TABLE)

    def read_clips(
        self, windows: Sequence[tuple[int, int]], inputs: int
    ) -> Any:
        """Returns what the function `read_clips` does, on the device."""
        starts = [self._first[video] + start for video, start in windows]
        places = np.add.outer(starts, np.arange(inputs + 1)).astype(np.int32)
        pixels = ops.take(self._frames, places, axis=0)  # (B, n + 1, H, W, C)
        clips = ops.take(self._table, ops.cast(pixels, "int32"), axis=0)
        clips = ops.repeat(clips, self._channels // clips.shape[-1], axis=-1)
        return clips[:, :-1], clips[:, -1]


def fits_on_device(footage: Footage, channels: int) -> bool:
    """Whether an accelerator has room to spare for every frame.

    Args:
        footage: videos.
        channels: 3 or 1, what the model takes.
    """
    if keras.backend.backend() != "jax":
        return False
    import jax

    device, *others = jax.devices()
    if others or device.platform == "cpu":
        return False
    height, width = footage.size
    size = sum(footage.frame_counts) * height * width * channels
    memory = device.memory_stats() or {}
    return size <= RESIDENT_SHARE * memory.get("bytes_limit", 0)


class Batches(keras.utils.PyDataset):
    """The batches of `tf_data.training_clips`, as arrays, on any backend.

    The same clips in the same order, made ahead by threads of its own: those
    of Keras' PyDataset can hand out the second batch first, after `fit` has
    looked at one to build the model.

    Args:
        footage: videos.
        inputs: n, the frames that predict the next one.
        channels: 3 or 1, what the model takes.
        batch_size: clips a step, over all shards.
        seed: of the order.
        epoch: the first epoch.
        start_step: the step of that epoch to start at.
        shards: workers that share each batch.
        index: which of them this is.
        workers: threads that make batches ahead.
        resident: whether the frames lie in the memory of the device.
    """

    def __init__(
        self,
        footage: Footage,
        *,
        inputs: int,
        channels: int,
        batch_size: int,
        seed: int,
        epoch: int = 0,
        start_step: int = 0,
        shards: int = 1,
        index: int = 0,
        workers: int = 4,
        resident: bool = False,
    ) -> None:
        """Orders the clips of the first epoch."""
        super().__init__(workers=0)
        self._pool = ThreadPoolExecutor(workers)
        self._ahead: dict[int, Future[tuple[NDArray[np.float32], ...]]] = {}
        self._threads, self._lock = workers, threading.Lock()
        preprocessing.require_channels(channels)
        self._footage, self._channels = footage, channels
        self._resident = Resident(footage, channels) if resident else None
        self._table = sliding_windows.ClipTable(footage.frame_counts, inputs)
        self._seed, self._batch_size = seed, batch_size
        self._shards, self._index = shards, index
        self._epoch, self._start = epoch, start_step
        self._numbers = self._order()

    def _order(self) -> NDArray[np.int64]:
        order = sliding_windows.order(len(self._table), self._seed, self._epoch)
        return sliding_windows.shard(
            order, self._batch_size, self._shards, self._index
        )

    def __len__(self) -> int:
        """Returns the steps that are left of this epoch."""
        return len(self._numbers) - self._start

    def __getitem__(self, step: int) -> tuple[NDArray[np.float32], ...]:
        """Returns clips (B, n, H, W, C) and targets (B, H, W, C)."""
        if self._resident is not None:
            return self._read(self._numbers[self._start + step])
        with self._lock:
            for number in range(step, min(step + self._threads, len(self))):
                if number not in self._ahead:
                    self._ahead[number] = self._pool.submit(
                        self._read, self._numbers[self._start + number]
                    )
            wanted = self._ahead[step]
            # Whoever asks for an earlier one again has it made again.
            self._ahead = {n: f for n, f in self._ahead.items() if n > step}
        return wanted.result()

    def _read(
        self, numbers: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], ...]:
        found = [self._table.window(number) for number in numbers.tolist()]
        windows = [(window.video, window.start) for window in found]
        if self._resident is not None:
            return self._resident.read_clips(windows, self._table.inputs)
        return read_clips(
            self._footage, windows, self._table.inputs, self._channels
        )

    def begin(self, epoch: int) -> None:
        """Puts the clips in the order of an epoch.

        `fit` has to say which: it runs through the first batches once more
        than there are epochs, to build what is not yet built.
        """
        with self._lock:
            if epoch != self._epoch:
                self._epoch, self._start, self._ahead = epoch, 0, {}
                self._numbers = self._order()
