"""tf.data: training clips in a seeded order, frames of a video in order.

Letters: B batch, n input frames, T frames of a piece, H, W, C.
"""

import functools
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from lgn_tf.data import sliding_windows
from lgn_tf.data.datasets.dataset import Video
from lgn_tf.data.pipelines import arrays
from lgn_tf.data.video import decoding, preprocessing
from lgn_tf.data.video.footage import (
    Encoded,
    Footage,
    Frames,
    require_size,
)

_log = logging.getLogger(__name__)


def training_clips(
    footage: Footage,
    *,
    inputs: int,
    channels: int,
    batch_size: int,
    seed: int,
    epoch: int = 0,
    start_step: int = 0,
    epochs: int | None = None,
    shards: int = 1,
    index: int = 0,
    stride: int = 1,
    parallel: int = tf.data.AUTOTUNE,
) -> tf.data.Dataset:
    """Clips of all videos, shuffled over the whole set.

    The order depends on (seed, epoch) alone, so a run that stops and goes on
    at any step of any epoch sees what an unbroken one would.

    Args:
        footage: `store.Stored`, or any other.
        inputs: n, the frames that predict the next one.
        channels: 3 or 1, what the model takes.
        batch_size: clips a step, over all shards.
        seed: of the order.
        epoch: the first epoch.
        start_step: the step of that epoch to start at.
        epochs: how many; what is left of the first counts as one. None never
            ends: `fit` then needs `steps_per_epoch`, see
            `sliding_windows.steps`.
        shards: workers that share each batch.
        index: which of them this is.
        stride: frames from the start of a clip to that of the next.
        parallel: batches that are made side by side.

    Returns:
        A dataset of (clips, target): float32 (B / shards, n, H, W, C) and
        (B / shards, H, W, C) in [-1, 1].

    Raises:
        ValueError: where there is no clip, or fewer than one batch, or an
            argument is out of bounds.
    """
    preprocessing.require_channels(channels)
    table = sliding_windows.ClipTable(footage.frame_counts, inputs, stride)
    if table.too_short:
        names = [footage.names[video] for video in table.too_short]
        _log.warning(
            "%d videos are shorter than a clip of %d frames and are skipped: "
            "%s",
            len(names),
            inputs + 1,
            ", ".join(names),
        )
    steps = sliding_windows.steps(len(table), batch_size)
    if not 0 <= start_step <= steps or epoch < 0:
        raise ValueError(
            f"`start_step` must lie in [0, {steps}] and `epoch` not be "
            f"negative. Received: start_step={start_step}, epoch={epoch}"
        )

    numbers = functools.lru_cache(maxsize=2)(
        lambda which: sliding_windows.shard(
            sliding_windows.order(len(table), seed, which),
            batch_size,
            shards,
            index,
        )
    )
    numbers(epoch)  # Refuses bad shards before the first step.
    first = epoch * steps + start_step
    end = np.iinfo(np.int64).max if epochs is None else (epoch + epochs) * steps
    dataset = tf.data.Dataset.range(first, end)
    rows = batch_size // shards
    dataset = dataset.map(
        functools.partial(_windows, table, numbers, steps, rows)
    )
    if isinstance(footage, Encoded) and _format(footage):
        return _finish(
            _decode_clips(dataset, footage, inputs, channels, parallel)
        )
    read = _from_arrays(footage, inputs, channels)
    return _finish(dataset.map(read, parallel, deterministic=True))


def _windows(
    table: sliding_windows.ClipTable,
    numbers: Any,
    steps: int,
    rows: int,
    step: Any,
) -> Any:
    """Turns the number of a step into the (B, 2) videos and starts of it."""

    def find(step: Any) -> Any:
        epoch, place = divmod(int(step), steps)
        found = [table.window(n) for n in numbers(epoch)[place].tolist()]
        return np.array([(w.video, w.start) for w in found], np.int64)

    return tf.ensure_shape(tf.numpy_function(find, [step], tf.int64), (rows, 2))


def _from_arrays(footage: Footage, inputs: int, channels: int) -> Any:
    """Returns what turns (B, 2) videos and starts into a batch."""
    height, width = footage.size

    def batch(windows: Any) -> tuple[Any, Any]:
        return arrays.read_clips(footage, windows.tolist(), inputs, channels)

    def read(windows: Any) -> tuple[Any, Any]:
        past, target = tf.numpy_function(
            batch, [windows], (tf.float32, tf.float32)
        )
        rows = windows.shape[0]
        return (
            tf.ensure_shape(past, (rows, inputs, height, width, channels)),
            tf.ensure_shape(target, (rows, height, width, channels)),
        )

    return read


