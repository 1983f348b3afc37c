"""The part that runs on the accelerator: JAX, without TensorFlow."""

import os

os.environ["KERAS_BACKEND"] = "jax"
# Winograd's is for CPUs.
os.environ.setdefault("LGN_CONVOLUTION", "direct")

import dataclasses
import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from lgn_tf.config import schema
from lgn_tf.config.schema import Config
from lgn_tf.data import sources
from lgn_tf.data.datasets import presets
from lgn_tf.data.test_set import TestSet
from lgn_tf.evaluation import protocol, scoring
from lgn_tf.files import atomic
from lgn_tf.inference import video_scorer
from lgn_tf.runs import directory, environment, model_files
from lgn_tf.runs.run import Run
from lgn_tf.scores import video_scores
from lgn_tf.training import budget, callbacks, feed, snapshots
from lgn_tf.training import train as training
from tools.remote_training import alarm, parcels
from tools.remote_training.names import EVALUATION, SCORED, SWEEP, WEIGHTS

_BEGIN = time.monotonic()


def _say(words: str) -> None:
    print(f"[{time.monotonic() - _BEGIN:6.1f} s] {words}", flush=True)


def train(
    seconds: float,
    packs: Sequence[Path],
    work: Path,
    out: Path,
    preset: str,
    lite: bool,
    set: Sequence[str],
    reserve: float,
) -> None:
    """Measures a step, and trains as many epochs as end in time.

    Args:
        seconds: of everything, from now.
        packs: of the training videos.
        work: folder that stays on the machine.
        out: folder that is brought back.
        preset: name of a preset.
        lite: whether to make it small.
        set: settings, `section.field=JSON`.
        reserve: seconds of these for calibration and files.
    """
    _keep_compiled(work)
    out.mkdir(parents=True, exist_ok=True)
    config = _configured(preset, lite, set)
    config = _placed(config, parcels.unpack(packs, work), work / "stores")
    source = sources.open_source(config)
    _say("the videos are ready")
    config = _timed(config, source, seconds - reserve)
    run_dir = work / "run"
    if run_dir.exists():
        shutil.rmtree(run_dir)
    try:
        with alarm.ringing(seconds - (time.monotonic() - _BEGIN)):
            training.train(config, run_dir, source=source)
        _say("trained to the end")
    except callbacks.Interrupted as stopped:
        _say(f"{stopped}; {_keep(config, run_dir, source)}")
    for name in (directory.CONFIG, directory.ENVIRONMENT, directory.LOG):
        if (run_dir / name).exists():
            shutil.copy(run_dir / name, out)
    # Now, in case that nothing comes of the scores.
    _pack_weights(Run(run_dir).model, work / WEIGHTS)
    parcels.split(work / WEIGHTS, out / "weights")


def _keep_compiled(work: Path) -> None:
    """Has JAX keep what it compiled, for the model that is trained."""
    jax.config.update("jax_compilation_cache_dir", str(work / "compiled"))


def _configured(preset: str, lite: bool, given: Sequence[str]) -> Config:
    if preset not in presets.PRESETS:
        raise ValueError(
            f"`--preset` must be one of {', '.join(presets.PRESETS)}. "
            f"Received: preset={preset!r}"
        )
    config = presets.PRESETS[preset]
    if lite:
        config = presets.lite(config)
    values = schema.to_dict(config)
    values["model"]["dtype"] = "mixed_bfloat16"
    values["data"]["holdout"] = 0
    # A snapshot takes seconds from the training, and stays here anyway.
    values["training"]["save_every"] = 1000.0
    for setting in given:
        name, _, value = setting.partition("=")
        section, _, field = name.partition(".")
        try:
            values[section][field] = json.loads(value)
        except (KeyError, json.JSONDecodeError) as error:
            raise ValueError(
                f"`--set` takes section.field=JSON. Received: set={setting!r}"
            ) from error
    return schema.from_dict(values)


def _placed(config: Config, data_root: Path, stores: Path) -> Config:
    """Returns the settings with the folders of this machine."""
    data = dataclasses.replace(
        config.data, data_root=str(data_root), stores=str(stores)
    )
    return dataclasses.replace(config, data=data)


