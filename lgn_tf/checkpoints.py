"""A run directory: the configuration and the weights that belong together.

runs/NAME/
  config.json        every setting, see `lgn_tf.config`
  model.weights.h5   all weights, the memory's items among them
"""

import shutil
import tempfile
from pathlib import Path

import keras

from lgn_tf import config as config_module
from lgn_tf.config import Config
from lgn_tf.model.lgn_net import build_model

CONFIG = "config.json"
WEIGHTS = "model.weights.h5"


def refuse_existing(run_dir: Path) -> None:
    """Raises FileExistsError where `run_dir` is there already."""
    if run_dir.exists():
        raise FileExistsError(
            f"{run_dir} exists, and is not overwritten. Choose another name."
        )


def save(run_dir: Path, config: Config, model: keras.Model) -> None:
    """Writes a new run directory; it appears whole or not at all.

    Args:
        run_dir: must not exist; its parents are made.
        config: describes the model.
        model: a built `LGNNet`.

    Raises:
        FileExistsError: where `run_dir` exists.
    """
    refuse_existing(run_dir)
    run_dir.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(
        tempfile.mkdtemp(prefix=f".{run_dir.name}-", dir=run_dir.parent)
    )
    try:
        config_module.write(config, partial / CONFIG)
        model.save_weights(partial / WEIGHTS)
        # mkdtemp shuts others out; a run is as readable as its parent.
        partial.chmod(run_dir.parent.stat().st_mode & 0o777)
        partial.rename(run_dir)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def load(run_dir: Path) -> tuple[Config, keras.Model]:
    """Reads a run directory.

    Returns:
        The configuration, and the model with its weights.

    Raises:
        FileNotFoundError: naming the file that is missing.
        ValueError: naming the file that cannot be read.
    """
    for name in (CONFIG, WEIGHTS):
        if not (run_dir / name).is_file():
            raise FileNotFoundError(
                f"{run_dir / name} is missing: {run_dir} is no run directory"
            )
    config = config_module.read(run_dir / CONFIG)
    model = build_model(config)
    try:
        model.load_weights(run_dir / WEIGHTS)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(
            f"{run_dir / WEIGHTS}: no weights of the model that "
            f"{CONFIG} describes: {error}"
        ) from error
    return config, model
