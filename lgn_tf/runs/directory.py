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
  report.html          from `lgn report`, its charts once more in figures/

Each file appears whole or not at all.
"""

import contextlib
import math
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import keras

from lgn_tf.backend import distribution
from lgn_tf.config import schema
from lgn_tf.config.schema import Config
from lgn_tf.files import atomic
from lgn_tf.model.lgn_net import build_model

CONFIG = "config.json"
ENVIRONMENT = "environment.json"
WEIGHTS = "model.weights.h5"
BEST = "best.weights.h5"
CALIBRATION = "calibration.npz"
BEST_CALIBRATION = "best.calibration.npz"
LOG = "log.csv"
TENSORBOARD = "tensorboard"


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


def save_weights(
    run_dir: Path, model: keras.Model, name: str = WEIGHTS
) -> None:
    """Writes the weights of a model into a run directory.

    The optimizer's state, twice as large, is in the snapshot alone.

    Raises:
        OSError: where there is no space left; the former file stays.
    """
    _require_space(run_dir, model)
    # Keras makes an optimizer of its own while it saves.
    with (
        distribution.alone(),
        _without_optimizer(model),
        atomic.replaced(run_dir / name) as partial,
    ):
        model.save_weights(partial)


def _require_space(folder: Path, model: keras.Model) -> None:
    """Refuses to begin what would not fit: HDF5 crashes on a full disk."""
    weights = sum(4 * math.prod(weight.shape) for weight in model.weights)
    # Keras adds some headers; each variable has one.
    atomic.require_space(folder, weights + 4096 * len(model.weights) + 2**20)


@contextlib.contextmanager
def _without_optimizer(model: keras.Model) -> Iterator[None]:
    """Hides the optimizer, which Keras would save among the weights."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        yield
        return
    model.optimizer = None
    try:
        yield
    finally:
        model.optimizer = optimizer


def create(run_dir: Path, config: Config) -> None:
    """Makes a new run directory that holds the configuration alone.

    Raises:
        FileExistsError: where `run_dir` exists.
    """
    with _new(run_dir) as partial:
        schema.write(config, partial / CONFIG)


def save(run_dir: Path, config: Config, model: keras.Model) -> None:
    """Writes a new run directory; it appears whole or not at all.

    Args:
        run_dir: must not exist; its parents are made.
        config: describes the model.
        model: a built `LGNNet`.

    Raises:
        FileExistsError: where `run_dir` exists.
    """
    with _new(run_dir) as partial:
        schema.write(config, partial / CONFIG)
        _require_space(partial, model)
        model.save_weights(partial / WEIGHTS)


@contextlib.contextmanager
def _new(run_dir: Path) -> Iterator[Path]:
    refuse_existing(run_dir)
    run_dir.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(
        tempfile.mkdtemp(prefix=f".{run_dir.name}-", dir=run_dir.parent)
    )
    try:
        yield partial
        # mkdtemp shuts others out; a run is as readable as its parent.
        partial.chmod(run_dir.parent.stat().st_mode & 0o777)
        partial.rename(run_dir)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def read_config(run_dir: Path) -> Config:
    """Reads the configuration of a run.

    Raises:
        FileNotFoundError: where there is none.
        ValueError: where it cannot be read.
    """
    _require(run_dir, CONFIG)
    return schema.read(run_dir / CONFIG)


def load(run_dir: Path, name: str = WEIGHTS) -> tuple[Config, keras.Model]:
    """Reads a run directory.

    Args:
        run_dir: where it lies.
        name: `WEIGHTS` or `BEST`.

    Returns:
        The configuration, and the model with its weights.

    Raises:
        FileNotFoundError: naming the file that is missing.
        ValueError: naming the file that cannot be read.
    """
    config = read_config(run_dir)
    _require(run_dir, name)
    model = build_model(config)
    try:
        model.load_weights(run_dir / name)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(
            f"{run_dir / name}: no weights of the model that "
            f"{CONFIG} describes: {error}"
        ) from error
    return config, model


def _require(run_dir: Path, name: str) -> None:
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
