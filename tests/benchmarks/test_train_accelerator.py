"""Training on a machine that is reached by files of limited size alone."""

import ast
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks import parcels, train_accelerator
from lgn_tf import (
    calibration,
    checkpoints,
    measures,
    pictures,
    presets,
    protocol,
    results,
    snapshots,
    telemetry,
    training,
)
from lgn_tf.config import ModelConfig
from lgn_tf.data import archives, synthetic

TINY = ModelConfig(
    variant="glo_net",
    image_size=(16, 24),
    channels=1,
    frames=2,
    width=1 / 16,
    memory_items=3,
)


def run(*arguments):
    return train_accelerator.main([str(argument) for argument in arguments])


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Goes to a folder with packs; returns the data they were made of."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        presets, "lite", lambda c: dataclasses.replace(c, model=TINY)
    )
    # Variables of its own: the caller of the test keeps its environment.
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "jax"))
    root = tmp_path / "home"
    drawn = synthetic.draw(4, train=3, test=2, frames=10, size=(32, 48))
    archives.write(drawn, root, "ucsd")
    assert run("pack", root, "packs") == 0
    return root


FIRST = ("--preset", "folder", "--lite", "--epochs", 2, "--holdout", 1)
FIRST += ("--dtype", "float32", "--seed", 3)


def train(work, *flags):
    return run("train", "packs/train-0.tar", "--work", work, *flags)


def test_there_and_back(home, tmp_path, capsys):
    packs = {path.name for path in (tmp_path / "packs").iterdir()}
    assert packs == {"train-0.tar", "test-0.tar"}
    # No time at all: stops after one step, of two an epoch.
    assert train("first", *FIRST, "--seconds", 0) == 0
    printed = capsys.readouterr().out
    assert "stopped in epoch 1 after 1 steps; run this again" in printed
    assert run("split", "first/state.tar", "pieces/1") == 0

    # A bare machine goes on from the pieces, with the settings of the run.
    shutil.rmtree("first")
    assert train("second", "--pieces", "pieces/1", "--seconds", 0) == 0
    assert "stopped after epoch 1; run this again" in capsys.readouterr().out
    assert run("split", "second/state.tar", "pieces/2") == 0
    shutil.rmtree("second")
    assert train("third", "--pieces", "pieces/2") == 0
    assert "trained to the end" in capsys.readouterr().out
    run_dir = tmp_path / "third" / "run"
    config = checkpoints.read_config(run_dir)
    assert (config.training.epochs, config.training.seed) == (2, 3)
    assert config.data.data_root == str(Path("third") / "data")
    assert [row["epoch"] for row in telemetry.read_log(run_dir)] == ["1", "2"]
    with tarfile.open("third/state.tar") as tar:
        assert set(tar.getnames()) == {
            *(checkpoints.CONFIG, checkpoints.ENVIRONMENT, checkpoints.LOG),
            *(checkpoints.BEST, snapshots.SNAPSHOT),
        }
    assert run("score", "packs/test-0.tar", "--work", "third") == 0
    assert "16 frames" in capsys.readouterr().out

    evaluate = ("evaluate", "third/scored.tar", home, "runs/full")
    assert run(*evaluate) == 0
    assert "frame level" in capsys.readouterr().out
    full = tmp_path / "runs" / "full"
    found = results.read(full / "evaluation")
    assert found.scored_frames == 16
    assert found.abnormal_frames is not None
    assert found.provenance.holdout == 1
    assert found.provenance.in_sample is False
    assert found.baselines and found.maps
    assert checkpoints.read_config(full).data.data_root == str(home)
    # The figures of the report: pictures, labelled curves, AUC against gamma.
    for video in found.videos:
        assert pictures.places(full / "evaluation", video.name)
        labels = measures.read_labels(full / "evaluation", video.name)
        assert labels.sum() == video.abnormal
    sweep = dict(found.gamma_sweep)
    fitted = calibration.load(full / checkpoints.CALIBRATION)
    levels = {fitted.update_threshold(p) for p in protocol.SWEEP_LEVELS}
    assert set(sweep) == levels | {0.0}
    assert sweep[0.0] == pytest.approx(found.scores["paper"].micro_auc)
    assert {path.name for path in full.iterdir()} == {
        *(checkpoints.CONFIG, checkpoints.ENVIRONMENT, checkpoints.LOG),
        *(checkpoints.CALIBRATION, "evaluation"),
    }

    # A run that is there stays as it is.
    assert run(*evaluate) == 2
    assert "is not overwritten" in capsys.readouterr().err


@pytest.mark.jax
def test_the_accelerator_needs_few_packages():
    tree = ast.parse(Path(train_accelerator.__file__).read_text())
    at_home = {"evaluate", "_sweep"}
    wanted = [
        f"import {node.module}.{alias.name}"
        if node.module in ("lgn_tf", "lgn_tf.data")
        else f"import {node.module}"
        for part in tree.body
        if getattr(part, "name", "") not in at_home
        for node in ast.walk(part)
        if isinstance(node, ast.ImportFrom) and "lgn_tf" in node.module
        for alias in node.names
    ]
    assert "import lgn_tf.training" in wanted
    absent = ("tensorflow", "sklearn", "matplotlib", "jinja2", "tyro")
    code = [
        "import sys",
        f"sys.modules.update(dict.fromkeys({absent!r}))",
        *wanted,
    ]
    subprocess.run(
        [sys.executable, "-c", "\n".join(code)],
        env=os.environ | {"KERAS_BACKEND": "jax"},
        cwd=Path(__file__).parents[2],
        check=True,
    )


