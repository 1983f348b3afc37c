"""What runs at home: a run directory, from what came back."""

import dataclasses
import shutil
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import rich.console

from lgn_tf.config import schema
from lgn_tf.config.schema import Config
from lgn_tf.data import sources
from lgn_tf.data.datasets.dataset import Dataset
from lgn_tf.data.video.footage import Footage
from lgn_tf.evaluation import frame_level, protocol, tables
from lgn_tf.evaluation.results import Results
from lgn_tf.files import atomic
from lgn_tf.model.lgn_net import build_model
from lgn_tf.runs import directory, environment, provenance
from lgn_tf.scores import calibration, video_scores
from tools.remote_training import parcels
from tools.remote_training.names import EVALUATION, SCORED, SWEEP, WEIGHTS


def bring(out: Path, data_root: Path, run_dir: Path) -> None:
    """Makes a run directory of scores and weights, and evaluates it.

    Args:
        out: what came back, folders `scored` and `weights`.
        data_root: where the data set lies here.
        run_dir: must not exist.

    Raises:
        FileExistsError: where `run_dir` exists.
        FileNotFoundError: naming the piece that is missing.
        ValueError: where the pieces are not of one file.
    """
    directory.refuse_existing(run_dir)
    with (
        atomic.folder(run_dir) as folder,
        tempfile.TemporaryDirectory() as parts,
    ):
        scored, weights = Path(parts) / SCORED, Path(parts) / WEIGHTS
        parcels.join(out / "scored", scored)
        parcels.join(out / "weights", weights)
        with tarfile.open(scored) as tar:
            tar.extractall(folder, filter="data")
        config = _here(directory.read_config(folder), data_root)
        schema.write(config, folder / directory.CONFIG)
        _restore(weights, config, folder)
        found = _evaluate(folder, config)
        shutil.rmtree(folder / SWEEP)
    console = rich.console.Console()
    console.print(tables.scores(found))
    if found.kinds:
        console.print(tables.kinds(found))
    if found.maps:
        console.print(tables.maps(found))
    for line in tables.notes(found):
        console.print(line)


def _here(config: Config, data_root: Path) -> Config:
    """Returns the settings with the folders of this machine."""
    data = dataclasses.replace(
        config.data,
        data_root=str(data_root),
        stores=schema.DataConfig().stores,
    )
    return dataclasses.replace(config, data=data)


def _restore(weights: Path, config: Config, folder: Path) -> None:
    model = build_model(config)
    with np.load(weights, allow_pickle=False) as archive:
        names = sorted(archive.files)
        model.set_weights([archive[name].astype(np.float32) for name in names])
    directory.save_weights(folder, model)


def _evaluate(folder: Path, config: Config) -> Results:
    fitted = calibration.load(
        folder / directory.CALIBRATION,
        calibration.weights_of(config.scoring),
    )
    gamma = provenance.threshold(config, fitted, None)
    words = environment.weights(folder / directory.ENVIRONMENT, provenance.LAST)
    stand = provenance.describe(config, fitted, gamma, weights=words)
    source = sources.open_source(config)
    footage = source.store.split("test")
    sweep = _sweep(
        folder / SWEEP, footage, source.dataset, stand.normality_weight
    )
    return protocol.conclude(
        folder / EVALUATION,
        footage,
        source.dataset,
        stand,
        channels=config.model.channels,
        calibration=fitted,
        gamma_sweep=sweep,
    )


def _sweep(
    folder: Path, footage: Footage, dataset: Dataset, weight: float
) -> list[tuple[float, float]]:
    """Returns (gamma, area) of all that were scored in one pass."""
    counts = dict(zip(footage.names, footage.frame_counts, strict=True))
    truth, _ = protocol.read_labels(dataset, counts, "")
    gammas = sorted(float(path.name) for path in folder.iterdir())
    if truth is None or len(gammas) == 1:
        return []
    areas = [
        (
            gamma,
            frame_level.paper_auc(
                video_scores.Folder(folder / repr(gamma)), truth, weight
            ),
        )
        for gamma in gammas
    ]
    return [(gamma, area) for gamma, area in areas if area is not None]
