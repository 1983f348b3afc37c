"""Full-size training on a lent accelerator: no TensorFlow, no network.

What travels are files of limited size, training and test apart; what is left
behind is a checkpoint in small pieces. On the machine at home:

    python -m benchmarks.train_accelerator pack DATA_ROOT packs

On the accelerator, as often as needed (KERAS_BACKEND=jax; wheels of Keras and
of what else is missing on PYTHONPATH). The first slice takes the settings of
the run, and every slice ends by writing WORK/state.tar: settings, environment,
log, snapshot, and the best weights where there are any.

    python -m benchmarks.train_accelerator train packs/train-*.tar --work WORK \
        --preset ped2 --seed 1 --seconds 540
    python -m benchmarks.train_accelerator split WORK/state.tar STATE
    python -m benchmarks.train_accelerator split WORK/state.tar STATE --first 4

`split` writes four pieces a call (`--count`), for as many calls as it says.
The next slice goes on from WORK where it is still there, or, on a bare
machine, from the pieces; settings are those of the run, and need not be named:

    python -m benchmarks.train_accelerator train packs/train-*.tar --work WORK \
        --pieces STATE

Where a slice said `trained to the end`, the test videos are scored, several
values of gamma in one pass. (On a bare machine, one more slice with the pieces
of the last state has nothing left to train and puts everything back.)

    python -m benchmarks.train_accelerator score packs/test-*.tar --work WORK
    python -m benchmarks.train_accelerator split WORK/scored.tar SCORED

At home again, with the pieces brought back, a run that `lgn report` draws:

    python -m benchmarks.train_accelerator join SCORED scored.tar
    python -m benchmarks.train_accelerator evaluate scored.tar DATA_ROOT RUN

`scored.tar` holds no weights: split and join `WORK/run/model.weights.h5` too.
"""

import argparse
import contextlib
import dataclasses
import os
import shutil
import signal
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import parcels
from lgn_tf import atomic
from lgn_tf import config as config_module
from lgn_tf.config import Config, DataConfig

if TYPE_CHECKING:
    from lgn_tf.data.dataset import Dataset
    from lgn_tf.data.footage import Footage
    from lgn_tf.data.sources import Source
    from lgn_tf.inference import VideoScorer

EVALUATION = "evaluation"
SWEEP = "gammas"

