"""Progress on the console, and events for TensorBoard."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import rich.console
import rich.progress
from keras import ops
from numpy.typing import NDArray

from lgn_tf.files import listings
from lgn_tf.runs import directory
from lgn_tf.scores import frame_scores
from lgn_tf.training import epoch_log

PICTURES = 4
"""Clips that are shown after each epoch."""

SHOWN = ("loss", "psnr", "gain", "items_in_use", "val_loss", "val_gain")
"""Values in the line that is printed after each epoch."""


class ProgressBar(keras.callbacks.Callback):
    """Shows steps, losses and the time that is left; a line after each epoch.

    `keras.callbacks.ProgbarLogger` knows one epoch: not the time that is left
    of the run, nor where a resumed one begins. It has no clips/s. It fills a
    log file with control characters, and asks for every loss, which waits for
    the device. Here a log file gets the lines of the epochs alone.

    Args:
        epochs: of the whole run.
        total: steps of the whole run.
        done: steps that earlier parts of the run made.
        batch_size: clips a step.
    """

    def __init__(
        self, epochs: int, total: int, done: int, batch_size: int
    ) -> None:
        """Prepares the bar; the context shows it."""
        super().__init__()
        self._epochs, self._batch_size = epochs, batch_size
        self._console = rich.console.Console()
        self._bar = rich.progress.Progress(
            rich.progress.TextColumn("epoch {task.fields[epoch]}"),
            rich.progress.BarColumn(),
            rich.progress.MofNCompleteColumn(),
            rich.progress.TimeElapsedColumn(),
            rich.progress.TimeRemainingColumn(),
            rich.progress.TextColumn("{task.fields[state]}"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task(
            "", total=total, completed=done, epoch="", state=""
        )
        self._begin, self._steps = 0.0, 0

    def __enter__(self) -> "ProgressBar":
        """Shows the bar."""
        self._bar.start()
        return self

    def __exit__(self, *error: Any) -> None:
        """Removes the bar."""
        self._bar.stop()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Names the epoch."""
        del logs
        self._begin, self._steps = time.monotonic(), 0
        self._bar.update(self._task, epoch=f"{epoch + 1}/{self._epochs}")

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Moves on by a step."""
        del batch
        self._steps += 1
        if self._bar.disable:
            # Nobody sees it, and asking for a loss waits for the device.
            return
        state = f"loss {float(logs['loss']):.4g} psnr {float(logs['psnr']):.2f}"
        self._bar.update(self._task, advance=1, state=state)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Prints the values of the epoch."""
        took = time.monotonic() - self._begin
        values = "  ".join(
            f"{name} {float(logs[name]):.4g}"
            for name in SHOWN
            if name in (logs or {})
        )
        rate = self._steps * self._batch_size / took
        self._bar.console.print(
            f"epoch {epoch + 1}/{self._epochs}  {values}  "
            f"{took:.0f} s  {rate:.1f} clips/s",
            highlight=False,
            soft_wrap=True,
        )


