"""Training on a machine that is reached by files of limited size alone."""

import ast
import json
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

from lgn_tf.data.datasets import archives
from lgn_tf.data.synthetic import walkways
from lgn_tf.evaluation import keyframes, results
from lgn_tf.runs import directory, environment, model_files, provenance
from lgn_tf.scores import video_scores
from lgn_tf.scores.calibration import Calibration
from tools.remote_training import __main__ as program
from tools.remote_training import parcels

ROOT = Path(__file__).parents[2]
TINY = (
    'model.variant="glo_net"',
    "model.image_size=[16,24]",
    "model.channels=1",
    "model.frames=2",
    "model.width=0.0625",
    "model.memory_items=3",
    "training.batch_size=4",
    "training.seed=3",
    "training.epochs=2",
    "data.holdout=1",
)


def run(*arguments):
    return program.main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Returns a folder with data and the packs that were made of it."""
    folder = tmp_path_factory.mktemp("home")
    drawn = walkways.draw(4, train=3, test=2, frames=10, size=(32, 48))
    archives.write_drawn(drawn, folder / "data", "ucsd")
    assert run("pack", folder / "data", folder / "packs") == 0
    return folder


def on_the_card(folder, *arguments):
    """Runs a command where there is neither TensorFlow nor scikit-learn."""
    blocked = folder / "blocked"
    blocked.mkdir(exist_ok=True)
    for name in ("tensorflow", "sklearn", "matplotlib", "jinja2", "tyro"):
        (blocked / f"{name}.py").write_text(f"raise ImportError('{name}')")
    done = subprocess.run(
        [sys.executable, "-m", "tools.remote_training", *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{blocked}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def train(folder, seconds, work):
    return on_the_card(
        folder,
        *("train", seconds, folder / "packs" / "train-0.tar.xz"),
        *("--preset", "folder", "--work", work, "--out", work / "out"),
        *("--reserve", 0, "--set", *TINY),
    )


def score(folder, work):
    return on_the_card(
        folder,
        *("score", folder / "packs" / "test-0.tar.xz"),
        *("--work", work, "--out", work / "out"),
    )


@pytest.mark.slow
@pytest.mark.jax
def test_there_and_back(home, tmp_path, capsys):
    work = tmp_path / "work"
    told = train(home, 300, work)
    # 16 clips of two videos; never more epochs than the configuration has.
    assert "4 steps an epoch: 2 epochs" in told
    assert "trained to the end" in told
    assert "16 frames" in score(home, work)

    out, run_dir = work / "out", tmp_path / "runs" / "full"
    config = json.loads((out / "config.json").read_text())
    assert config["training"]["epochs"] == 2
    assert config["model"]["dtype"] == "mixed_bfloat16"
    assert run("home", out, home / "data", run_dir) == 0
    assert "frame level" in capsys.readouterr().out
    found = results.read_results(run_dir / "evaluation")
    assert found.scored_frames == 16
    assert found.abnormal_frames is not None
    assert found.provenance.holdout == 1
    assert found.provenance.in_sample is False
    assert found.provenance.weights == "last epoch"
    assert found.baselines and found.maps
    for video in found.videos:
        assert keyframes.places(run_dir / "evaluation", video.name)
        labels = video_scores.read_labels(run_dir / "evaluation", video.name)
        assert labels.sum() == video.abnormal
    assert dict(found.gamma_sweep)[0.0] == pytest.approx(
        found.scores["paper"].micro_auc
    )
    assert {path.name for path in run_dir.iterdir()} == {
        *(directory.CONFIG, directory.ENVIRONMENT, directory.LOG),
        *(directory.CALIBRATION, directory.WEIGHTS, "evaluation"),
    }
    ours, model = model_files.load(run_dir)
    assert ours.data.data_root == str(home / "data")
    _, theirs = model_files.load(work / "run")
    for one, other in zip(
        model.get_weights(), theirs.get_weights(), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-6)
    assert not Calibration.load(run_dir / directory.CALIBRATION).in_sample

    # A run that is there stays as it is.
    assert run("home", out, home / "data", run_dir) == 2
    assert "is not overwritten" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.jax
def test_a_run_that_is_cut_short_keeps_its_weights_and_says_so(home, tmp_path):
    work = tmp_path / "work"
    # No time at all: it stops after one step.
    assert "stopped in epoch 1 after 1 steps" in train(home, 0, work)
    words = "step 1 of 4, where the run was stopped"
    for folder in (work / "out", work / "run"):
        path = folder / directory.ENVIRONMENT
        assert environment.weights(path, provenance.LAST) == words
    parcels.join(work / "out" / "weights", tmp_path / "weights.npz")
    _, model = model_files.load(work / "run")
    with np.load(tmp_path / "weights.npz") as packed:
        assert len(packed.files) == len(model.weights)


@pytest.mark.jax
def test_settings_that_cannot_be(home, tmp_path):
    for flags, message in (
        (["--preset", "ped3"], "`--preset` must be one of avenue, "),
        (["--set", "epochs=3"], "`--set` takes section.field=JSON"),
        (["--set", "model.widht=3"], "`model.widht` is no setting"),
        (["--set", "model.width=wide"], "`--set` takes section.field=JSON"),
    ):
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tools.remote_training", "train", "1"),
                *(str(home / "packs" / "train-0.tar.xz"), *flags),
                *("--work", str(tmp_path / "w")),
                *("--out", str(tmp_path / "o")),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 2
        assert message in done.stderr


def test_the_card_needs_few_packages():
    """What runs there imports nothing that is missing there."""
    tree = ast.parse((ROOT / "tools/remote_training/card.py").read_text())
    names = {
        f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert "lgn_tf.training.train" in names
    assert not any(name.startswith("lgn_tf.report") for name in names)
    assert "lgn_tf.evaluation.tables" not in names


@pytest.fixture
def heard():
    """Listens to SIGTERM; returns what was heard."""
    signals = []
    before = signal.signal(signal.SIGTERM, lambda *given: signals.append(given))
    yield signals
    signal.signal(signal.SIGTERM, before)


def test_the_end_of_the_time_disturbs_nothing_but_a_fit(heard):
    from tools.remote_training import alarm

    listener = signal.getsignal(signal.SIGTERM)
    with alarm.ringing(0):
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


def test_before_the_end_of_the_time_a_signal_is_a_signal(heard):
    from tools.remote_training import alarm

    with alarm.ringing(60):
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
    parcels.split(tmp_path / "file.npz", tmp_path / "pieces")
    return tmp_path / "pieces", contents


def test_pieces_make_the_file(pieces, tmp_path):
    folder, contents = pieces
    assert len(list(folder.glob("file.npz.*"))) == 5
    parcels.join(folder, tmp_path / "other" / "file.npz")
    assert (tmp_path / "other" / "file.npz").read_bytes() == contents


def test_a_missing_and_a_wrong_piece(pieces, tmp_path):
    folder, _ = pieces
    piece = folder / "file.npz.003"
    whole = piece.read_bytes()
    piece.write_bytes(whole[::-1])
    with pytest.raises(ValueError, match="not of one file"):
        parcels.join(folder, tmp_path / "new.npz")
    piece.unlink()
    with pytest.raises(FileNotFoundError, match=r"003: a piece is missing"):
        parcels.join(folder, tmp_path / "new.npz")
    assert not (tmp_path / "new.npz").exists()


def test_a_missing_part_leaves_no_run(home, tmp_path, capsys):
    out = tmp_path / "out"
    (out / "scored").mkdir(parents=True)
    assert run("home", out, home / "data", tmp_path / "run") == 2
    assert "pieces.json" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    shutil.rmtree(out)
