"""Full-size training on a lent accelerator: no TensorFlow, no network.

What travels are files of limited size, training and test apart; what is left
behind is a checkpoint in small pieces. On the machine at home:

    python -m benchmarks.train_accelerator pack DATA_ROOT packs

On the accelerator, as often as needed (KERAS_BACKEND=jax; wheels of Keras and
of what else is missing on PYTHONPATH); each slice goes on where the last one
stopped, from WORK or, on a bare machine, from the pieces of a snapshot:

    python -m benchmarks.train_accelerator train packs/train-*.tar --work WORK
    python -m benchmarks.train_accelerator split WORK/run/snapshot.npz OUT
    python -m benchmarks.train_accelerator score packs/test-*.tar --work WORK
    python -m benchmarks.train_accelerator split WORK/scored.tar OUT

At home again, with the pieces brought back, a run that `lgn report` draws:

    python -m benchmarks.train_accelerator join OUT scored.tar
    python -m benchmarks.train_accelerator evaluate scored.tar DATA_ROOT RUN

`scored.tar` holds no weights: split and join `WORK/run/model.weights.h5` too.
"""

import argparse
import dataclasses
import hashlib
import json
import os
import shutil
import signal
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from lgn_tf import config as config_module
from lgn_tf.config import DataConfig

MEGABYTE = 1_000_000
PACK_LIMIT = 60 * MEGABYTE
PIECE_LIMIT = 15 * MEGABYTE
PIECES = "pieces.json"
EVALUATION = "evaluation"
LOG = "log.csv"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one step of the way there and back."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    _command(commands, "pack", pack, "data_root", "out")
    for name, function in (("train", train), ("score", score)):
        command = _command(commands, name, function)
        command.add_argument("packs", type=Path, nargs="+")
        command.add_argument("--work", type=Path, required=True)
        command.add_argument("--preset", default="ped2")
    slices = commands.choices["train"]
    slices.add_argument("--seconds", type=float, default=540.0)
    slices.add_argument("--pieces", type=Path, help="of a snapshot, joined")
    slices.add_argument("--epochs", type=int)
    slices.add_argument("--seed", type=int, default=0)
    slices.add_argument("--holdout", type=int, default=0)
    slices.add_argument("--dtype", default="mixed_bfloat16")
    slices.add_argument(
        "--lite", action="store_true", help="small: a trial run on a CPU"
    )
    command = _command(commands, "split", split, "file", "out")
    command.add_argument("--first", type=int, default=0)
    command.add_argument("--count", type=int, default=4)
    _command(commands, "join", join, "folder", "file")
    _command(commands, "evaluate", evaluate, "scored", "data_root", "run_dir")
    options = vars(parser.parse_args(arguments))
    try:
        return options.pop("run")(**options) or 0
    except (ValueError, OSError) as error:
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


def pack(data_root: Path, out: Path) -> None:
    """Writes tar files of at most 60 MB: training frames, and the rest."""
    out.mkdir(parents=True, exist_ok=True)
    files = sorted(path for path in data_root.rglob("*") if path.is_file())
    groups: dict[str, list[Path]] = {"train": [], "test": []}
    for path in files:
        first = path.relative_to(data_root).parts[0].lower()
        groups["train" if first.startswith("train") else "test"].append(path)
    for name, members in groups.items():
        for number, part in enumerate(_parts(members)):
            path = out / f"{name}-{number}.tar"
            with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
                for member in part:
                    tar.add(member, member.relative_to(data_root))
            print(f"{path}: {path.stat().st_size / MEGABYTE:.1f} MB")


def _parts(files: Iterable[Path]) -> Iterator[list[Path]]:
    part: list[Path] = []
    size = 0
    for path in files:
        # A header, and blocks of 512 bytes.
        cost = 1024 + path.stat().st_size
        if part and size + cost > PACK_LIMIT - 20480:
            yield part
            part, size = [], 0
        part.append(path)
        size += cost
    if part:
        yield part


def _unpack(packs: Sequence[Path], work: Path) -> Path:
    """Unpacks what is not yet there."""
    data = work / "data"
    for path in packs:
        mark = work / f"{path.name}.unpacked"
        if not mark.exists():
            data.mkdir(parents=True, exist_ok=True)
            with tarfile.open(path) as tar:
                tar.extractall(data, filter="data")
            mark.touch()
    return data


def _keep_compiled(work: Path) -> None:
    """Has JAX keep what it compiled, for the next slice."""
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(work / "compiled"))


