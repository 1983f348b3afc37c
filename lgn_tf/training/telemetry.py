"""What a run tells while it trains: CSV, progress, TensorBoard.

TensorFlow writes the events, where it is installed; all else goes without.
"""

import contextlib
import csv
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

from lgn_tf.files import atomic
from lgn_tf.runs import directory
from lgn_tf.scores import frame_scores

PICTURES = 4
"""Clips that are shown after each epoch."""

SHOWN = ("loss", "psnr", "gain", "items_in_use", "val_loss", "val_gain")
"""What the line of an epoch shows."""


class EpochLog(keras.callbacks.Callback):
    """Writes one line an epoch into `log.csv`.

    Args:
        run_dir: of the run.
        first: first epoch of this part of the run; later lines, of epochs
            that are trained again, are dropped.
        seconds: returns the time spent in training.
    """

    def __init__(self, run_dir: Path, first: int, seconds: Any) -> None:
        """Reads the lines of earlier parts."""
        super().__init__()
        self._path = run_dir / directory.LOG
        self._seconds = seconds
        self._rows = [
            row for row in read_log(run_dir) if int(row["epoch"]) <= first
        ]

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Adds a line; the file is replaced as a whole."""
        row = {"epoch": epoch + 1, "seconds": round(self._seconds(), 1)}
        row["learning_rate"] = _learning_rate(self.model)
        row |= {name: float(value) for name, value in (logs or {}).items()}
        self._rows.append(row)
        with (
            atomic.replaced(self._path) as partial,
            partial.open("w", newline="", encoding="utf-8") as file,
        ):
            columns = dict.fromkeys(name for row in self._rows for name in row)
            writer = csv.DictWriter(file, list(columns), restval="")
            writer.writeheader()
            writer.writerows(self._rows)


def _learning_rate(model: keras.Model) -> float:
    # A variable of several replicas is no number before that.
    return float(ops.convert_to_numpy(model.optimizer.learning_rate))


def read_log(run_dir: Path) -> list[dict[str, Any]]:
    """Returns the lines of `log.csv`, as text by column; none without it."""
    path = run_dir / directory.LOG
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


_NOTICED = 0.1
# Smaller gains, in dB, are not worth a word.


def copies(run_dir: Path) -> str | None:
    """Says so where the model predicts no better than copying.

    Args:
        run_dir: whose `log.csv` ends with the epoch that is meant.

    Returns:
        One sentence; None where the model does better, or nothing is known.
    """
    rows = read_log(run_dir)
    if not rows:
        return None
    name = "val_gain" if rows[-1].get("val_gain") else "gain"
    gains = [(float(row[name]), row["epoch"]) for row in rows if row.get(name)]
    if not gains or gains[-1][0] > 0:
        return None
    where = "held-out" if name == "val_gain" else "training"
    said = (
        f"The model predicts {where} video no better than copying the last "
        f"frame does (gain {gains[-1][0]:+.2f} dB)"
    )
    best, epoch = max(gains)
    if name == "val_gain" and best > _NOTICED:
        return (
            f"{said}, and was better before ({best:+.2f} dB after epoch "
            f"{epoch}): train shorter, on more video, or on larger frames "
            "(--image-size)."
        )
    return (
        f"{said}: train longer, predict the change (--residual), or take "
        "larger frames (--image-size)."
    )


class ProgressBar(keras.callbacks.Callback):
    """Shows steps, losses and the time that is left; a line after each epoch.

    Args:
        epochs: of the whole run.
        total: steps of the whole run.
        done: steps that earlier parts of the run made.
        batch_size: clips a step.
    """

    def __init__(
        self, epochs: int, total: int, done: int, batch_size: int
    ) -> None:
        """Prepares the bar; `fit` starts it."""
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
        """Prints what the epoch came to."""
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
    """Writes events for TensorBoard.

    Losses, PSNR, learning rate and throughput; items in use and how similar
    they are; input, target, prediction and error of some clips.

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
        values["learning_rate"] = _learning_rate(self.model)
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
        """Writes what is left."""
        del logs
        with self._clear_errors():
            self._writer.flush()

    @contextlib.contextmanager
    def _clear_errors(self) -> Iterator[None]:
        """Turns TensorFlow's errors of a full disk into the usual one."""
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
