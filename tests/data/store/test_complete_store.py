"""A complete store is only read, and what is in it stays until it differs."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest

from lgn_tf.data.datasets import layouts
from lgn_tf.data.store import preparation, store, store_folder, video_writer
from lgn_tf.data.store.manifest import MANIFEST, read_manifest
from lgn_tf.files import atomic, locks, media, scratch
from tests.data.store.contents import SIZE, contents


@pytest.fixture
def complete(written, tmp_path):
    """Returns a data set and the folder of its complete store."""
    dataset, folder = written("own"), tmp_path / "store"
    preparation.prepare(dataset, folder, SIZE)
    return dataset, folder


def stamps(folder):
    """Returns when each file and folder of a store was changed."""
    found = (folder, *folder.rglob("*"))
    return {path: path.stat().st_mtime_ns for path in found}


def refuse(*_, **__):
    raise OSError("Read-only file system")


def test_it_needs_no_lock_and_no_writing(complete, monkeypatch):
    dataset, folder = complete
    before = stamps(folder)
    monkeypatch.setattr(locks, "alone", refuse)
    monkeypatch.setattr(atomic, "opened", refuse)
    monkeypatch.setattr(atomic, "replaced", refuse)
    done = []
    made = preparation.prepare(
        dataset, folder, SIZE, progress=lambda *counts: done.append(counts)
    )
    assert made.manifest.complete and stamps(folder) == before
    frames = sum(entry.frames for entry in made.manifest.entries)
    assert done[-1] == (frames, frames)


def test_one_that_is_stopped_while_it_checks_loses_nothing(
    complete, monkeypatch
):
    dataset, folder = complete
    before = stamps(folder)

    def stopped(_):
        # Others may open it meanwhile.
        assert store.open_store(folder).manifest.complete
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(preparation, "fingerprint", stopped)
        patch.setattr(video_writer, "fingerprint", stopped)
        with pytest.raises(KeyboardInterrupt):
            preparation.prepare(dataset, folder, SIZE)
    assert stamps(folder) == before


def test_one_that_another_process_holds_is_opened(complete):
    dataset, folder = complete
    with locks.alone(folder / store_folder.LOCK, folder):
        assert preparation.prepare(dataset, folder, SIZE).manifest.complete


def test_entries_stay_until_their_videos_differ(complete):
    dataset, folder = complete
    before = read_manifest(folder)
    changed = dataset.videos[-1]
    frames = np.full((9, 32, 40, 3), 77, np.uint8)
    media.write_video(changed.source, frames)
    script = (
        "import os, pathlib, sys\n"
        "from lgn_tf.data.datasets import layouts\n"
        "from lgn_tf.data.store import preparation\n"
        "from lgn_tf.files import atomic\n"
        "atomic.sync_folder = lambda _: os._exit(9)\n"
        "root, folder = map(pathlib.Path, sys.argv[1:])\n"
        "dataset = layouts.recognise(root)\n"
        f"preparation.prepare(dataset, folder, {SIZE})\n"
    )
    command = [sys.executable, "-c", script, str(dataset.root), str(folder)]
    assert subprocess.run(command, check=False).returncode == 9
    # Killed when the store was about to change.
    half = read_manifest(folder)
    assert not half.complete and half.entries == before.entries
    kept = stamps(folder)
    made = preparation.prepare(dataset, folder, SIZE)
    assert made.manifest.complete
    assert made.manifest.entries[-1] != before.entries[-1]
    after = stamps(folder)
    for entry in before.entries[:-1]:
        path = folder / entry.path
        assert after[path] == kept[path]


def test_a_source_that_is_damaged_by_now_leaves_the_store(complete):
    dataset, folder = complete
    before = contents(folder)
    dataset.videos[0].source.write_bytes(b"no video")
    with pytest.raises(ValueError, match=dataset.videos[0].source.name):
        preparation.prepare(dataset, folder, SIZE)
    assert contents(folder) == before
    assert store.open_store(folder).manifest.complete


def test_a_store_of_the_other_orientation_is_not_taken_for_done(complete):
    # Files of as many bytes: only the manifest tells the sizes apart.
    dataset, folder = complete
    turned = SIZE[::-1]
    assert turned != SIZE
    made = preparation.prepare(dataset, folder, turned)
    assert made.size == turned and made.manifest.complete


def test_what_a_killed_run_left_beside_a_complete_store_goes(complete):
    dataset, folder = complete
    before = contents(folder)
    half = folder / "train" / f"{scratch.PREFIX}{16 * '0'}"
    half.mkdir()
    (folder / store_folder.LOCK).write_text("process 1 on nowhere: lgn")
    preparation.prepare(dataset, folder, SIZE)
    assert not half.exists() and not (folder / store_folder.LOCK).exists()
    assert contents(folder) == before


def test_a_store_is_not_complete_while_files_of_it_are_removed(
    complete, monkeypatch
):
    dataset, folder = complete
    dataset.videos[-1].source.unlink()
    fewer = layouts.recognise(dataset.root)

    real = pathlib.Path.unlink

    def stopped(path, missing_ok=False):
        if path.suffix == ".frames":
            raise KeyboardInterrupt
        real(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(pathlib.Path, "unlink", stopped)
        with pytest.raises(KeyboardInterrupt):
            preparation.prepare(fewer, folder, SIZE)
    assert not read_manifest(folder).complete
    made = preparation.prepare(fewer, folder, SIZE)
    assert made.manifest.complete
    assert len(list(folder.rglob("*.frames"))) == len(fewer.videos)


def test_nothing_is_written_or_removed_where_a_link_leads(complete, tmp_path):
    dataset, folder = complete
    elsewhere = tmp_path / "elsewhere"
    (folder / "train").rename(elsewhere)
    (folder / "train").symlink_to(elsewhere)
    mine = elsewhere / "mine.frames"
    mine.touch()
    (folder / MANIFEST).unlink()
    with pytest.raises(ValueError, match="a link must not leave"):
        preparation.prepare(dataset, folder, SIZE)
    assert mine.exists()