class Events(keras.callbacks.Callback):
    """Writes events for TensorBoard, by TensorFlow.

    They hold losses, PSNR, learning rate and throughput; the items in use and
    how similar they are; input, target, prediction and error of some clips.

    `keras.callbacks.TensorBoard` counts the steps of a resumed run from 0
    again, writes other tags into two folders, and has none of the pictures
    nor the memory.

    Args:
        run_dir: of the run.
        clips: float32 (clips, n, H, W, C), shown after each epoch.
        targets: float32 (clips, H, W, C).
        steps: of an epoch.
        batch_size: clips a step.
        offset: steps of the first epoch that an earlier part of the run made.
    """

    def __init__(
        self,
        run_dir: Path,
        clips: NDArray[np.float32],
        targets: NDArray[np.float32],
        steps: int,
        batch_size: int,
        offset: int = 0,
    ) -> None:
        """Opens a file of events."""
        super().__init__()
        import tensorflow as tf

        self._summary, self._error = tf.summary, tf.errors.OpError
        self._folder = run_dir / directory.TENSORBOARD
        # In a run of somebody else, a link would lead anywhere.
        listings.require_inside(run_dir, self._folder)
        with self._clear_errors():
            self._writer = tf.summary.create_file_writer(str(self._folder))
        self._clips, self._targets = clips, targets
        self._batch_size, self._steps = batch_size, steps
        self._begin, self._made, self._epoch = 0.0, 0, 0
        self._offset = offset

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Starts the clock."""
        del logs
        self._begin, self._made, self._epoch = time.monotonic(), 0, epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Writes the running means of the epoch, now and then."""
        self._made += 1
        batch += self._offset
        if batch % max(1, self._steps // 20):
            return
        step = self._epoch * self._steps + batch
        with self._clear_errors(), self._writer.as_default(step):
            for name, value in logs.items():
                self._summary.scalar(f"step/{name}", float(value))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Writes scalars, the memory, and pictures."""
        took = time.monotonic() - self._begin
        values = {name: float(value) for name, value in (logs or {}).items()}
        values["learning_rate"] = epoch_log.learning_rate(self.model)
        values["clips_per_second"] = self._made * self._batch_size / took
        self._offset = 0
        row = self._row()
        nearest = None
        if self.model.has_memory:
            nearest = ops.convert_to_numpy(
                self.model.read(self.model.encode(self._clips)).nearest
            )
        with self._clear_errors(), self._writer.as_default(epoch + 1):
            for name, value in values.items():
                self._summary.scalar(f"epoch/{name}", value)
            self._summary.image(
                "input, target, prediction, error", row, max_outputs=len(row)
            )
            if nearest is not None:
                self._summary.histogram("memory/nearest_item", nearest)
                self._memory()
            self._writer.flush()

    def _row(self) -> NDArray[np.float32]:
        """Input, target, prediction and error, side by side."""
        output = self.model.predict_on_batch(self._clips)
        # Named tuples of one backend come back as plain ones of another, and
        # several replicas predict each clip once each.
        prediction = output[0][: len(self._clips)]
        error = ops.convert_to_numpy(
            frame_scores.error_map(self._targets, prediction)
        ).mean(-1, keepdims=True)
        columns = (
            shown(self._clips[:, -1]),
            shown(self._targets),
            shown(prediction),
            np.repeat(error / max(float(error.max()), 1e-8), 3, -1),
        )
        return np.concatenate(columns, axis=2)

    def _memory(self) -> None:
        items = ops.convert_to_numpy(self.model.memory.items)
        similarity = items @ items.T
        self._summary.image(
            "similarity of the items, 0 black to 1 white",
            np.clip(similarity, 0, 1)[None, :, :, None],
        )
        others = similarity[~np.eye(len(items), dtype=bool)]
        self._summary.scalar("memory/mean_similarity", float(others.mean()))
        self._summary.scalar("memory/max_similarity", float(others.max()))

    def on_train_end(self, logs: Any = None) -> None:
        """Writes the events that are still buffered."""
        del logs
        with self._clear_errors():
            self._writer.flush()

    @contextlib.contextmanager
    def _clear_errors(self) -> Iterator[None]:
        """Raises OSError for TensorFlow's errors, such as of a full disk."""
        try:
            yield
        except self._error as error:
            raise OSError(
                f"{self._folder}: events cannot be written: {error.message}"
            ) from error


def shown(frames: Any) -> NDArray[np.float32]:
    """Returns frames of [-1, 1] as red, green, blue in [0, 1]."""
    picture = np.clip((ops.convert_to_numpy(frames) + 1) / 2, 0, 1)
    if picture.shape[-1] == 1:
        return np.asarray(np.repeat(picture, 3, axis=-1))
    return np.asarray(picture[..., ::-1])
