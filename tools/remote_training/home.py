"""The part that runs at home: a run directory from the returned files."""

import dataclasses
import shutil
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import rich.console

from lgn_tf.config import schema
from lgn_tf.config.schema import Config
from lgn_tf.evaluation import frame_level, protocol, tables
from lgn_tf.evaluation.results import Results
from lgn_tf.files import atomic
from lgn_tf.model.lgn_net import build_model
from lgn_tf.runs import directory, model_files
from lgn_tf.runs.run import Run
from lgn_tf.scores import video_scores
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
        # New weights would take it with them.
        calibration = Run(folder).calibration
        _restore(weights, config, folder)
        if calibration is not None:
            calibration.save(folder / directory.CALIBRATION)
        found = _evaluate(Run(folder, config=config))
        shutil.rmtree(folder / SWEEP)
    console = rich.console.Console()
    for line in tables.all_tables(found):
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
    model_files.save_weights(folder, model)


def _evaluate(run: Run) -> Results:
    stand, test_set = run.provenance(), run.test_set()
    sweep = run.folder / SWEEP
    return protocol.evaluate_folder(
        run.folder / EVALUATION,
        test_set,
        stand,
        channels=run.config.model.channels,
        calibration=run.calibration,
        gamma_sweep=_sweep(sweep, test_set.labels, stand.normality_weight),
    )


def _sweep(
    folder: Path, labels: protocol.Labels | None, weight: float
) -> list[tuple[float, float]]:
    """Returns (gamma, area) of all that were scored in one pass."""
    gammas = sorted(float(path.name) for path in folder.iterdir())
    if labels is None or len(gammas) == 1:
        return []
    areas = [
        (
            gamma,
            frame_level.paper_auc(
                video_scores.ScoreFolder(folder / repr(gamma)), labels, weight
            ),
        )
        for gamma in gammas
    ]
    return [(gamma, area) for gamma, area in areas if area is not None]
