"""Training, from a configuration to a run directory.

`train(config, run_dir)` is all of it. A run that was killed goes on with
`train(config, run_dir, resume=True)` as if it never had been.
"""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from lgn_tf.backend import distribution
from lgn_tf.config.schema import Config
from lgn_tf.data import sliding_windows, sources
from lgn_tf.data.pipelines import arrays
from lgn_tf.data.video.footage import Footage
from lgn_tf.files import atomic, locks
from lgn_tf.model.lgn_net import build_model
from lgn_tf.runs import directory, environment, model_files
from lgn_tf.runs.run import Run
from lgn_tf.training import callbacks, snapshots, telemetry

FIRST_CHANGE = 0.05
"""What the drawn change is multiplied by when the training of a residual model
begins; from there on it is learned. A model that is not trained copies."""


def train(
    config: Config,
    run_dir: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    source: sources.Source | None = None,
) -> Run:
    """Trains a model and leaves everything in a run directory.

    Args:
        config: what to train on what.
        run_dir: must not exist, unless it is resumed or overwritten.
        resume: go on where the last snapshot of `run_dir` was taken.
        overwrite: remove an earlier run of that name first.
        source: from `sources.open_source`; default what `config` names.

    Returns:
        The run, with the weights of the last epoch.

    Raises:
        FileExistsError: where `run_dir` exists.
        ValueError: where the data cannot be trained on, and, as
            `callbacks.Diverged`, where the loss is no longer finite.
        callbacks.Interrupted: after Ctrl-C or SIGTERM; the state is saved.
        BlockingIOError: where another process trains in `run_dir`.
        OSError: where there is no space left; the last snapshot stays.
    """
    if not (resume or overwrite):
        directory.refuse_existing(run_dir)
    keras.utils.set_random_seed(config.training.seed)
    distribution.make_deterministic()
    with contextlib.ExitStack() as held:
        with distribution.scope(config.training.strategy):
            # One process prepares what all of them read.
            if distribution.is_chief():
                held.enter_context(_alone(run_dir))
                source = source or sources.open_source(config)
                _prepare(source, config, run_dir, resume, overwrite)
            distribution.wait_for_all()
            source = source or sources.open_source(config)
            fitted, _ = source.training(
                config.data.holdout, config.training.seed
            )
            model = compiled(config, steps_per_epoch(fitted, config))
            _fit(model, config, run_dir, source)
            if distribution.is_chief():
                model_files.save_weights(run_dir, model)
        if distribution.is_chief():
            # Of other weights, where the run had come to its end before.
            for weights in (directory.WEIGHTS, directory.BEST):
                name = directory.calibration_of(weights)
                (run_dir / name).unlink(missing_ok=True)
            # On one device, as all who use the run will load it.
            Run(run_dir).calibrate(source)
    return Run(run_dir)


def compiled(config: Config, steps: int) -> keras.Model:
    """Builds the model and its optimiser.

    Args:
        config: of the run.
        steps: of an epoch.

    Returns:
        A compiled `LGNNet`. Its learning rate is that of the first step, and
        decays every step where the schedule says so. Where `residual`, it draws
        a little change.
    """
    rate: Any = config.training.learning_rate
    if config.training.schedule == "step":
        rate = keras.optimizers.schedules.CosineDecay(
            rate, config.training.length(steps).total
        )
    model = build_model(config)
    if config.model.residual:
        # From 0 it may never get away; docs/results.md has the measurement.
        model.decoder.scale.assign(FIRST_CHANGE)
    model.compile(keras.optimizers.Adam(rate, epsilon=1e-8))
    return model


@contextlib.contextmanager
def _alone(run_dir: Path) -> Iterator[None]:
    run_dir.parent.mkdir(parents=True, exist_ok=True)
    lock = locks.beside(run_dir)
    with locks.alone(lock, run_dir, "another process trains there"):
        yield


def _prepare(
    source: sources.Source,
    config: Config,
    run_dir: Path,
    resume: bool,
    overwrite: bool,
) -> None:
    """Makes the run directory, once it is known that clips will fill it."""
    fitted, _ = source.training(config.data.holdout, config.training.seed)
    steps_per_epoch(fitted, config)
    if overwrite:
        _remove(run_dir)
    if not resume:
        directory.create(run_dir, config)
    _describe(run_dir)


def _describe(run_dir: Path) -> None:
    made_with = environment.describe(
        keras.backend.backend(), distribution.devices()
    )
    path = run_dir / directory.ENVIRONMENT
    if path.is_file():
        # Of a run that goes on, the beginning stays what it was.
        made_with = environment.resumed(path, made_with)
    with atomic.replaced(path) as partial:
        environment.write(partial, made_with)


def _remove(run_dir: Path) -> None:
    """Removes an earlier run, and nothing that is not one."""
    if not run_dir.exists():
        return
    if not (run_dir / directory.CONFIG).is_file():
        raise FileExistsError(
            f"{run_dir} exists and is no run directory, so it is not "
            "overwritten"
        )
    shutil.rmtree(run_dir)


