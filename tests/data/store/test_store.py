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


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"format": None}, r"format.*`\$\.format`"),
        ({"size": "wide"}, r"Expected `array`, got `str` - at `\$\.size`"),
        ({"entries": [{}]}, r"required field `name` - at `\$\.entries\[0\]`"),
    ],
)
def test_a_manifest_names_what_is_wrong(written, tmp_path, change, found):
    folder = tmp_path / "store"
    path = preparation.prepare(written("own"), folder, SIZE).folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError, match=f"{path}: not a manifest.*{found}"):
        read_manifest(folder)


def test_a_manifest_without_a_format(tmp_path):
    (tmp_path / MANIFEST).write_text("{}")
    with pytest.raises(ValueError, match="missing required field `format`"):
        read_manifest(tmp_path)