def train(
    packs: Sequence[Path],
    work: Path,
    preset: str,
    seconds: float,
    pieces: Path | None,
    epochs: int | None,
    seed: int,
    holdout: int,
    dtype: str,
    lite: bool,
) -> None:
    """Trains for some minutes, and saves a snapshot."""
    begin = time.monotonic()
    _keep_compiled(work)
    from lgn_tf import callbacks, checkpoints, presets, snapshots, training

    data, run_dir = _unpack(packs, work), work / "run"
    if run_dir.exists():
        config = checkpoints.read_config(run_dir)
    else:
        config = presets.PRESETS[preset]
        if lite:
            config = presets.lite(config)
        config = dataclasses.replace(
            config,
            model=dataclasses.replace(config.model, dtype=dtype),
            training=dataclasses.replace(
                config.training,
                seed=seed,
                epochs=epochs or config.training.epochs,
            ),
            data=dataclasses.replace(
                config.data,
                data_root=str(data),
                stores=str(work / "stores"),
                holdout=holdout,
            ),
        )
        checkpoints.create(run_dir, config)
        if pieces is not None:
            join(pieces, run_dir / snapshots.SNAPSHOT)
            if (pieces / LOG).is_file():
                shutil.copy(pieces / LOG, run_dir)
    # Saving takes some of the time, and so did all that came before.
    left = seconds - (time.monotonic() - begin)
    clock = threading.Timer(
        max(left, 1.0), os.kill, (os.getpid(), signal.SIGTERM)
    )
    clock.daemon = True
    clock.start()
    try:
        training.train(config, run_dir, resume=True)
    except callbacks.Interrupted as stopped:
        print(f"{stopped}; run this again to go on")
    else:
        print("trained to the end")
    finally:
        clock.cancel()
    print(f"{time.monotonic() - begin:.0f} s in this slice")


def score(packs: Sequence[Path], work: Path, preset: str) -> None:
    """Scores the test videos, and calibrates; writes WORK/scored.tar."""
    del preset
    _keep_compiled(work)
    from lgn_tf import (
        checkpoints,
        inference,
        measures,
        provenance,
        run_calibration,
    )
    from lgn_tf.data import sources

    run_dir = work / "run"
    config, model = checkpoints.load(run_dir)
    _unpack(packs, work)
    source = sources.open_source(config)
    calibration = run_calibration.of_run(run_dir, config, model, source)
    scorer = inference.VideoScorer(
        model,
        gammas=(provenance.threshold(config, calibration, None), 0.0),
        calibration=calibration,
    )
    begin, frames = time.monotonic(), 0
    for updated, still in scorer.score_all(source.store.split("test")):
        main = dataclasses.replace(
            updated, online=still.online, online_map=still.online_map
        )
        measures.write(main, run_dir / EVALUATION)
        frames += len(main.psnr)
    rate = frames / (time.monotonic() - begin)
    print(f"{frames} frames, {rate:.1f} a second with what was compiled first")
    with tarfile.open(work / "scored.tar", "w") as tar:
        for name in (
            checkpoints.CONFIG,
            checkpoints.ENVIRONMENT,
            checkpoints.CALIBRATION,
            LOG,
            EVALUATION,
        ):
            tar.add(run_dir / name, name)


def split(file: Path, out: Path, first: int, count: int) -> None:
    """Cuts a file into pieces below 16 MiB, some of them a call."""
    out.mkdir(parents=True, exist_ok=True)
    total = -(-file.stat().st_size // PIECE_LIMIT)
    with file.open("rb") as stream:
        contents = stream.read()
    digest = hashlib.sha256(contents).hexdigest()
    for number in range(first, min(first + count, total)):
        piece = contents[number * PIECE_LIMIT : (number + 1) * PIECE_LIMIT]
        (out / f"{file.name}.{number:03d}").write_bytes(piece)
    (out / PIECES).write_text(
        json.dumps({"name": file.name, "pieces": total, "sha256": digest})
    )
    log = file.with_name(LOG)
    if log.is_file():
        # The curve of a run goes on with its snapshot.
        shutil.copy(log, out)
    print(f"{file}: {total} pieces, from {first} on {count} of them")


def join(folder: Path, file: Path) -> None:
    """Puts the pieces of a file together, and checks them."""
    about = json.loads((folder / PIECES).read_text())
    names = [
        folder / f"{about['name']}.{number:03d}"
        for number in range(about["pieces"])
    ]
    missing = [name for name in names if not name.is_file()]
    if missing:
        raise FileNotFoundError(f"{missing[0]}: a piece is missing")
    contents = b"".join(name.read_bytes() for name in names)
    if hashlib.sha256(contents).hexdigest() != about["sha256"]:
        raise ValueError(f"{folder}: the pieces are not of one file")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(contents)
    print(f"{file}: {len(contents)} bytes")


def evaluate(scored: Path, data_root: Path, run_dir: Path) -> None:
    """Evaluates scores that were brought back, into a new run directory."""
    import rich.console

    from lgn_tf import (
        atomic,
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
        config = checkpoints.read_config(folder)
        config = dataclasses.replace(
            config,
            # Where they lie here, and not on the accelerator.
            data=dataclasses.replace(
                config.data,
                data_root=str(data_root),
                stores=DataConfig().stores,
            ),
        )
        config_module.write(config, folder / checkpoints.CONFIG)
        fitted = calibration.load(folder / checkpoints.CALIBRATION)
        gamma = provenance.threshold(config, fitted, None)
        source = sources.open_source(config)
        found = protocol.conclude(
            folder / EVALUATION,
            source.store.split("test"),
            source.dataset,
            provenance.describe(config, fitted, gamma),
        )
    console = rich.console.Console()
    console.print(tables.scores(found))
    if found.maps:
        console.print(tables.maps(found))
    for line in tables.notes(found):
        console.print(line)


if __name__ == "__main__":
    sys.exit(main())
