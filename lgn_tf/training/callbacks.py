"""Callbacks of `fit`: learning rate, divergence, snapshots, signals."""

import contextlib
import math
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from lgn_tf.backend import signals
from lgn_tf.config.length import Length
from lgn_tf.runs import directory, model_files
from lgn_tf.training import snapshots

_HINT = (
    "A lower `learning_rate`, or `dtype` float32 instead of a mixed one, may "
    "help; the last snapshot is as it was"
)


class Diverged(ValueError):
    """The loss is no longer a number."""


class Interrupted(Exception):
    """The run was asked to stop, and its state is saved."""


def cosine_by_epoch(
    start: float, epochs: int
) -> keras.callbacks.LearningRateScheduler:
    """Sets the learning rate to start (1 + cos(pi epoch / epochs)) / 2.

    Args:
        start: learning rate of the first epoch.
        epochs: of the whole run.

    Reference:
        LGN-Net, section IV-B.
    """

    def rate(epoch: int, before: float) -> float:
        del before
        return start * (1 + math.cos(math.pi * epoch / epochs)) / 2

    return keras.callbacks.LearningRateScheduler(rate)


class StopOnNaN(keras.callbacks.Callback):
    """Stops a run whose loss is not finite, before anything is saved.

    A step is looked at when the next one has been handed to the device, so
    that the device never waits for it; `Snapshots` looks at the weights.
    `keras.callbacks.TerminateOnNaN` waits for the device after every step, and
    its error names neither the epoch nor the other losses.

    Args:
        offset: steps of the first epoch that an earlier part of the run made.
    """

    def __init__(self, offset: int = 0) -> None:
        """Starts without an epoch."""
        super().__init__()
        self._epoch, self._offset = 0, offset
        self._unseen: tuple[int, Any] | None = None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Remembers the epoch, for the message."""
        del logs
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Raises Diverged where the loss of the step before is not finite."""
        self._look()
        self._unseen = batch, logs

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Raises Diverged where the loss of the last step is not finite."""
        del epoch, logs
        self._look()
        self._offset = 0

    def _look(self) -> None:
        if self._unseen is None:
            return
        batch, logs = self._unseen
        self._unseen = None
        if math.isfinite(float(logs["loss"])):
            return
        values = ", ".join(f"{k} {float(v):.4g}" for k, v in logs.items())
        raise Diverged(
            f"The loss is not finite in epoch {self._epoch + 1}, step "
            f"{self._offset + batch + 1}: {values}. {_HINT}"
        )


class Snapshots(keras.callbacks.Callback):
    """Saves the whole state now and then, and when the run is to stop.

    `keras.callbacks.BackupAndRestore` is not bit-exact: it begins a broken
    epoch again, with the weights of its middle. It writes two files, and a
    kill between them leaves the weights of one step with the place of another.

    Args:
        run_dir: of the run.
        length: of the run.
        minutes: between two snapshots.
        progress: the epoch and step that the run goes on from.
        resumed: metric states of a broken epoch, from `metric_states`.
    """

    def __init__(
        self,
        run_dir: Path,
        length: Length,
        minutes: float,
        progress: snapshots.Progress,
        resumed: list[Any] | None = None,
    ) -> None:
        """Starts the clock."""
        super().__init__()
        self.best = progress.best
        self._run_dir, self._length = run_dir, length
        self._epoch, self._offset = progress.epoch, progress.step
        self._pause = 60 * minutes
        self._resumed = resumed
        self._stop = threading.Event()
        self._started = self._saved = time.monotonic()
        self._before = progress.seconds

    def seconds(self) -> float:
        """Returns the time spent in training, over all parts of the run."""
        return self._before + time.monotonic() - self._started

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Puts back the metrics of an epoch that was broken off."""
        del logs
        self._epoch = epoch
        if self._resumed is not None:
            for variable, value in zip(
                self.model.metrics_variables, self._resumed, strict=True
            ):
                variable.assign(value)
            self._resumed = None

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Saves inside an epoch where it is time."""
        del logs
        step = self._offset + batch + 1
        # The end of an epoch has callbacks of its own to run first.
        if step < self._length.steps_of(self._epoch):
            self._maybe_save(self._epoch, step)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Keeps the best weights, and saves where it is time."""
        loss = float((logs or {}).get("val_loss", math.nan))
        if math.isfinite(loss) and (self.best is None or loss < self.best):
            self.best = loss
            model_files.save_weights(self._run_dir, self.model, directory.BEST)
        self._offset = 0
        self._maybe_save(epoch + 1, 0)

    def save(self, epoch: int, step: int) -> None:
        """Saves the state after `step` steps of `epoch`.

        Raises:
            Diverged: where a weight is not finite, which the loss shows one
                step later; the former snapshot stays.
        """
        for weight in self.model.weights:
            if not np.isfinite(keras.ops.convert_to_numpy(weight)).all():
                raise Diverged(
                    f"{weight.path} is not finite in epoch {epoch + 1}, step "
                    f"{step}. {_HINT}"
                )
        progress = snapshots.Progress(epoch, step, self.best, self.seconds())
        snapshots.save(self._run_dir, self.model, progress)
        self._saved = time.monotonic()

    def _maybe_save(self, epoch: int, step: int) -> None:
        stop = self._stop.is_set()
        if stop or time.monotonic() - self._saved >= self._pause:
            self.save(epoch, step)
        if stop:
            raise Interrupted(
                f"stopped in epoch {epoch + 1} after {step} steps"
                if step
                else f"stopped after epoch {epoch}"
            )

    @contextlib.contextmanager
    def stopped_by_signals(self) -> Iterator[None]:
        """Lets Ctrl-C and SIGTERM end the run after its current step.

        A second one ends it at once.
        """

        def stop(number: int, frame: Any) -> None:
            del frame
            self._stop.set()
            signal.signal(number, before[number])

        with signals.handled(stop) as before:
            yield