def _timed(config: Config, source: sources.Source, seconds: float) -> Config:
    """Chooses the epochs; never more than the configuration has."""
    speed = budget.measure(config, source)
    fitted, _ = source.training(config.data.holdout, config.training.seed)
    steps = feed.steps_per_epoch(fitted, config)
    left = seconds - (time.monotonic() - _BEGIN)
    epoch = steps * speed.step + speed.validation
    epochs = max(1, min(config.training.epochs, int(left / epoch)))
    size = config.training.batch_size
    _say(
        f"a step of {size}: {speed.step * 1e3:.1f} ms "
        f"({size / speed.step:.0f} clips/s), {steps} steps an epoch: "
        f"{epochs} epochs"
    )
    return dataclasses.replace(
        config, training=dataclasses.replace(config.training, epochs=epochs)
    )


def _keep(config: Config, run_dir: Path, source: sources.Source) -> str:
    """Takes the weights out of the snapshot of a run that was cut short."""
    fitted, _ = source.training(config.data.holdout, config.training.seed)
    steps = feed.steps_per_epoch(fitted, config)
    model = training.compiled(config, steps)
    progress = snapshots.load(run_dir, model)
    model_files.save_weights(run_dir, model)
    where = (
        f"step {progress.epoch * steps + progress.step} of "
        f"{config.training.length(steps).total}, where the run was stopped"
    )
    environment.mark_weights(run_dir / directory.ENVIRONMENT, where)
    return f"the weights of {where} are kept"


def score(packs: Sequence[Path], work: Path, out: Path) -> None:
    """Scores the test videos; leaves scores and weights in pieces.

    Args:
        packs: of the test videos.
        work: the folder that `train` worked in.
        out: folder that is brought back.
    """
    _keep_compiled(work)
    run_dir = work / "run"
    config = directory.read_config(run_dir)
    config = _placed(config, parcels.unpack(packs, work), work / "stores")
    run = Run(run_dir, config=config)
    source = run.source()
    run.calibrate(source)
    _say("calibrated")
    scorer = video_scorer.VideoScorer(
        run.model,
        gammas=protocol.gammas_of(run, run.gamma(), True),
        calibration=run.calibration,
        keep_predictions=True,
    )
    stand = run.provenance()
    begin = time.monotonic()
    frames = _score(scorer, source.test_set(), stand.normality_weight, run_dir)
    rate = frames / (time.monotonic() - begin)
    _say(f"{frames} frames, {rate:.1f} a second, compilation included")
    parcels.write_tar(
        work / SCORED,
        run_dir,
        (
            directory.CONFIG,
            directory.ENVIRONMENT,
            directory.CALIBRATION,
            directory.LOG,
            EVALUATION,
            SWEEP,
        ),
    )
    parcels.split(work / SCORED, out / "scored")


def _pack_weights(model: Any, path: Path) -> None:
    """Writes the weights in half precision, small ones as they are."""
    arrays = {}
    for number, weight in enumerate(model.weights):
        value = np.asarray(weight.numpy(), np.float32)
        if value.size > 4096:
            value = value.astype(np.float16)
        arrays[f"{number:03d} {weight.path}"] = value
    atomic.write_arrays(path, arrays)


def _score(
    scorer: video_scorer.VideoScorer,
    test_set: TestSet,
    weight: float,
    run_dir: Path,
) -> int:
    """Writes scores, pictures and the sweep; returns how many frames."""
    with (
        atomic.folder(run_dir / EVALUATION, lambda _: None) as folder,
        # Areas are computed at home, where scikit-learn is.
        atomic.folder(run_dir / SWEEP, lambda _: None) as sweep,
    ):
        series = scoring.score_test_set(scorer, test_set, folder, weight)
        for gamma, videos in zip(
            scorer.gammas, zip(*series, strict=True), strict=True
        ):
            for scores in videos:
                video_scores.write_scores(scores, sweep / repr(gamma))
    return sum(len(each[0]) for each in series)
