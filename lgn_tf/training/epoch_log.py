"""`log.csv`, one line an epoch, and the warning that its numbers give."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from lgn_tf.files import atomic
from lgn_tf.runs import directory, epoch_table

_NOTICED = 0.1
# Smaller gains, in dB, are not worth a word.


class EpochLog(keras.callbacks.Callback):
    """Writes one line an epoch into `log.csv`.

    `keras.callbacks.CSVLogger` appends to the file. A run that goes on from a
    snapshot before its last line would have those epochs twice, and a line that
    a kill or a full disk cut off would be joined to the next one. Here the file
    is replaced as a whole, without the epochs that are trained again.

    Args:
        run_dir: of the run.
        first: epochs that are done before this part of the run; later lines
            are dropped.
        seconds: returns the time spent in training, in seconds.
    """

    def __init__(
        self, run_dir: Path, first: int, seconds: Callable[[], float]
    ) -> None:
        """Reads the lines of earlier parts."""
        super().__init__()
        self._path = run_dir / directory.LOG
        self._seconds = seconds
        self._rows = [
            row for row in read_log(run_dir) if float(row["epoch"]) <= first
        ]

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Adds a line; the file is replaced as a whole."""
        row = {"epoch": epoch + 1, "seconds": round(self._seconds(), 1)}
        row["learning_rate"] = learning_rate(self.model)
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


def learning_rate(model: keras.Model) -> float:
    """Returns the learning rate of the next step."""
    # A variable of several replicas is no number before that.
    return float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))


def read_log(run_dir: Path) -> list[dict[str, Any]]:
    """Returns the lines of `log.csv`, as text by column; none without it.

    Raises:
        ValueError: naming the file, where it is no table of numbers.
    """
    return epoch_table.read_texts(run_dir / directory.LOG)


def copying_warning(run_dir: Path) -> str | None:
    """Returns a warning where the model predicts no better than copying.

    Args:
        run_dir: of a run; the last line of its `log.csv` counts.

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
