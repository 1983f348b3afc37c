"""Training, from a configuration to a run directory.

`train(config, run_dir)` is all of it. A run that was killed goes on with
`train(config, run_dir, resume=True)` as if it never had been.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

from lgn_tf.backend import distribution
from lgn_tf.config.length import Length
from lgn_tf.config.schema import Config
from lgn_tf.data import sources
from lgn_tf.data.video import decoding
from lgn_tf.data.video.footage import Footage
from lgn_tf.model.lgn_net import build_model
from lgn_tf.runs import directory, environment, model_files
from lgn_tf.runs.run import Run
from lgn_tf.training import callbacks, epoch_log, feed, snapshots, telemetry

FIRST_CHANGE = 0.05
"""Factor of the drawn change when the training of a residual model begins.

From there on it is learned. A model that is not trained copies."""


def train(
    config: Config,
    run_dir: Path | str,
    *,
    resume: bool = False,
    overwrite: bool = False,
    source: sources.Source | None = None,
) -> Run:
    """Trains a model and leaves everything in a run directory.

    Args:
        config: of the run.
        run_dir: must not exist, unless it is resumed or overwritten.
        resume: go on where the last snapshot of `run_dir` was taken.
        overwrite: replace an earlier run of that name.
        source: from `sources.open_source`; default that of `config`.

    Returns:
        The run, with the weights of the last epoch.

    Raises:
        FileExistsError: where `run_dir` exists, or, to be overwritten, is no
            run directory.
        ValueError: where the data cannot be trained on, and, as
            `callbacks.Diverged`, where the loss is no longer finite.
        callbacks.Interrupted: after Ctrl-C or SIGTERM; the state is saved.
        BlockingIOError: where another process trains in `run_dir`.
        OSError: where there is no space left; the last snapshot stays.

    Example:
        >>> import dataclasses
        >>> config = lgn_tf.load("runs/demo").config
        >>> training = dataclasses.replace(config.training, epochs=1)
        >>> config = dataclasses.replace(config, training=training)
        >>> run = lgn_tf.train(config, "runs/again")
        epoch 1/1 ...
        >>> len(run.log)
        1
    """
    run_dir = Path(run_dir)
    if overwrite:
        directory.refuse_foreign(run_dir)
    elif not resume:
        directory.refuse_existing(run_dir)
    keras.utils.set_random_seed(config.training.seed)
    distribution.make_deterministic()
    with contextlib.ExitStack() as held:
        with distribution.scope(config.training.strategy):
            # One process prepares what all of them read.
            if distribution.is_chief():
                held.enter_context(directory.alone(run_dir))
                source = source or sources.open_source(config)
                _prepare(source, config, run_dir, resume, overwrite)
            distribution.wait_for_all()
            source = source or sources.open_source(config)
            fitted, _ = source.training(
                config.data.holdout, config.training.seed
            )
            model = compiled(config, feed.steps_per_epoch(fitted, config))
            _fit(model, config, run_dir, source)
            if distribution.is_chief():
                model_files.save_weights(run_dir, model)
    run = Run(run_dir)
    if distribution.is_chief():
        # On one device, as all who use the run will load it.
        run.calibrate(source)
    return run


def compiled(config: Config, steps: int) -> keras.Model:
    """Builds the model and its optimiser.

    Args:
        config: of the run.
        steps: of an epoch.

    Returns:
        A compiled `LGNNet`. Its learning rate is that of the first step, and
        decays at every step where the schedule is "step". A residual model
        starts with `FIRST_CHANGE`.
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


def _prepare(
    source: sources.Source,
    config: Config,
    run_dir: Path,
    resume: bool,
    overwrite: bool,
) -> None:
    """Makes the run directory, once it is known that clips will fill it."""
    fitted, _ = source.training(config.data.holdout, config.training.seed)
    feed.steps_per_epoch(fitted, config)
    if not resume:
        directory.create(run_dir, config, overwrite)
    _describe(run_dir)


