"""Sizes that no machine has, and paths that leave, in files of a stranger."""

import json

import pytest

from lgn_tf.config.schema import Config
from lgn_tf.data.datasets import kinds, label_files, labels
from lgn_tf.data.store import manifest, store
from lgn_tf.runs import directory
from tests.helpers import hostile_files as hostile
from tests.helpers.refusals import bounded, refusal

COUNTS = {"01": 5, "02": 3}

READERS = {
    "config.json": lambda path: directory.read_config(path.parent),
    "manifest.json": lambda path: manifest.read_manifest(path.parent),
    "labels.npy": lambda path: label_files.read_mnad(path, COUNTS),
    "labels.csv": lambda path: label_files.read_csv(path, COUNTS),
    "labels.m": lambda path: label_files.read_ucsd(path, COUNTS),
    "kinds.csv": lambda path: kinds.read_kinds(path, COUNTS),
}
"""By the name of the file that each reads."""


@pytest.mark.parametrize(
    "change",
    [
        {"width": 1e300},
        {"width": 1e400},
        {"width": 4.01},
        {"width": True},
        {"frames": 10**9},
        {"frames": -4},
        {"frames": True},
        {"image_size": [10**6, 10**6]},
        {"image_size": [-8, 8]},
        {"image_size": [10**30, 8]},
        {"image_size": [8] * 10**5},
        {"memory_items": 10**9},
        {"memory_items": 2.5},
        {"channels": 10**9},
        {"variant": "x" * 10**5},
        {"dtype": "float64"},
    ],
)
def test_models_that_no_machine_builds_are_refused(change, tmp_path):
    path = tmp_path / directory.CONFIG
    # As a program in another language may write it.
    text = json.dumps({"model": change}).replace("Infinity", "1e400")
    path.write_text(text)
    assert refusal(READERS["config.json"], path) is None
    path.write_text(json.dumps({"model": {}}))
    assert directory.read_config(tmp_path) == Config()


@pytest.mark.parametrize(
    "change",
    [
        {"training": {"epochs": 10**18}},
        {"training": {"steps": 10**18}},
        {"training": {"batch_size": 10**9}},
        {"training": {"seed": 2**32}},
        {"training": {"learning_rate": 1e300}},
        {"training": {"save_every": 1e300}},
        {"scoring": {"error_weight": 1e300}},
        {"scoring": {"update_threshold": 1e300}},
        {"data": {"holdout": 10**18}},
        {"data": {"data_root": "a\0b"}},
        {"data": {"stores": "a" * 10**5}},
    ],
)
def test_settings_beyond_all_use_are_refused(change, tmp_path):
    path = tmp_path / directory.CONFIG
    path.write_text(json.dumps(change))
    assert refusal(READERS["config.json"], path) is None


def _entry(**changes):
    source = {"files": 1, "size": 1, "checksum": ""}
    entry = {"name": "01", "split": "test", "frames": 5, "channels": 1}
    return {
        "format": 1,
        "layout": "own",
        "size": [16, 24],
        "complete": True,
        "entries": [entry | {"source": source} | changes],
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "../../x"},
        {"name": "/etc/passwd"},
        {"name": ".."},
        {"name": "a\x1b[2Jb"},
        {"name": "a\nb"},
        {"name": "a\0b"},
        {"split": "../.."},
        {"frames": 10**18},
        {"frames": -1},
        {"channels": 2},
        {"channels": 10**9},
        {"cells": [10**9, 10**9]},
    ],
)
def test_stores_that_lead_elsewhere_are_refused(changes, tmp_path):
    path = tmp_path / manifest.MANIFEST
    path.write_text(json.dumps(_entry(**changes)))
    assert refusal(READERS["manifest.json"], path) is None
    path.write_text(json.dumps(_entry()))
    assert manifest.read_manifest(tmp_path).entries[0].name == "01"


def test_a_store_does_not_read_other_files(tmp_path):
    folder = tmp_path / "store"
    (folder / "test").mkdir(parents=True)
    (folder / manifest.MANIFEST).write_text(json.dumps(_entry()))
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(5 * 16 * 24))
    path = folder / "test/01.frames"
    path.symlink_to(secret)
    with pytest.raises(ValueError, match=r"01\.frames: a link must not leave"):
        store.open_store(folder).split("test")


LABELS = {
    "labels.npy": hostile.sparse_labels,
    "labels.csv": hostile.text("long", "video,start,end\n01,1,1000000000000\n"),
    "kinds.csv": hostile.text(
        "many",
        "video,start,end,kind\n" + "".join(f"01,1,1,{k}\n" for k in range(101)),
    ),
    "labels.m": hostile.text(
        "digits", f"x.gt_frame = [1:{'9' * 10_000}]; x.gt_frame = [];"
    ),
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_of_more_frames_than_there_are(name, tmp_path):
    path = tmp_path / name
    LABELS[name](path)
    assert refusal(READERS[name], path) is None


def test_many_intervals_take_no_longer_than_few():
    many = [(1, 100_000)] * 300_000
    with bounded():
        assert labels.from_intervals(many, 100_000, "x").all()
