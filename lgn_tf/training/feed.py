"""The clips that training is fed, and the steps that they make.

The same clips come in the same order on every backend: from tf.data on
TensorFlow, as arrays elsewhere.
"""

from typing import Any

import keras
import numpy as np

from lgn_tf.backend import distribution
from lgn_tf.config.schema import Config
from lgn_tf.data import sliding_windows
from lgn_tf.data.pipelines import arrays
from lgn_tf.data.video.footage import Encoded, Footage


def steps_per_epoch(footage: Footage, config: Config) -> int:
    """Returns the steps of an epoch.

    Args:
        footage: the videos that are fitted on.
        config: of the run.

    Raises:
        ValueError: where the clips do not fill one batch, or video files
            would have to be decoded out of order.
    """
    if isinstance(footage, Encoded) and not all(footage.files):
        raise ValueError(
            "`store` must be on for video files: clips are read at random, "
            "and a video file is decoded from its start. Extract the frames, "
            "or leave out --no-store. Received: store=False"
        )
    return sliding_windows.steps(
        len(_table(footage, config)), config.training.batch_size
    )


def training_clips(
    footage: Footage, config: Config, *, epoch: int = 0, start_step: int = 0
) -> Any:
    """Returns shuffled clips for `fit`, from any step of any epoch on.

    They never end: `fit` needs `steps_per_epoch` and `epoch_callbacks`.

    Args:
        footage: the videos that are fitted on.
        config: of the run.
        epoch: the first epoch, counted from 0.
        start_step: the step of that epoch to start at.

    Raises:
        ValueError: where the clips do not fill one batch.
    """
    shards, index = distribution.workers()
    return _clips(
        footage,
        config,
        batch_size=config.training.batch_size,
        seed=config.training.seed,
        epoch=epoch,
        start_step=start_step,
        shards=shards,
        index=index,
    )


def epoch_callbacks(clips: Any) -> list[keras.callbacks.Callback]:
    """Returns the callbacks that `fit` needs for `training_clips`.

    tf.data counts the epochs itself; arrays are told which one begins.
    """
    if not isinstance(clips, arrays.Batches):
        return []

    def begin(epoch: int, logs: Any) -> None:
        del logs
        clips.begin(epoch)

    return [keras.callbacks.LambdaCallback(on_epoch_begin=begin)]


def validation_clips(footage: Footage | None, config: Config) -> Any:
    """Returns the clips of the held-out videos once, in a fixed order.

    Args:
        footage: the held-out videos; None where there are none.
        config: of the run.

    Returns:
        Clips for `fit` or `evaluate`; None where there are no such videos.
    """
    if footage is None:
        return None
    size = min(config.training.batch_size, len(_table(footage, config)))
    return _clips(footage, config, epochs=1, batch_size=size, seed=0)


def _clips(
    footage: Footage,
    config: Config,
    *,
    epochs: int | None = None,
    **arguments: Any,
) -> Any:
    channels = config.model.channels
    arguments |= {"inputs": config.model.frames, "channels": channels}
    if keras.backend.backend() == "tensorflow":
        # Imported here: it brings TensorFlow along.
        from lgn_tf.data.pipelines import tf_data

        return tf_data.training_clips(footage, epochs=epochs, **arguments)
    # Held-out videos leave the memory of the device to those of training.
    resident = epochs is None and arrays.fits_on_device(footage, channels)
    return arrays.Batches(footage, resident=resident, **arguments)


def example_clips(footage: Footage, config: Config, count: int) -> Any:
    """Reads clips spread evenly over all videos.

    Args:
        footage: videos.
        config: of the run.
        count: of the clips; fewer where there are not so many.

    Returns:
        float32 arrays (count, frames, height, width, channels) and
        (count, height, width, channels) in [-1, 1]: clips, and the frame that
        follows each.
    """
    table = _table(footage, config)
    count = min(count, len(table))
    places = np.linspace(0, len(table) - 1, count).astype(int)
    windows = [table.window(int(place)) for place in places]
    return arrays.read_clips(
        footage,
        [(window.video, window.start) for window in windows],
        config.model.frames,
        config.model.channels,
    )


def _table(footage: Footage, config: Config) -> sliding_windows.ClipTable:
    return sliding_windows.ClipTable(footage.frame_counts, config.model.frames)
