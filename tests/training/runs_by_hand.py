"""Comparisons of runs, and callbacks that stop them."""

import contextlib
import csv
import json
import signal
from pathlib import Path

import numpy as np
import pytest

from lgn_tf.runs import directory, model_files
from lgn_tf.training import callbacks, snapshots

ROOT = Path(__file__).parents[2]
STEPS = 12


def weights(run_dir):
    _, model = model_files.load(run_dir)
    return model.get_weights()


def log(run_dir):
    """Returns the log without what depends on the clock."""
    with (run_dir / directory.LOG).open() as file:
        return [
            {k: v for k, v in row.items() if k != "seconds"}
            for row in csv.DictReader(file)
        ]


def require_same_run(one, other):
    for ours, theirs in zip(weights(one), weights(other), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert log(one) == log(other)


@contextlib.contextmanager
def stopping(steps):
    """Sends SIGTERM in the step that is to be the last."""
    made = []

    class Stop(callbacks.StopOnNaN):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            made.append(batch)
            if len(made) == steps:
                signal.raise_signal(signal.SIGTERM)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(callbacks, "StopOnNaN", Stop)
        yield


def progress_of(run_dir):
    path = run_dir / snapshots.SNAPSHOT
    if not path.is_file():
        return snapshots.Progress()
    with np.load(path) as file:
        return snapshots.Progress(**json.loads(str(file["progress"])))


def require_close_run(one, other):
    """Adam divides by tiny gradients, so roundings grow; a lost batch shows."""
    for ours, theirs in zip(log(one), log(other), strict=True):
        for name in ("loss", "psnr", "compactness"):
            assert float(ours[name]) == pytest.approx(
                float(theirs[name]), rel=2e-3
            )