def _describe(run_dir: Path) -> None:
    made_with = environment.describe(
        keras.backend.backend(), distribution.devices()
    )
    path = run_dir / directory.ENVIRONMENT
    if path.is_file():
        # Of a run that goes on, the beginning stays what it was.
        made_with = environment.resumed(path, made_with)
    environment.write(path, made_with)


def _fit(
    model: keras.Model,
    config: Config,
    run_dir: Path,
    source: sources.Source,
) -> None:
    """Trains from the last snapshot, or from the start, to the last step."""
    fitted, held_out = source.training(
        config.data.holdout, config.training.seed
    )
    length = config.training.length(feed.steps_per_epoch(fitted, config))
    progress, metrics = snapshots.Progress(), None
    if (run_dir / snapshots.SNAPSHOT).is_file():
        progress = snapshots.load(run_dir, model)
        metrics = snapshots.metric_states(model) if progress.step else None
    guards: list[keras.callbacks.Callback] = [
        callbacks.StopOnNaN(progress.step)
    ]
    if config.training.schedule == "epoch":
        rate = config.training.learning_rate
        guards.append(callbacks.cosine_by_epoch(rate, length.epochs))
    with _recording(
        run_dir, config, held_out or fitted, length, progress, metrics
    ) as records:
        for epoch, step, end in _parts(length, progress):
            clips = feed.training_clips(
                fitted, config, epoch=epoch, start_step=step
            )
            with naming_bad_files():
                model.fit(
                    clips,
                    steps_per_epoch=length.steps_of(epoch) - step,
                    initial_epoch=epoch,
                    epochs=end,
                    # The feed shuffles, by seed.
                    shuffle=False,
                    verbose=0,
                    callbacks=[*guards, *records, *feed.epoch_callbacks(clips)],
                    validation_data=feed.validation_clips(held_out, config),
                )


@contextlib.contextmanager
def naming_bad_files() -> Iterator[None]:
    """Turns the error of a graph that read an unreadable file into its own."""
    try:
        yield
    except Exception as error:
        reason = decoding.unreadable_in(error)
        if reason is None:
            raise
        raise ValueError(reason) from error


def _parts(
    length: Length, progress: snapshots.Progress
) -> Iterator[tuple[int, int, int]]:
    """Yields (epoch, step, end) of each call of `fit`.

    Of one call all epochs have equally many steps. An epoch that was broken
    off has fewer steps left than the others, and the last one may be short.
    """
    epoch = progress.epoch
    for step, end in (
        (progress.step, epoch + bool(progress.step)),
        (0, length.total // length.steps_per_epoch),
        (0, length.epochs),
    ):
        if epoch < end:
            yield epoch, step, end
            epoch = end


@contextlib.contextmanager
def _recording(
    run_dir: Path,
    config: Config,
    shown: Footage,
    length: Length,
    progress: snapshots.Progress,
    metrics: list[Any] | None,
) -> Iterator[list[keras.callbacks.Callback]]:
    """Yields the callbacks that write the run, and saves the end of it.

    There are none in processes other than the one that writes for all.
    """
    if not distribution.is_chief():
        yield []
        return
    size, steps = config.training.batch_size, length.steps_per_epoch
    saver = callbacks.Snapshots(
        run_dir, length, config.training.save_every, progress, metrics
    )
    done = progress.epoch * steps + progress.step
    bar = telemetry.ProgressBar(length.epochs, length.total, done, size)
    log = epoch_log.EpochLog(run_dir, progress.epoch, saver.seconds)
    records: list[keras.callbacks.Callback] = [bar, log]
    if keras.backend.backend() == "tensorflow":
        clips, targets = feed.example_clips(shown, config, telemetry.PICTURES)
        records.append(
            telemetry.Events(
                run_dir, clips, targets, steps, size, progress.step
            )
        )
    with bar, saver.stopped_by_signals():
        # The last, since it may end the run.
        yield [*records, saver]
    if progress.epoch < length.epochs:
        saver.save(length.epochs, 0)
        warning = epoch_log.copying_warning(run_dir)
        if warning:
            print(warning)