STATE = "state.tar"
SETTINGS = {
    "preset": "data.dataset",
    "epochs": "training.epochs",
    "seed": "training.seed",
    "holdout": "data.holdout",
    "dtype": "model.dtype",
}
"""Flags of the first slice, and what they set."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one step of the way there and back."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    _command(commands, "pack", parcels.pack, "data_root", "out")
    for name, function in (("train", train), ("score", score)):
        command = _command(commands, name, function)
        command.add_argument("packs", type=Path, nargs="+")
        command.add_argument("--work", type=Path, required=True)
    slices = commands.choices["train"]
    slices.add_argument("--seconds", type=float, default=540.0)
    slices.add_argument("--pieces", type=Path, help=f"of a {STATE}")
    first = slices.add_argument_group(
        "settings of the first slice; those of the run stay as they are"
    )
    first.add_argument("--preset", help="default: ped2")
    first.add_argument("--epochs", type=int, help="default: of the preset")
    first.add_argument("--seed", type=int, help="default: 0")
    first.add_argument("--holdout", type=int, help="default: 0")
    first.add_argument("--dtype", help="default: mixed_bfloat16")
    first.add_argument(
        "--lite", action="store_true", help="small: a trial run on a CPU"
    )
    command = _command(commands, "split", parcels.split, "file", "out")
    command.add_argument("--first", type=int, default=0)
    command.add_argument("--count", type=int, default=4)
    _command(commands, "join", parcels.join, "folder", "file")
    _command(commands, "evaluate", evaluate, "scored", "data_root", "run_dir")
    options = vars(parser.parse_args(arguments))
    try:
        return options.pop("run")(**options) or 0
    except (ValueError, OSError, tarfile.TarError) as error:
        print(f"train_accelerator: {error}", file=sys.stderr)
        return 2


def _command(
    commands, name: str, function: Callable, *paths: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=function.__doc__.splitlines()[0])
    parser.set_defaults(run=function)
    for path in paths:
        parser.add_argument(path, type=Path)
    return parser


def _keep_compiled(work: Path) -> None:
    """Has JAX keep what it compiled, for the next slice."""
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(work / "compiled"))


def train(
    packs: Sequence[Path],
    work: Path,
    seconds: float,
    pieces: Path | None,
    lite: bool,
    **flags: str | int | None,
) -> None:
    """Trains for some minutes, and saves the state."""
    begin = time.monotonic()
    _keep_compiled(work)
    from lgn_tf import callbacks, checkpoints, training

    data, run_dir = parcels.unpack(packs, work), work / "run"
    if run_dir.exists():
        if pieces is not None:
            print(f"{run_dir} is there and goes on; {pieces} is not read")
    elif pieces is not None:
        _put_back(pieces, work, run_dir)
    if run_dir.exists():
        config = checkpoints.read_config(run_dir)
        _refuse_contradictions(config, lite, flags)
        config = _placed(config, data, work / "stores")
        # The run may have come from another folder.
        with atomic.replaced(run_dir / checkpoints.CONFIG) as partial:
            config_module.write(config, partial)
    else:
        config = _placed(_first(lite, flags), data, work / "stores")
        checkpoints.create(run_dir, config)
    # Saving takes some of the time, and so did all that came before.
    left = seconds - (time.monotonic() - begin)
    with ringing(left):
        try:
            training.train(config, run_dir, resume=True)
        except callbacks.Interrupted as stopped:
            print(f"{stopped}; run this again to go on")
        else:
            print("trained to the end")
        _keep_state(run_dir, work / STATE)
    print(f"{time.monotonic() - begin:.0f} s in this slice")


def _first(lite: bool, flags: Mapping[str, str | int | None]) -> Config:
    """Returns the settings of a new run."""
    from lgn_tf import presets

    given = {name: value for name, value in flags.items() if value is not None}
    name = given.pop("preset", "ped2")
    if name not in presets.PRESETS:
        raise ValueError(
            f"`--preset` must be one of {', '.join(presets.PRESETS)}. "
            f"Received: preset={name!r}"
        )
    config = presets.PRESETS[name]
    if lite:
        config = presets.lite(config)
    values = config_module.to_dict(config)
    for flag, value in (
        {"seed": 0, "holdout": 0, "dtype": "mixed_bfloat16"} | given
    ).items():
        section, field = SETTINGS[flag].split(".")
        values[section][field] = value
    return config_module.from_dict(values)


def _refuse_contradictions(
    config: Config, lite: bool, flags: Mapping[str, str | int | None]
) -> None:
    """Refuses flags that are not the settings of the run that goes on."""
    from lgn_tf import presets

    values = config_module.to_dict(config)
    for flag, value in flags.items():
        section, field = SETTINGS[flag].split(".")
        if value not in (None, values[section][field]):
            raise ValueError(
                f"`--{flag}` must be that of the run that goes on, "
                f"{values[section][field]!r}, or left out. "
                f"Received: {flag}={value!r}"
            )
    if lite and presets.lite(config).model != config.model:
        raise ValueError(
            "`--lite` must be left out: the run that goes on is of the full "
            "size. Received: --lite"
        )


def _placed(config: Config, data_root: Path, stores: Path) -> Config:
    """Returns the settings with the folders of this machine."""
    data = dataclasses.replace(
        config.data, data_root=str(data_root), stores=str(stores)
    )
    return dataclasses.replace(config, data=data)


@contextlib.contextmanager
def ringing(seconds: float) -> Iterator[None]:
    """Has `fit` stop after some seconds, and disturbs nothing else.

    From then on the process gets SIGTERM again and again. While a model is
    fitted, that ends the fit, which saves its state; before and after, it is
    not heeded. Until then SIGTERM means what it always does.

    Args:
        seconds: from now; 0 or less has `fit` stop after its first step.
    """
    over, rung = threading.Event(), threading.Event()

    def ring() -> None:
        pause = max(seconds, 0.0)
        while not over.wait(pause):
            rung.set()
            os.kill(os.getpid(), signal.SIGTERM)
            pause = 0.2

    def hear(number: int, frame: Any) -> None:
        del frame
        if not rung.is_set():
            signal.signal(number, before)
            os.kill(os.getpid(), number)

    before = signal.signal(signal.SIGTERM, hear)
    bell = threading.Thread(target=ring, daemon=True)
    bell.start()
    try:
        yield
    finally:
        over.set()
        bell.join()
        signal.signal(signal.SIGTERM, before)


def _keep_state(run_dir: Path, path: Path) -> None:
    """Writes what a bare machine needs to go on."""
    from lgn_tf import checkpoints, snapshots

    names = (
        checkpoints.CONFIG,
        checkpoints.ENVIRONMENT,
        checkpoints.LOG,
        snapshots.SNAPSHOT,
        checkpoints.BEST,
    )
    parcels.write_tar(path, run_dir, names)
    print(f"{path}: {path.stat().st_size / parcels.MEGABYTE:.1f} MB")


def _put_back(pieces: Path, work: Path, run_dir: Path) -> None:
    """Makes the run directory that `_keep_state` wrote down."""
    state = work / STATE
    parcels.join(pieces, state)
    with atomic.folder(run_dir) as folder, tarfile.open(state) as tar:
        tar.extractall(folder, filter="data")


def score(packs: Sequence[Path], work: Path) -> None:
    """Scores the test videos, and calibrates; writes WORK/scored.tar."""
    _keep_compiled(work)
    from lgn_tf import (
        checkpoints,
        inference,
        protocol,
        provenance,
        run_calibration,
    )
    from lgn_tf.data import sources

    run_dir = work / "run"
    config, model = checkpoints.load(run_dir)
    config = _placed(config, parcels.unpack(packs, work), work / "stores")
    source = sources.open_source(config)
    calibration = run_calibration.of_run(run_dir, config, model, source)
    gamma = provenance.threshold(config, calibration, None)
    scorer = inference.VideoScorer(
        model,
        gammas=protocol.gammas_of(model, gamma, calibration, True),
        calibration=calibration,
        keep_predictions=True,
    )
    stand = provenance.describe(config, calibration, gamma)
    begin = time.monotonic()
    frames = _score(scorer, source, stand.normality_weight, run_dir)
    rate = frames / (time.monotonic() - begin)
    print(f"{frames} frames, {rate:.1f} a second with what was compiled first")
    names = (
        checkpoints.CONFIG,
        checkpoints.ENVIRONMENT,
        checkpoints.CALIBRATION,
        checkpoints.LOG,
        EVALUATION,
        SWEEP,
    )
    parcels.write_tar(work / "scored.tar", run_dir, names)


def _score(
    scorer: "VideoScorer", source: "Source", weight: float, run_dir: Path
) -> int:
    """Writes scores, pictures and the sweep; returns how many frames."""
    from lgn_tf import measures, protocol

    footage = source.store.split("test")
    counts = dict(zip(footage.names, footage.frame_counts, strict=True))
    truth, _ = protocol.read_labels(source.dataset, counts, "")
    with (
        atomic.folder(run_dir / EVALUATION) as folder,
        # Areas are computed at home, where scikit-learn is.
        atomic.folder(run_dir / SWEEP) as sweep,
    ):
        series = protocol.score(scorer, footage, truth, folder, weight)
        for gamma, videos in zip(
            scorer.gammas, zip(*series, strict=True), strict=True
        ):
            for scores in videos:
                measures.write(scores, sweep / repr(gamma))
    return sum(len(each[0]) for each in series)


def evaluate(scored: Path, data_root: Path, run_dir: Path) -> None:
    """Evaluates scores that were brought back, into a new run directory."""
    import rich.console

    from lgn_tf import (
        calibration,
        checkpoints,
        protocol,
        provenance,
        tables,
    )
    from lgn_tf.data import sources

    checkpoints.refuse_existing(run_dir)
    with atomic.folder(run_dir) as folder:
        with tarfile.open(scored) as tar:
            tar.extractall(folder, filter="data")
        # Where they lie here, and not on the accelerator.
        config = _placed(
            checkpoints.read_config(folder),
            data_root,
            Path(DataConfig().stores),
        )
        config_module.write(config, folder / checkpoints.CONFIG)
        fitted = calibration.load(folder / checkpoints.CALIBRATION)
        gamma = provenance.threshold(config, fitted, None)
        stand = provenance.describe(config, fitted, gamma)
        source = sources.open_source(config)
        footage = source.store.split("test")
        found = protocol.conclude(
            folder / EVALUATION,
            footage,
            source.dataset,
            stand,
            gamma_sweep=_sweep(
                folder / SWEEP, footage, source.dataset, stand.normality_weight
            ),
        )
        shutil.rmtree(folder / SWEEP)
    console = rich.console.Console()
    console.print(tables.scores(found))
    if found.maps:
        console.print(tables.maps(found))
    for line in tables.notes(found):
        console.print(line)


def _sweep(
    folder: Path, footage: "Footage", dataset: "Dataset", weight: float
) -> list[tuple[float, float]]:
    """Returns (gamma, area) of all that were scored in one pass."""
    from lgn_tf import evaluation, measures, protocol

    counts = dict(zip(footage.names, footage.frame_counts, strict=True))
    truth, _ = protocol.read_labels(dataset, counts, "")
    gammas = sorted(float(path.name) for path in folder.iterdir())
    if truth is None or len(gammas) == 1:
        return []
    areas = [
        (
            gamma,
            evaluation.paper_auc(
                measures.Folder(folder / repr(gamma)), truth, weight
            ),
        )
        for gamma in gammas
    ]
    return [(gamma, area) for gamma, area in areas if area is not None]


if __name__ == "__main__":
    sys.exit(main())
