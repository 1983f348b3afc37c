"""Preparations that are killed, fail, or meet another one."""

import dataclasses
import errno
import os
import shutil
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

from lgn_tf.data.datasets import layouts
from lgn_tf.data.store import manifest, preparation, store, store_folder
from lgn_tf.data.video import footage
from lgn_tf.files import locks, media, scratch
from tests.data.store.contents import SIZE, contents


@pytest.mark.parametrize("after", range(0, 9))
def test_what_fails_at_any_step_is_finished_by_the_next_run(
    written, tmp_path, monkeypatch, after
):
    dataset, folder = written("ucsd"), tmp_path / "store"
    whole = preparation.prepare(dataset, tmp_path / "whole", SIZE)
    real, calls = os.fsync, []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) > after:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            preparation.prepare(dataset, folder, SIZE, workers=1)
    if (folder / "manifest.json").exists():
        with pytest.raises(ValueError, match="interrupted; run it again"):
            store.open_store(folder)
    else:
        with pytest.raises(FileNotFoundError, match="is no store"):
            store.open_store(folder)
    # No store of before the failure is of another length than it should be.
    assert {p.stat().st_size for p in folder.rglob("*.frames")} <= {
        14 * SIZE[0] * SIZE[1]
    }
    made = preparation.prepare(dataset, folder, SIZE, workers=1)
    assert contents(folder) == contents(whole.folder)
    assert made.manifest.complete


def test_no_space_left_names_the_file(written, tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    dataset, folder = written("own"), tmp_path / "store"
    preparation.prepare(dataset, folder, SIZE)
    (folder / "train/01.frames").unlink()
    monkeypatch.setattr(preparation, "write_manifest", lambda *_: None)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left.*01\.frames") as caught:
        preparation.prepare(dataset, folder, SIZE)
    assert caught.value.errno == errno.ENOSPC
    assert not list(folder.rglob("*.frames.partial"))


def test_too_little_space_is_known_beforehand(written, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OSError, match="53,760 bytes are needed, and 1,000"):
        preparation.prepare(written("own"), tmp_path / "store", SIZE)


def test_a_killed_run_is_finished_by_the_next(tmp_path):
    root = tmp_path / "own"
    rng = np.random.default_rng(0)
    for number in range(6):
        frames = rng.integers(0, 256, (60, 64, 64, 3), dtype=np.uint8)
        media.write_video(root / f"{number}.avi", frames)
    folder = tmp_path / "store"
    command = [sys.executable, "-m", "lgn_tf", "prepare"]
    command += ["--data-root", str(root), "--out", str(folder)]
    command += ["--image-size", "512", "512", "--workers", "1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(folder.glob("*/*.frames")):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = {p: p.stat().st_mtime_ns for p in folder.glob("*/*.frames")}
    assert 0 < len(finished) < 6
    assert {p.stat().st_size for p in finished} == {60 * 512 * 512 * 3}
    with pytest.raises(ValueError, match="interrupted"):
        store.open_store(folder)
    dataset = layouts.recognise(root)
    made = preparation.prepare(dataset, folder, (512, 512))
    assert not list(folder.rglob("*.partial"))
    # The manifest may be a video behind the kill, not more.
    kept = [p for p, t in finished.items() if p.stat().st_mtime_ns == t]
    assert len(kept) >= len(finished) - 1
    for place, video in enumerate(dataset.videos):
        wanted = cv2.resize(next(footage.read_frames(video)), (512, 512))
        found = made.split("train").read(place, 0, 1)[0]
        np.testing.assert_array_equal(found, wanted)


def test_two_runs_at_once(written, tmp_path):
    dataset, folder = written("own"), tmp_path / "store"
    folder.mkdir()
    with locks.alone(folder / store_folder.LOCK, folder):
        with pytest.raises(BlockingIOError, match="another `lgn prepare`"):
            preparation.prepare(dataset, folder, SIZE)


def test_half_written_files_of_a_killed_run_are_removed(written, tmp_path):
    folder = tmp_path / "store"
    (folder / "train").mkdir(parents=True)
    left = [
        folder / f"{scratch.PREFIX}{16 * 'a'}",
        folder / "train" / f"{scratch.PREFIX}{16 * 'b'}",
    ]
    for path in left:
        path.mkdir()
        (path / "manifest.json").touch()
    preparation.prepare(written("own"), folder, SIZE)
    assert not any(path.exists() for path in left)


def test_a_video_may_be_named_like_a_half_written_file(tmp_path):
    for name in ("x.partial", ".partial", "x.frames.partial"):
        frames = np.full((3, 32, 40, 1), len(name), np.uint8)
        media.write_images(tmp_path / "own" / f"a{name}", frames, "{}.png", 1)
    dataset, folder = layouts.recognise(tmp_path / "own"), tmp_path / "store"
    for _ in range(2):
        made = preparation.prepare(dataset, folder, SIZE)
        assert [entry.frames for entry in made.manifest.entries] == [3, 3, 3]
        emptied = dataclasses.replace(made.manifest, complete=False, entries=())
        manifest.write_manifest(emptied, folder)
