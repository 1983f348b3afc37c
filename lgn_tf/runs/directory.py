"""A run directory: all that one training run leaves behind.

runs/NAME/
  config.json          every setting, see `lgn_tf.config.schema`
  environment.json     versions, devices, revision, command
  model.weights.h5     weights of the last epoch, the memory's items among them
  best.weights.h5      of the epoch with the least loss on held-out videos
  calibration.npz      statistics of the online score, of the last weights
  best.calibration.npz the same of the best weights, once they were evaluated
  snapshot.npz         the whole state of training, to go on from
  log.csv              one line an epoch
  tensorboard/         events
  evaluation/          scores and results, from `lgn evaluate`
  scores/              scores of any videos, from `lgn score`
  report.html          from `lgn report`, its charts once more in figures/

Each file appears whole or not at all.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from lgn_tf.config import schema
from lgn_tf.config.schema import Config
from lgn_tf.files import atomic, listings, locks, scratch

CONFIG = "config.json"
ENVIRONMENT = "environment.json"
WEIGHTS = "model.weights.h5"
BEST = "best.weights.h5"
CALIBRATION = "calibration.npz"
BEST_CALIBRATION = "best.calibration.npz"
LOG = "log.csv"
TENSORBOARD = "tensorboard"
EVALUATION = "evaluation"
SCORES = "scores"


def calibration_of(weights: str) -> str:
    """Returns the name of the calibration that belongs to some weights.

    Args:
        weights: `WEIGHTS` or `BEST`.
    """
    return BEST_CALIBRATION if weights == BEST else CALIBRATION


def refuse_existing(run_dir: Path) -> None:
    """Raises FileExistsError where `run_dir` is there already."""
    if run_dir.exists():
        raise FileExistsError(
            f"{run_dir} exists, and is not overwritten. Choose another name."
        )


def refuse_foreign(run_dir: Path) -> None:
    """Raises FileExistsError where `run_dir` is there and is no run."""
    if not run_dir.exists():
        return
    try:
        read_config(run_dir)
    except (ValueError, OSError) as error:
        raise FileExistsError(
            f"{run_dir} exists and is no run directory, so it is not "
            f"overwritten: {error}"
        ) from error


def create(run_dir: Path, config: Config, overwrite: bool = False) -> None:
    """Makes a new run directory that holds the configuration alone.

    Args:
        run_dir: that nobody else writes to meanwhile.
        config: of the run.
        overwrite: whether an earlier run is replaced.

    Raises:
        FileExistsError: where `run_dir` exists, or, to be overwritten, is no
            run directory.
    """
    if not overwrite:
        refuse_existing(run_dir)
    with atomic.folder(run_dir, refuse_foreign, lock=False) as partial:
        schema.write(config, partial / CONFIG)


@contextlib.contextmanager
def new(run_dir: Path) -> Iterator[Path]:
    """Hands out a folder that becomes `run_dir` when the block ends.

    Args:
        run_dir: that nobody else writes to meanwhile.

    Raises:
        FileExistsError: where `run_dir` exists.
    """
    refuse_existing(run_dir)
    with atomic.folder(run_dir, lock=False) as partial:
        yield partial


@contextlib.contextmanager
def alone(run_dir: Path) -> Iterator[None]:
    """Keeps other writers of a run away; see `locks.alone`.

    What killed writers left beside the run is removed.

    Raises:
        BlockingIOError: naming the run, and the process that writes it.
    """
    run_dir.parent.mkdir(parents=True, exist_ok=True)
    with locks.alone(locks.beside(run_dir), run_dir):
        scratch.sweep(listings.settled(run_dir).parent)
        yield


def read_config(run_dir: Path) -> Config:
    """Reads the configuration of a run.

    Raises:
        FileNotFoundError: where there is none.
        ValueError: where it cannot be read, or a link leads out of the run.
    """
    require_whole(run_dir)
    require(run_dir, CONFIG)
    return schema.read(run_dir / CONFIG)


def require_whole(run_dir: Path) -> None:
    """Refuses a run with a link in it that leads out of it.

    A stranger's would have other files read, and shown in a report. A run that
    was being replaced when its process was killed is put back first.

    Raises:
        ValueError: naming the link.
    """
    scratch.restore(run_dir)
    for place, folders, files in os.walk(run_dir):
        for name in (*folders, *files):
            path = Path(place, name)
            if path.is_symlink():
                listings.require_inside(run_dir, path)


def stamp(path: Path) -> tuple[int, ...] | None:
    """Returns what tells a file from one that takes its place; or None."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def require(run_dir: Path, name: str) -> None:
    """Raises FileNotFoundError where a run has no file of this name."""
    if (run_dir / name).is_file():
        return
    unfinished = (run_dir / CONFIG).is_file()
    raise FileNotFoundError(
        f"{run_dir / name} is missing: "
        + (
            "the run has not ended yet; `python train.py --resume "
            f"{run_dir}` goes on with it"
            if unfinished and name == WEIGHTS
            else f"{run_dir} is no run directory"
        )
    )