def _format(footage: Footage) -> str:
    """Returns the one format of all frame files, or '' where there are more.

    Frame files of one format are decoded in the graph, free of Python's lock.
    """
    if not isinstance(footage, Encoded) or not all(footage.files):
        return ""
    kinds = {path.suffix.lower() for files in footage.files for path in files}
    return kinds.pop() if len(kinds) == 1 else ""


def _decode_clips(
    dataset: tf.data.Dataset,
    footage: Encoded,
    inputs: int,
    channels: int,
    parallel: int,
) -> tf.data.Dataset:
    """Turns a dataset of (B, 2) videos and starts into one of batches."""
    count = inputs + 1

    def paths(windows: Any) -> Any:
        return np.array(
            [
                [bytes(file) for file in footage.files[video][start:][:count]]
                for video, start in windows.tolist()
            ],
            dtype=object,
        )

    def split(clip: Any) -> tuple[Any, Any]:
        scaled = preprocessing.to_float(clip)
        return scaled[:, :-1], scaled[:, -1]

    rows = dataset.element_spec.shape[0]
    names = dataset.map(
        lambda windows: tf.ensure_shape(
            tf.numpy_function(paths, [windows], tf.string), (rows, count)
        )
    )
    decode = _decoder(_format(footage), footage, channels)
    decoded = names.unbatch().unbatch().map(decode, parallel, True)
    return decoded.batch(count, True).batch(rows, True).map(split)


def _decoder(kind: str, footage: Encoded, channels: int) -> Any:
    """Returns a function of a path to a frame, uint8 (*size, channels)."""
    first = {files[0].parent: files[0] for files in footage.files if files}
    size = footage.size

    @functools.cache
    def shape(folder: Path) -> tuple[int, ...]:
        file = first[folder]
        return decoding.decode(file.read_bytes(), str(file)).shape[:2]

    def prepare(frame: Any, path: bytes) -> Any:
        name = os.fsdecode(path)
        require_size(name, frame, shape(Path(name).parent))
        return preprocessing.prepare(frame, size, channels)

    def decode(path: Any) -> Any:
        contents = tf.io.read_file(path)
        # The decoders of TensorFlow do not say which file is bad.
        checked = tf.numpy_function(
            decoding.require_whole, [contents, path], tf.bool
        )
        with tf.control_dependencies([checked]):
            frame = decoding.decode_tensor(contents, kind)
        # The same pixels as in the graph, in a tenth of the time.
        frame = tf.numpy_function(prepare, [frame, path], tf.uint8)
        return tf.ensure_shape(frame, (*size, channels))

    return decode


class GraphDecoded(Encoded):
    """Footage of image files that are decoded in a graph, in parallel.

    Videos of other files are read as `Encoded` reads them.

    Args:
        videos: from `layouts.recognise`.
        size: (height, width) in pixels that frames are resized to.
        channels: of the frames, 3 or 1.
    """

    def __init__(
        self, videos: Sequence[Video], size: tuple[int, int], channels: int
    ) -> None:
        """Opens nothing yet."""
        preprocessing.require_channels(channels)
        super().__init__(videos, size)
        self.channels = channels

    def stream(self, video: int, length: int) -> Iterator[Frames]:
        """Yields all frames in order, each decoded once.

        Raises:
            ValueError: for a frame that is unreadable, naming the file.
        """
        files = self.files[video]
        kinds = {path.suffix.lower() for path in files}
        if len(kinds) != 1:
            yield from super().stream(video, length)
            return
        decode = _decoder(kinds.pop(), self, self.channels)
        dataset = tf.data.Dataset.from_tensor_slices([*map(str, files)])
        dataset = dataset.map(decode, tf.data.AUTOTUNE, deterministic=True)
        try:
            yield from _finish(dataset.batch(length)).as_numpy_iterator()
        except tf.errors.OpError as error:
            raise ValueError(
                decoding.unreadable_in(error) or error.message
            ) from error


def _finish(dataset: tf.data.Dataset) -> tf.data.Dataset:
    options = tf.data.Options()
    # Every worker already reads its own part.
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.OFF
    )
    return dataset.with_options(options).prefetch(2)
