"""Training on a machine that is reached by files of limited size alone."""

import dataclasses
import tarfile

import numpy as np
import pytest

from benchmarks import train_accelerator
from lgn_tf import checkpoints, presets, results, snapshots
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


def test_there_and_back(tmp_path, monkeypatch, capsys):
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
    packs = {path.name for path in (tmp_path / "packs").iterdir()}
    assert packs == {"train-0.tar", "test-0.tar"}

    train = ["train", "packs/train-0.tar", "--preset", "folder", "--lite"]
    train += ["--epochs", 1, "--holdout", 1, "--dtype", "float32"]
    # No time at all: stops after one step.
    assert run(*train, "--work", "first", "--seconds", 0) == 0
    assert "run this again to go on" in capsys.readouterr().out
    snapshot = tmp_path / "first" / "run" / snapshots.SNAPSHOT
    assert run("split", snapshot, "pieces") == 0

    # A bare machine goes on from the pieces.
    assert run(*train, "--work", "second", "--pieces", "pieces") == 0
    assert "trained to the end" in capsys.readouterr().out
    assert run("score", "packs/test-0.tar", "--work", "second") == 0
    assert "16 frames" in capsys.readouterr().out

    assert run("evaluate", "second/scored.tar", root, "runs/full") == 0
    assert "frame level" in capsys.readouterr().out
    found = results.read(tmp_path / "runs" / "full" / "evaluation")
    assert found.scored_frames == 16
    assert found.abnormal_frames is not None
    assert found.provenance.holdout == 1
    assert found.provenance.in_sample is False
    assert found.baselines and found.maps
    config = checkpoints.read_config(tmp_path / "runs" / "full")
    assert config.data.data_root == str(root)

    # A run that is there stays as it is.
    assert run("evaluate", "second/scored.tar", root, "runs/full") == 2
    assert "is not overwritten" in capsys.readouterr().err


def test_no_pack_is_larger_than_allowed(tmp_path, monkeypatch):
    monkeypatch.setattr(train_accelerator, "PACK_LIMIT", 60_000)
    bytes_of = np.random.default_rng(0).bytes
    names = [f"{part}/{n}.jpg" for part in ("training", "test") for n in "123"]
    for name in names:
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes_of(12_345))
    train_accelerator.pack(tmp_path / "data", tmp_path / "packs")
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


@pytest.fixture
def pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(train_accelerator, "PIECE_LIMIT", 1000)
    contents = np.random.default_rng(1).bytes(4321)
    (tmp_path / "file.npz").write_bytes(contents)
    # Four pieces a call.
    for first in (0, 4):
        train_accelerator.split(
            tmp_path / "file.npz", tmp_path / "pieces", first, 4
        )
    return tmp_path / "pieces", contents


def test_pieces_make_the_file(pieces, tmp_path):
    folder, contents = pieces
    assert len(list(folder.glob("file.npz.*"))) == 5
    train_accelerator.join(folder, tmp_path / "other" / "file.npz")
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
