"""Stores that are opened: damaged, old, mapped."""

import json

import pytest

from lgn_tf.data.store import preparation, store
from lgn_tf.data.store.manifest import (
    MANIFEST,
    read_manifest,
)
from tests.data.store.contents import SIZE


def test_a_store_of_before_there_was_motion(written, tmp_path):
    made = preparation.prepare(written("own"), tmp_path / "store", SIZE)
    path = made.folder / MANIFEST
    values = json.loads(path.read_text())
    for entry in values["entries"]:
        del entry["cells"]
    path.write_text(json.dumps(values))
    assert read_manifest(made.folder) == made.manifest


def test_a_damaged_store(written, tmp_path):
    folder = tmp_path / "store"
    made = preparation.prepare(written("own"), folder, SIZE)
    with pytest.raises(ValueError, match="no videos of the split 'val'"):
        made.split("val")
    path = folder / "train/01.frames"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"01\.frames: must hold 10752 bytes"):
        made.split("train")
    path.unlink()
    with pytest.raises(ValueError, match=r"01\.frames: .*no file"):
        made.split("train")
    manifest = folder / "manifest.json"
    values = json.loads(manifest.read_text())
    for bad in ("{", "[]", json.dumps({**values, "format": 2})):
        manifest.write_text(bad)
        with pytest.raises(ValueError, match="not a manifest of format 1"):
            store.open_store(folder)
    with pytest.raises(FileNotFoundError, match="is no store"):
        store.open_store(tmp_path)


def test_the_store_is_mapped_and_read_only(written, tmp_path):
    made = preparation.prepare(written("own"), tmp_path / "store", SIZE)
    found = made.split("train").read(0, 0, 3)
    assert not found.flags.owndata and not found.flags.writeable
