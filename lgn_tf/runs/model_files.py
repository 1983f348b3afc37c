"""The model of a run, to and from its directory."""

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path

import keras

from lgn_tf.backend import distribution
from lgn_tf.config import schema
from lgn_tf.config.schema import Config
from lgn_tf.files import atomic, hdf5, untrusted
from lgn_tf.model.lgn_net import LGNNet, build_model
from lgn_tf.runs import directory
from lgn_tf.runs.directory import CONFIG, WEIGHTS, new, read_config, require


def save(run_dir: Path, config: Config, model: keras.Model) -> None:
    """Writes a new run directory; it appears whole or not at all.

    Args:
        run_dir: must not exist; its parents are made.
        config: describes the model.
        model: a built `LGNNet`.

    Raises:
        FileExistsError: where `run_dir` exists.
    """
    with new(run_dir) as partial:
        schema.write(config, partial / CONFIG)
        _require_space(partial, model)
        model.save_weights(partial / WEIGHTS)


def load(run_dir: Path, name: str = WEIGHTS) -> tuple[Config, LGNNet]:
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
    require(run_dir, name)
    model = build_model(config)
    _load_weights(model, run_dir / name)
    return config, model


def _load_weights(model: keras.Model, path: Path) -> None:
    with untrusted.opened(path):
        pass
    try:
        # Nothing that lies elsewhere, and hardly more than the weights: an
        # optimizer's state beside them is passed over.
        hdf5.require_plain_numbers(path, 4 * _bytes(model) + 2**20)
        model.load_weights(path)
    except Exception as error:
        # A damaged file raises what its parser stumbled over. Keras lists what
        # did not fit in several lines.
        found = str(error).partition("List of objects")[0]
        raise ValueError(
            f"{path}: no weights of the model that {CONFIG} describes: "
            f"{untrusted.one_line(found):.500}"
        ) from error


def save_weights(
    run_dir: Path, model: keras.Model, name: str = WEIGHTS
) -> None:
    """Writes the weights of a model into a run directory.

    The calibration of the former weights goes with them. The same weights
    stay as they are: others may be working with them. The optimizer's state,
    twice as large, is in the snapshot alone.

    Raises:
        OSError: where there is no space left; the former file stays.
    """
    _require_space(run_dir, model)
    path = run_dir / name
    # Keras makes an optimizer of its own while it saves.
    with (
        distribution.alone(),
        _without_optimizer(model),
        atomic.replaced(path, keep_equal=True) as partial,
    ):
        model.save_weights(partial)
        if not atomic.equal(partial, path):
            # Before: no weights ever lie beside the calibration of others.
            calibration = directory.calibration_of(name)
            (run_dir / calibration).unlink(missing_ok=True)


def _require_space(folder: Path, model: keras.Model) -> None:
    """Refuses to begin what would not fit: HDF5 crashes on a full disk."""
    # Keras adds some headers; each variable has one.
    atomic.require_space(
        folder, _bytes(model) + 4096 * len(model.weights) + 2**20
    )


def _bytes(model: keras.Model) -> int:
    return sum(4 * math.prod(weight.shape) for weight in model.weights)


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