def steps_per_epoch(footage: Footage, config: Config) -> int:
    """Returns the steps of an epoch.

    Args:
        footage: the videos that are fitted on.
        config: of the run.

    Raises:
        ValueError: where the clips do not fill one batch.
    """
    table = sliding_windows.ClipTable(footage.frame_counts, config.model.frames)
    return sliding_windows.steps(len(table), config.training.batch_size)


def _fit(
    model: keras.Model,
    config: Config,
    run_dir: Path,
    source: sources.Source,
) -> None:
    fitted, held_out = source.training(
        config.data.holdout, config.training.seed
    )
    steps = steps_per_epoch(fitted, config)
    progress = snapshots.Progress()
    resumed = None
    if (run_dir / snapshots.SNAPSHOT).is_file():
        progress = snapshots.load(run_dir, model)
        resumed = snapshots.metric_states(model) if progress.step else None
    size = config.training.batch_size
    length = config.training.length(steps)
    epochs = length.epochs
    saver = callbacks.Snapshots(
        run_dir, length, config.training.save_every, progress, resumed
    )
    done = progress.epoch * steps + progress.step
    bar = telemetry.ProgressBar(epochs, length.total, done, size)
    listeners: list[keras.callbacks.Callback] = [
        callbacks.StopOnNaN(progress.step)
    ]
    if config.training.schedule == "epoch":
        listeners.append(
            callbacks.CosineDecay(config.training.learning_rate, epochs)
        )
    chief = distribution.is_chief()
    if chief:
        listeners += [
            bar,
            telemetry.EpochLog(run_dir, progress.epoch, saver.seconds),
        ]
        if keras.backend.backend() == "tensorflow":
            shown, targets = _examples(held_out or fitted, config)
            listeners.append(
                telemetry.Events(
                    run_dir, shown, targets, steps, size, progress.step
                )
            )
        listeners.append(saver)
    signals = saver.stopped_by_signals() if chief else contextlib.nullcontext()
    with bar, signals:
        first = progress.epoch
        # An epoch that was broken off has fewer steps left than the others,
        # and so may the last one have.
        for start, end in (
            (progress.step, first + bool(progress.step)),
            (0, length.total // steps),
            (0, epochs),
        ):
            if first < end:
                fed = feed(fitted, config, epoch=first, start_step=start)
                model.fit(
                    fed,
                    steps_per_epoch=length.steps_of(first) - start,
                    initial_epoch=first,
                    epochs=end,
                    # The feed shuffles, by seed.
                    shuffle=False,
                    verbose=0,
                    callbacks=[*listeners, *_followers(fed)],
                    validation_data=validation(held_out, config),
                )
            first = max(first, end)
    if chief and progress.epoch < epochs:
        saver.save(epochs, 0)
        warning = telemetry.copies(run_dir)
        if warning:
            print(warning)


def feed(
    footage: Footage, config: Config, *, epoch: int = 0, start_step: int = 0
) -> Any:
    """Returns training clips for `fit`, from any step of any epoch on.

    The same clips in the same order on every backend: tf.data on TensorFlow,
    arrays elsewhere.
    """
    shards, index = distribution.workers()
    arguments: dict[str, Any] = {
        "inputs": config.model.frames,
        "channels": config.model.channels,
        "batch_size": config.training.batch_size,
        "seed": config.training.seed,
        "epoch": epoch,
        "start_step": start_step,
        "shards": shards,
        "index": index,
    }
    if keras.backend.backend() == "tensorflow":
        # Imported here: it brings TensorFlow along.
        from lgn_tf.data.pipelines import tf_data

        return tf_data.training_clips(footage, **arguments)
    resident = arrays.fits_on_device(footage, config.model.channels)
    return arrays.Batches(footage, resident=resident, **arguments)


def _followers(fed: Any) -> list[keras.callbacks.Callback]:
    """Returns what tells arrays of clips which epoch it is."""
    if not isinstance(fed, arrays.Batches):
        return []

    def begin(epoch: int, logs: Any) -> None:
        del logs
        fed.begin(epoch)

    return [keras.callbacks.LambdaCallback(on_epoch_begin=begin)]


def validation(footage: Footage | None, config: Config) -> Any:
    """Returns the clips of the held-out videos, in a fixed order.

    None where there are no such videos.
    """
    if footage is None:
        return None
    table = sliding_windows.ClipTable(footage.frame_counts, config.model.frames)
    arguments: dict[str, Any] = {
        "inputs": config.model.frames,
        "channels": config.model.channels,
        "batch_size": min(config.training.batch_size, len(table)),
        "seed": 0,
    }
    if keras.backend.backend() == "tensorflow":
        from lgn_tf.data.pipelines import tf_data

        return tf_data.training_clips(footage, epochs=1, **arguments)
    return arrays.Batches(footage, **arguments)


def _examples(footage: Footage, config: Config) -> Any:
    table = sliding_windows.ClipTable(footage.frame_counts, config.model.frames)
    count = min(telemetry.PICTURES, len(table))
    places = np.linspace(0, len(table) - 1, count).astype(int)
    windows = [table.window(int(place)) for place in places]
    return arrays.read_clips(
        footage,
        [(window.video, window.start) for window in windows],
        config.model.frames,
        config.model.channels,
    )