@pytest.fixture
def untrained(monkeypatch):
    """Has training do nothing; returns what it was asked for."""
    asked = []
    monkeypatch.setattr(
        training, "train", lambda config, *_, **__: asked.append(config)
    )
    return asked


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--epochs", 5], "`--epochs` must be that of the run that goes on, 2"),
        (["--seed", 0], "`--seed` must be that of the run that goes on, 3"),
        (["--preset", "ped2"], "`--preset` must be that of the run"),
        (["--lite"], "`--lite` must be left out"),
    ],
)
def test_a_run_keeps_its_settings(
    untrained, flags, message, monkeypatch, capsys
):
    assert train("work", *FIRST) == 0
    monkeypatch.setattr(
        presets,
        "lite",
        lambda c: dataclasses.replace(c, model=ModelConfig()),
    )
    assert train("work") == 0
    assert train("work", "--epochs", 2, "--seed", 3) == 0
    assert [config.training.seed for config in untrained] == [3, 3, 3]
    assert run("split", "work/state.tar", "pieces") == 0
    for work in ("work", "bare"):
        capsys.readouterr()
        assert train(work, "--pieces", "pieces", *flags) == 2
        assert message in capsys.readouterr().err
    assert len(untrained) == 3


@pytest.mark.usefixtures("home")
def test_an_unknown_preset_is_refused(untrained, capsys):
    assert train("work", "--preset", "ped1") == 2
    assert "`--preset` must be one of ped2, " in capsys.readouterr().err
    assert not untrained


@pytest.fixture
def heard():
    """Listens to SIGTERM; returns what was heard."""
    signals = []
    before = signal.signal(signal.SIGTERM, lambda *given: signals.append(given))
    yield signals
    signal.signal(signal.SIGTERM, before)


def test_the_end_of_a_slice_disturbs_nothing_but_a_fit(heard):
    listener = signal.getsignal(signal.SIGTERM)
    with train_accelerator.ringing(0):
        time.sleep(0.3)
        # A fit that begins late is stopped all the same.
        stop = threading.Event()
        outside = signal.signal(signal.SIGTERM, lambda *_: stop.set())
        assert stop.wait(10)
        signal.signal(signal.SIGTERM, outside)
        # Weights are saved after it.
        time.sleep(0.3)
    assert not heard
    assert signal.getsignal(signal.SIGTERM) is listener


def test_before_the_end_of_a_slice_a_signal_is_a_signal(heard):
    with train_accelerator.ringing(60):
        signal.raise_signal(signal.SIGTERM)
    assert len(heard) == 1


def test_no_pack_is_larger_than_allowed(tmp_path, monkeypatch):
    monkeypatch.setattr(parcels, "PACK_LIMIT", 60_000)
    bytes_of = np.random.default_rng(0).bytes
    names = [f"{part}/{n}.jpg" for part in ("training", "test") for n in "123"]
    for name in names:
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes_of(12_345))
    parcels.pack(tmp_path / "data", tmp_path / "packs")
    found = set()
    for path in (tmp_path / "packs").iterdir():
        assert path.stat().st_size <= 60_000
        with tarfile.open(path) as tar:
            inside = {m.name for m in tar.getmembers() if m.isfile()}
        assert {n.startswith("train") for n in inside} == {
            path.name.startswith("train")
        }
        found |= inside
    assert found == set(names)


def test_a_file_that_fits_into_no_pack_is_refused(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(parcels, "PACK_LIMIT", 60_000)
    video = tmp_path / "data" / "test" / "long.avi"
    video.parent.mkdir(parents=True)
    video.write_bytes(bytes(60_001))
    assert run("pack", tmp_path / "data", tmp_path / "packs") == 2
    error = capsys.readouterr().err
    assert f"{video} of 60,001 bytes" in error
    assert not (tmp_path / "packs").exists()
    assert run("pack", tmp_path / "nowhere", tmp_path / "packs") == 2
    assert "no such folder" in capsys.readouterr().err


@pytest.fixture
def pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(parcels, "PIECE_LIMIT", 1000)
    contents = np.random.default_rng(1).bytes(4321)
    (tmp_path / "file.npz").write_bytes(contents)
    # Four pieces a call.
    for first in (0, 4):
        parcels.split(tmp_path / "file.npz", tmp_path / "pieces", first, 4)
    return tmp_path / "pieces", contents


def test_pieces_make_the_file(pieces, tmp_path):
    folder, contents = pieces
    assert len(list(folder.glob("file.npz.*"))) == 5
    parcels.join(folder, tmp_path / "other" / "file.npz")
    assert (tmp_path / "other" / "file.npz").read_bytes() == contents


def test_a_missing_and_a_wrong_piece(pieces, tmp_path, capsys):
    folder, _ = pieces
    piece = folder / "file.npz.003"
    whole = piece.read_bytes()
    piece.write_bytes(whole[::-1])
    assert run("join", folder, tmp_path / "new.npz") == 2
    assert "not of one file" in capsys.readouterr().err
    piece.unlink()
    assert run("join", folder, tmp_path / "new.npz") == 2
    assert f"{piece}: a piece is missing" in capsys.readouterr().err
    assert not (tmp_path / "new.npz").exists()
