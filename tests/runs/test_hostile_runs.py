"""Files of a stranger: each reader refuses each trick, in one line.

A reader must name the file, take neither much memory nor much time, and run
nothing. What the tricks are, `tests.helpers.hostile_files` says.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest

from lgn_tf.cli import main, train_flags
from lgn_tf.config import schema
from lgn_tf.config.schema import Config
from lgn_tf.conversion import files as checkpoints
from lgn_tf.data.datasets import kinds, label_files, masks
from lgn_tf.data.datasets.dataset import Video
from lgn_tf.data.store import manifest
from lgn_tf.evaluation import keyframes, results
from lgn_tf.exporting import model_card
from lgn_tf.files import media
from lgn_tf.model.lgn_net import build_model
from lgn_tf.runs import directory, environment, model_files
from lgn_tf.runs.run import Run
from lgn_tf.scores import video_scores
from lgn_tf.training import epoch_log, snapshots, telemetry
from tests.helpers import hostile_containers as containers
from tests.helpers import hostile_files as hostile
from tests.helpers.refusals import refusal

COUNTS = {"01": 5, "02": 3}


def _toml(path):
    return train_flags.parse(["--config", str(path)], "train.py")


def _masks(path):
    return masks.read_masks(Video("01", "test", path.parent, mask=path))


READERS = {
    "config.json": lambda path: directory.read_config(path.parent),
    "environment.json": environment.read,
    "log.csv": lambda path: Run(path.parent).log,
    "log.csv again": lambda path: epoch_log.read_log(path.parent),
    "calibration.npz": lambda path: Run(path.parent).calibration,
    "evaluation/results.json": lambda path: results.read_results(path.parent),
    "evaluation/frames/01.csv": lambda path: video_scores.read_scores(
        path.parents[1], "01"
    ),
    "evaluation/maps/01.npz": lambda path: video_scores.read_scores(
        path.parents[1], "01"
    ),
    "evaluation/pictures/01/000004.npz": lambda path: keyframes.read_keyframe(
        path.parents[2], "01", 4
    ),
    "manifest.json": lambda path: manifest.read_manifest(path.parent),
    "labels.npy": lambda path: label_files.read_mnad(path, COUNTS),
    "labels.csv": lambda path: label_files.read_csv(path, COUNTS),
    "labels.m": lambda path: label_files.read_ucsd(path, COUNTS),
    "labels.mat": lambda path: label_files.read_frame_pred(path, COUNTS),
    "kinds.csv": lambda path: kinds.read_kinds(path, COUNTS),
    "masks.npy": _masks,
    "model.npz": checkpoints.read_state,
    "keys.npz": checkpoints.read_items,
    "settings.toml": _toml,
    "model_card.json": lambda path: model_card.read_config(path.parent),
}
"""By the name of the file that each reads."""

# What is no file is no log and no calibration either: the run has none.
ABSENT = ("log.csv", "log.csv again", "calibration.npz")

GOOD = {
    "log.csv": ["empty"],
    "log.csv again": ["empty"],
    # Other names are refused by those who want some.
    "model.npz": ["leaves", "another_array", "no_member"],
    # The flags may say all.
    "settings.toml": ["empty"],
}
"""Tricks that are none there."""


def _tricks(name):
    suffix = Path(name.removesuffix(" again")).suffix
    further = {
        ".json": hostile.JSON,
        ".csv": hostile.CSV,
        ".npz": hostile.NPZ,
        ".npy": hostile.NPY,
        ".mat": (*containers.MAT, *containers.MODERN_MAT),
        ".toml": (
            hostile.text("deep", "a = " + "[" * 10_000 + "]" * 10_000),
            hostile.text("dotted", ".".join("a" * 8000) + " = 1"),
            hostile.text("no_table", "data = 3"),
            hostile.text("a_list", "[data]\ndataset = []"),
        ),
    }
    no_files = () if name in ABSENT else hostile.NO_FILES
    found = (*no_files, *hostile.DAMAGED, *further.get(suffix, ()))
    return [one for one in found if one.__name__ not in GOOD.get(name, ())]


@pytest.mark.parametrize("name", READERS)
def test_each_reader_refuses(name, tmp_path):
    found = {}
    for trick in _tricks(name):
        folder = tmp_path / trick.__name__
        path = folder / name.removesuffix(" again")
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.name != directory.CONFIG:
            schema.write(Config(), folder / directory.CONFIG)
        if path.parent.name == "maps":
            table = path.parents[1] / "frames/01.csv"
            table.parent.mkdir()
            table.write_text("frame,psnr,regular_score,updated\n4,30,0,0\n")
        trick(path)
        found[trick.__name__] = refusal(READERS[name], path)
    assert {key: one for key, one in found.items() if one} == {}


def test_weights_are_refused(exported_run, tmp_path):
    config = exported_run[1]
    good = (exported_run[0] / directory.WEIGHTS).read_bytes()
    found = {}
    for trick in (*hostile.NO_FILES, *hostile.DAMAGED, *containers.WEIGHTS):
        folder = tmp_path / trick.__name__
        folder.mkdir()
        schema.write(config, folder / directory.CONFIG)
        path = folder / directory.WEIGHTS
        if trick in containers.WEIGHTS:
            trick(path, good)
        else:
            trick(path)
        found[trick.__name__] = refusal(_weights, path)
    assert {key: one for key, one in found.items() if one} == {}


def _weights(path):
    return model_files.load(path.parent)


def test_snapshots_are_refused(exported_run, tmp_path):
    model = build_model(exported_run[1])
    model.compile()
    model.optimizer.build(model.trainable_variables)
    snapshots.save(tmp_path, model, snapshots.Progress())
    path = tmp_path / snapshots.SNAPSHOT
    with np.load(path) as archive:
        good = dict(archive)
    assert snapshots.load(tmp_path, model) == snapshots.Progress()
    found = {}
    for trick in (*hostile.NO_FILES, *hostile.DAMAGED, *hostile.NPZ):
        path.unlink()
        trick(path)
        found[trick.__name__] = refusal(_snapshot(model), path)
        hostile.remove(path)
        path.touch()
    for name, change in {
        "deep": {"progress": np.array("[" * 10_000)},
        "negative": {"progress": np.array('{"epoch": -1}')},
        "no number": {"progress": np.array('{"step": "x"}')},
        "a list": {"progress": np.array("[1]")},
        "long": {"progress": np.array("x" * 2**20)},
        "letters": {"weights/0000": np.zeros(good["weights/0000"].shape, "U1")},
        "another shape": {"weights/0000": np.zeros(3)},
        "one more": {"weights/9999": np.zeros(3)},
    }.items():
        np.savez(path, **(good | change))
        found[name] = refusal(_snapshot(model), path)
    assert {key: one for key, one in found.items() if one} == {}


def _snapshot(model):
    return lambda path: snapshots.load(path.parent, model)


@pytest.mark.parametrize("name", ["scores", "scores/frames", "scores/maps"])
def test_scores_are_not_written_elsewhere(exported_run, tmp_path, capsys, name):
    run = tmp_path / "run"
    shutil.copytree(exported_run[0], run)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (run / name).parent.mkdir(exist_ok=True)
    (run / name).symlink_to(elsewhere)
    video = tmp_path / "video"
    media.write_images(video, np.zeros((6, 16, 24, 3), np.uint8), "{}.png", 0)
    assert main.main(["score", str(run), str(video)]) == 2
    assert f"a link must not leave {run}" in capsys.readouterr().err
    assert not list(elsewhere.iterdir())


def test_events_are_not_written_elsewhere(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / directory.TENSORBOARD).symlink_to(tmp_path)
    clips = np.zeros((1, 2, 8, 8, 1), np.float32)
    with pytest.raises(ValueError, match="a link must not leave"):
        telemetry.Events(tmp_path / "run", clips, clips[:, 0], 1, 1, 0)
