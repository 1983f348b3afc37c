"""None"""

import shutil

import cv2
import numpy as np
import pytest

from lgn_tf.data.datasets import layouts
from lgn_tf.data.store import preparation
from lgn_tf.data.store.manifest import (
    MANIFEST,
    MOTION_TYPE,
    manifest_counts,
    read_manifest,
)
from lgn_tf.data.video import footage
from lgn_tf.files import media
from tests.data.store.contents import SIZE, cells, contents
from tests.helpers.drawn_layouts import WHOLE


@pytest.mark.parametrize("layout", WHOLE)
def test_every_frame_is_stored_resized(written, tmp_path, layout):
    dataset = written(layout)
    made = preparation.prepare(dataset, tmp_path / "store", SIZE, workers=2)
    for split in ("train", "test"):
        stored = made.split(split)
        videos = dataset.split(split)
        assert stored.names == [video.name for video in videos]
        assert stored.frame_counts == [14] * len(videos)
        assert stored.size == SIZE
        for place, video in enumerate(videos):
            wanted = [
                cv2.resize(frame[..., 0], SIZE[::-1])
                for frame in footage.read_frames(video)
            ]
            found = stored.read(place, 0, 14)
            # What holds no colour is stored once, whatever the file says.
            assert found.shape == (14, *SIZE, 1)
            np.testing.assert_array_equal(found[..., 0], np.stack(wanted))


def test_colour_is_stored(tmp_path, coloured):
    root = tmp_path / "own"
    # The first frames are gray: it shows only later that there is colour.
    frames = coloured.train[0].frames.copy()
    frames[:5] = frames[:5, ..., :1]
    media.write_video(root / "a.avi", frames)
    made = preparation.prepare(
        layouts.recognise(root), tmp_path / "store", frames.shape[1:3]
    )
    np.testing.assert_array_equal(made.split("test").read(0, 0, 12), frames)


def test_a_second_run_writes_nothing(written, tmp_path):
    dataset, folder = written("ucsd"), tmp_path / "store"
    preparation.prepare(dataset, folder, SIZE)
    stamps = {p: p.stat().st_mtime_ns for p in folder.rglob("*.frames")}
    assert len(stamps) == 5
    seen = []
    preparation.prepare(
        dataset, folder, SIZE, progress=lambda *done: seen.append(done)
    )
    assert seen[-1] == (70, 70)
    assert stamps == {p: p.stat().st_mtime_ns for p in folder.rglob("*.frames")}


def test_only_what_changed_is_made_anew(written, tmp_path):
    dataset, folder = written("ucsd"), tmp_path / "store"
    made = preparation.prepare(dataset, folder, SIZE)
    assert made.stale(dataset) == []
    before = contents(folder)
    frame = dataset.root / "Train/Train001/003.tif"
    media.write_images(
        frame.parent, [np.full((48, 64, 1), 9, np.uint8)], "{:03d}.tif", 3
    )
    shutil.rmtree(dataset.root / "Test/Test003")
    (dataset.root / "Test/Test002").rename(dataset.root / "Test/Test009")
    changed = layouts.recognise(dataset.root)
    lines = made.stale(changed)
    assert len(lines) == 4
    assert "Train001: changed since it was stored" in lines[0]
    assert "Test009: not in the store" in lines[1]
    assert "test/Test002: in the store, and its source is gone" in lines[2]
    made = preparation.prepare(changed, folder, SIZE)
    assert made.stale(changed) == []
    after = contents(folder)
    differ = {name for name in after if after[name] != before.get(name)}
    assert differ == {
        "manifest.json",
        "train/Train001.frames",
        "test/Test009.frames",
    }
    assert set(before) - set(after) == {
        "test/Test002.frames",
        "test/Test003.frames",
    }
    assert (made.split("train").read(0, 2, 3) == 9).all()


def stored_motion(folder, entry):
    found = np.fromfile(folder / entry.motion_path, MOTION_TYPE)
    return found.reshape(entry.frames, *entry.cells)


@pytest.mark.parametrize("layout", ["ucsd", "own"])
def test_the_motion_is_that_of_frames_in_their_own_size(
    written, tmp_path, layout
):
    dataset = written(layout)
    made = preparation.prepare(dataset, tmp_path / "store", SIZE, motion=True)
    for video, entry in zip(dataset.videos, made.manifest.entries, strict=True):
        wanted = cells(video)
        assert entry.motion and wanted[0].max() == 0 < wanted[1:].max()
        np.testing.assert_array_equal(stored_motion(made.folder, entry), wanted)
    # The frames are those of a store without.
    plain = preparation.prepare(dataset, tmp_path / "plain", SIZE)
    assert not any(entry.motion for entry in plain.manifest.entries)
    ours, theirs = contents(made.folder), contents(plain.folder)
    differ = {name for name in ours if ours[name] != theirs.get(name)}
    assert differ == {
        "manifest.json",
        *(str(entry.motion_path) for entry in made.manifest.entries),
    }


