"""The steps of training that fit into some minutes on this machine."""

import dataclasses
import time
from typing import Any

import keras

from lgn_tf.backend import distribution
from lgn_tf.config.schema import Config
from lgn_tf.data import sliding_windows
from lgn_tf.data.sources import Source
from lgn_tf.training import callbacks, feed, train

WARM_UP = 3
"""Steps that are not measured: the first ones compile."""

MOST_EPOCHS = 1000
"""Of the measurement, where the clips are few and an epoch is soon over."""

LEAST_STEPS, LEAST_SECONDS = 8, 4.0
"""The least that is measured of training: steps, and their time in seconds."""


@dataclasses.dataclass(frozen=True)
class Speed:
    """The measured speed of training.

    Attributes:
        step: seconds of a training step, feeding included.
        validation: seconds of a pass over the held-out clips.
    """

    step: float
    validation: float


def measure(config: Config, source: Source) -> Speed:
    """Measures a training step with a model that is thrown away.

    Args:
        config: of the run to come.
        source: its videos.

    Raises:
        ValueError: where the clips do not fill one batch.
    """
    fitted, held_out = source.training(
        config.data.holdout, config.training.seed
    )
    steps = feed.steps_per_epoch(fitted, config)
    keras.utils.set_random_seed(config.training.seed)
    with (
        distribution.scope(config.training.strategy),
        train.naming_bad_files(),
    ):
        model = train.compiled(config, steps)
        clock = _Clock()
        fed = feed.training_clips(fitted, config)
        model.fit(
            fed,
            steps_per_epoch=steps,
            epochs=MOST_EPOCHS,
            shuffle=False,
            verbose=0,
            callbacks=[clock, callbacks.StopOnNaN()],
        )
        return Speed(clock.step, _validation(model, held_out, config))


def _validation(model: keras.Model, held_out: Any, config: Config) -> float:
    if held_out is None:
        return 0.0
    fed = feed.validation_clips(held_out, config)
    # Of few clips, one batch that is not full.
    table = sliding_windows.ClipTable(
        held_out.frame_counts, config.model.frames
    )
    batches = max(1, len(table) // config.training.batch_size)
    seconds = []
    for _ in range(2):
        begin = time.monotonic()
        model.evaluate(fed, steps=min(2, batches), verbose=0)
        seconds.append(time.monotonic() - begin)
    # The first pass compiled.
    return seconds[-1] * batches / min(2, batches)


class _Clock(keras.callbacks.Callback):
    """Times steps, and ends the fit when that is enough.

    Attributes:
        step: seconds of a step.
    """

    step = 0.0

    def __init__(self) -> None:
        super().__init__()
        self._made, self._begin = 0, 0.0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        del batch
        self._made += 1
        if self._made == WARM_UP:
            float(logs["loss"])  # Waits for the device.
            self._begin = time.monotonic()
        measured = self._made - WARM_UP
        if measured < LEAST_STEPS:
            return
        if time.monotonic() - self._begin >= LEAST_SECONDS:
            float(logs["loss"])
            self.step = (time.monotonic() - self._begin) / measured
            self.model.stop_training = True


def fill(
    config: Config, source: Source, seconds: float
) -> tuple[Config, Speed]:
    """Returns a configuration whose training takes some seconds here.

    Its steps are written down: a run that goes on elsewhere, or another with
    the same configuration, trains as long.

    Args:
        config: of the run to come; its epochs are not used.
        source: its videos.
        seconds: of training and validation, from now.

    Returns:
        The configuration with `training.steps`, and the measured speed.

    Raises:
        ValueError: where the clips do not fill one batch, or there is not
            even time to measure.
    """
    begin = time.monotonic()
    speed = measure(config, source)
    left = seconds - (time.monotonic() - begin)
    if left < speed.step:
        raise ValueError(
            "`minutes` must be more than it takes to measure a step, "
            f"{(time.monotonic() - begin) / 60:.2f}. "
            f"Received: minutes={seconds / 60:g}"
        )
    fitted, _ = source.training(config.data.holdout, config.training.seed)
    epoch = feed.steps_per_epoch(fitted, config)
    length = dataclasses.replace(
        config.training, steps=_steps(speed, epoch, left)
    )
    return dataclasses.replace(config, training=length), speed


def _steps(speed: Speed, epoch: int, seconds: float) -> int:
    """Returns the steps that fit, each with its share of the validation."""
    return max(1, int(seconds / (speed.step + speed.validation / epoch)))