def test_the_motion_of_a_video_that_turns_out_coloured(tmp_path, coloured):
    """Which is read twice; the motion is noted once."""
    frames = coloured.train[0].frames.copy()
    frames[:5] = frames[:5, ..., :1]
    media.write_video(tmp_path / "own" / "a.avi", frames)
    dataset = layouts.recognise(tmp_path / "own")
    made = preparation.prepare(dataset, tmp_path / "store", SIZE, motion=True)
    np.testing.assert_array_equal(
        stored_motion(made.folder, made.manifest.entries[0]),
        cells(dataset.videos[0]),
    )


def test_motion_is_added_kept_and_forgotten(written, tmp_path):
    dataset, folder = written("ucsd"), tmp_path / "store"
    preparation.prepare(dataset, folder, SIZE)
    made = preparation.prepare(dataset, folder, SIZE, motion=True)
    assert all(entry.motion for entry in made.manifest.entries)
    with_motion = contents(folder)
    # Kept by a run that does not ask for it.
    again = preparation.prepare(dataset, folder, SIZE)
    assert again.manifest == made.manifest
    assert contents(folder) == with_motion
    # What was cut short is made anew.
    path = folder / made.manifest.entries[0].motion_path
    path.write_bytes(path.read_bytes()[:-1])
    preparation.prepare(dataset, folder, SIZE, motion=True)
    assert contents(folder) == with_motion
    # That of another source goes.
    frame = dataset.root / "Train/Train001/003.tif"
    media.write_images(
        frame.parent, [np.full((48, 64, 1), 9, np.uint8)], "{:03d}.tif", 3
    )
    made = preparation.prepare(dataset, folder, SIZE)
    assert [e.motion for e in made.manifest.entries] == [False] + 4 * [True]
    assert not path.exists()


def test_another_size_makes_it_anew(written, tmp_path):
    dataset, folder = written("own"), tmp_path / "store"
    preparation.prepare(dataset, folder, SIZE)
    made = preparation.prepare(dataset, folder, (16, 16))
    assert made.split("train").read(0, 0, 1).shape == (1, 16, 16, 1)


def test_a_bad_video_stops_or_is_skipped_and_named(written, tmp_path):
    dataset = written("ucsd")
    frame = dataset.root / "Train/Train002/005.tif"
    frame.write_bytes(frame.read_bytes()[:400])
    with pytest.raises(ValueError, match=r"Train002/005\.tif: not a readable"):
        preparation.prepare(dataset, tmp_path / "store", SIZE)
    made = preparation.prepare(dataset, tmp_path / "store", SIZE, skip_bad=True)
    assert made.split("train").names == ["Train001"]
    (line,) = made.manifest.skipped
    assert "Train002/005.tif: not a readable image" in line
    assert manifest_counts(made.manifest) == {
        "videos": 4,
        "frames": 56,
        "bytes": 56 * 24 * 32,
        "skipped": 1,
    }


def test_nothing_but_bad_videos(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own/a.avi").write_bytes(b"no video")
    dataset = layouts.recognise(tmp_path / "own")
    with pytest.raises(ValueError, match="every video is bad"):
        preparation.prepare(dataset, tmp_path / "store", SIZE, skip_bad=True)


def test_bad_arguments(written, tmp_path):
    dataset = written("own")
    with pytest.raises(ValueError, match=r"size=\(0, 4\)"):
        preparation.prepare(dataset, tmp_path / "store", (0, 4))
    with pytest.raises(ValueError, match="workers=0"):
        preparation.prepare(dataset, tmp_path / "store", SIZE, workers=0)
    (tmp_path / "home").mkdir()
    (tmp_path / "home/letters.txt").touch()
    with pytest.raises(ValueError, match=r"folder of its own.*letters\.txt"):
        preparation.prepare(dataset, tmp_path / "home", SIZE)


def test_a_data_set_is_no_store(written):
    dataset = written("own")
    with pytest.raises(ValueError, match=r"folder of its own.*test/01"):
        preparation.prepare(dataset, dataset.root, SIZE)


def test_somebodys_files_in_a_store_stay(written, tmp_path):
    dataset, folder = written("own"), tmp_path / "store"
    made = preparation.prepare(dataset, folder, SIZE)
    mine = [
        tmp_path / "elsewhere" / "a.frames",
        folder / "mine" / "a.motion",
        folder / "mine" / "film.partial",
        folder / "mine" / ".partial-thesis",
        folder / "train" / "film.partial",
    ]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    # What it does remove, where something changes.
    other = folder / "train" / "another.frames"
    other.touch()
    (folder / made.manifest.entries[0].path).write_bytes(b"cut short")
    preparation.prepare(dataset, folder, SIZE)
    assert not other.exists()
    assert [path.read_text() for path in mine] == ["mine"] * len(mine)


def test_a_manifest_that_lies_elsewhere_is_refused(written, tmp_path):
    folder = tmp_path / "store"
    preparation.prepare(written("own"), folder, SIZE)
    (folder / MANIFEST).rename(tmp_path / "m.json")
    (folder / MANIFEST).symlink_to(tmp_path / "m.json")
    with pytest.raises(ValueError, match=r"manifest\.json: a link must not"):
        read_manifest(folder)
