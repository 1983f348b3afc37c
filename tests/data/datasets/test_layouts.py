import shutil

import cv2
import numpy as np
import pytest

from lgn_tf.data.datasets import (
    archives,
    frame_folders,
    label_files,
    labels,
    layouts,
    masks,
)
from lgn_tf.data.video import footage
from lgn_tf.files import media
from tests.helpers.drawn_layouts import WHOLE

EXACT = ("ucsd", "avenue", "own")


@pytest.mark.parametrize("layout", WHOLE)
def test_what_is_written_is_recognised(written, walkway, layout):
    dataset = written(layout)
    assert dataset.layout == layout
    for split in ("train", "test"):
        found, drawn = dataset.split(split), getattr(walkway, split)
        assert len(found) == len(drawn)
        for video, clip in zip(found, drawn, strict=True):
            frames = np.stack(list(footage.read_frames(video)))
            assert frames.shape[:3] == clip.frames.shape[:3]
            off = np.abs(frames.astype(int) - clip.frames).max()
            # JPEG loses a little, the others nothing.
            lossless = layout in EXACT or video.is_file
            assert off == 0 if lossless else off < 40


@pytest.mark.parametrize("layout", WHOLE)
def test_labels_and_masks_come_back(written, walkway, layout):
    dataset = written(layout)
    counts = {video.name: 14 for video in dataset.split("test")}
    found = labels.read_ground_truth(dataset, counts)
    for video, clip in zip(dataset.split("test"), walkway.test, strict=True):
        np.testing.assert_array_equal(found[video.name], clip.labels)
        np.testing.assert_array_equal(masks.read_masks(video), clip.masks)


def test_junk_in_the_archive_changes_nothing(written):
    before = written("ucsd")
    test = before.root / "Test"
    for junk in (
        test / ".DS_Store",
        test / "synthetic.m~",
        test / "Test001/._001.tif",
        test / "Test001/.DS_Store",
        test / "Test001_gt/._001.bmp",
        before.root / "Train/._Train001",
    ):
        junk.write_bytes(b"junk")
    after = layouts.recognise(before.root)
    assert after == before
    assert len(after.split("test")[0].frame_files()) == 14


def test_the_folder_above_an_archive_is_enough(written):
    dataset = written("avenue")
    folder = dataset.root / "Avenue Dataset"
    folder.mkdir()
    for name in ("training_videos", "testing_videos"):
        shutil.move(dataset.root / name, folder / name)
    # The ground truth is an archive of its own, unpacked beside it.
    found = layouts.recognise(dataset.root)
    assert found.root == folder
    assert [video.mask.name for video in found.split("test")] == [
        "1_label.mat",
        "2_label.mat",
        "3_label.mat",
    ]


def test_both_ground_truths_of_avenue(written, walkway):
    dataset = written("avenue")
    frame_folders.write_intervals(
        dataset.root / "avenue.mat", walkway.test[::-1]
    )
    found = layouts.recognise(dataset.root)
    assert [t.version for t in found.ground_truths] == [
        "avenue-masks",
        "frame-pred",
    ]
    counts = {video.name: 14 for video in found.split("test")}
    official = labels.read_ground_truth(found, counts)
    later = labels.read_ground_truth(found, counts, "frame-pred")
    np.testing.assert_array_equal(official["01"], walkway.test[0].labels)
    np.testing.assert_array_equal(later["01"], walkway.test[2].labels)


def test_ground_truth_without_a_video_is_named(written):
    dataset = written("avenue")
    (dataset.root / "testing_videos/02.avi").unlink()
    found = layouts.recognise(dataset.root)
    assert [video.mask.name for video in found.strays] == ["2_label.mat"]


def test_labels_given_by_hand_come_first(written, tmp_path):
    root = written("frame-pred").root
    array = tmp_path / "frame_labels_x.npy"
    np.save(array, np.zeros((1, 42)))
    found = layouts.recognise(root, labels=array)
    assert found.ground_truths[0] == label_files.label_file(array)
    assert found.ground_truths[0].version == "mnad"
    with pytest.raises(ValueError, match=r"`labels` must be.*x\.txt"):
        layouts.recognise(root, labels=tmp_path / "x.txt")


def test_two_label_files_of_one_kind(written):
    root = written("frame-pred").root
    shutil.copy(root / "synthetic.mat", root / "other.mat")
    with pytest.raises(ValueError, match=r"other\.mat and synthetic\.mat"):
        layouts.recognise(root)
    found = layouts.recognise(root, labels=root / "other.mat")
    assert [truth.path.name for truth in found.ground_truths] == ["other.mat"]


def test_own_folders_of_frames_side_by_side(tmp_path, walkway):
    for name in ("b", "a10", "a9"):
        frames = walkway.train[0].frames
        media.write_images(tmp_path / name, frames, "{}.png", 1)
    found = layouts.recognise(tmp_path)
    assert found.layout == "own"
    assert [video.name for video in found.videos] == ["a9", "a10", "b"]
    assert found.split("train") == found.split("test") == found.videos


@pytest.mark.parametrize("as_file", [True, False])
def test_one_video_of_ones_own(tmp_path, walkway, as_file):
    frames = walkway.train[0].frames
    if as_file:
        root = tmp_path / "street.avi"
        media.write_video(root, frames)
    else:
        root = tmp_path / "street"
        media.write_images(root, frames, "{}.png", 0)
    (video,) = layouts.recognise(root).videos
    assert video.name == "street"
    assert len(list(footage.read_frames(video))) == 14


def test_one_video_with_labels_beside_it(tmp_path, walkway):
    root = tmp_path / "street.avi"
    media.write_video(root, walkway.train[0].frames)
    (tmp_path / "labels.csv").write_text("video,start,end\nstreet,2,4\n")
    found = layouts.recognise(root)
    assert labels.read_ground_truth(found, {"street": 14})["street"].sum() == 3


def test_folders_of_frames_with_dots_in_their_names(tmp_path, walkway):
    for name in ("v1.2", "street.avi"):
        frames = walkway.train[0].frames
        media.write_images(tmp_path / name, frames, "{}.png", 0)
    found = layouts.recognise(tmp_path)
    assert [video.name for video in found.videos] == ["street.avi", "v1.2"]
    assert not any(video.is_file for video in found.videos)
    (video,) = layouts.recognise(tmp_path / "v1.2").videos
    assert video.name == "v1.2"


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere: no such"):
        layouts.recognise(tmp_path / "nowhere")


def test_an_empty_folder(tmp_path):
    with pytest.raises(ValueError, match=r"no videos and no frames.*nothing"):
        layouts.recognise(tmp_path)


def test_two_layouts_in_one_folder(written):
    root = written("frame-pred").root
    shutil.copytree(root / "training/frames", root / "training_videos")
    video = np.zeros((3, 32, 32, 3), np.uint8)
    media.write_video(root / "training_videos/01.avi", video)
    with pytest.raises(ValueError, match=r"one layout.*avenue.*frame-pred"):
        layouts.recognise(root)
    assert layouts.recognise(root, layout="avenue").layout == "avenue"


def test_videos_of_ones_own_beside_a_layout(written):
    root = written("ucsd").root
    video = np.zeros((3, 32, 32, 3), np.uint8)
    media.write_video(root / "mine.avi", video)
    with pytest.raises(ValueError, match=r"one layout.*ucsd.*own"):
        layouts.recognise(root)


def test_frames_and_videos_of_the_same_training_set(written):
    root = written("shanghaitech").root
    picture = np.zeros((1, 8, 8, 1), np.uint8)
    media.write_images(root / "training/frames/01", picture, "{}.png", 0)
    with pytest.raises(ValueError, match=r"shanghaitech.*frame-pred"):
        layouts.recognise(root)


def test_a_video_behind_a_link_that_leaves_the_root(written, tmp_path):
    root = written("ucsd").root
    outside = tmp_path / "outside"
    shutil.move(root / "Train/Train002", outside)
    (root / "Train/Train002").symlink_to(outside)
    with pytest.raises(ValueError, match=r"Train002: a link must not leave"):
        layouts.recognise(root)


def test_labels_behind_a_link_that_leaves_the_root(written, tmp_path):
    root = written("frame-pred").root
    outside = tmp_path / "outside.mat"
    shutil.move(root / "synthetic.mat", outside)
    (root / "synthetic.mat").symlink_to(outside)
    with pytest.raises(ValueError, match=r"synthetic\.mat: a link must not"):
        layouts.recognise(root)


def test_two_videos_of_one_name(tmp_path, walkway):
    frames = walkway.train[0].frames
    media.write_video(tmp_path / "a.avi", frames)
    media.write_images(tmp_path / "a", frames, "{}.png", 0)
    with pytest.raises(ValueError, match="Received twice: 'a'"):
        layouts.recognise(tmp_path)


def test_an_unknown_layout_and_split(written, tmp_path):
    with pytest.raises(ValueError, match="Received: layout='ped3'"):
        layouts.recognise(tmp_path, layout="ped3")
    with pytest.raises(ValueError, match="Received: split='val'"):
        written("own").split("val")


def test_colour_survives_every_way_to_disk(tmp_path, coloured):
    for layout in EXACT:
        archives.write_drawn(coloured, tmp_path / layout, layout)
        video = layouts.recognise(tmp_path / layout).split("train")[0]
        first = next(footage.read_frames(video))
        np.testing.assert_array_equal(first, coloured.train[0].frames[0])
    assert cv2.imread(str(tmp_path / "ucsd/Train/Train001/001.tif")).ndim == 3


def test_writing_refuses_what_it_must(tmp_path, walkway):
    (tmp_path / "x").touch()
    with pytest.raises(ValueError, match="must be empty"):
        archives.write_drawn(walkway, tmp_path, "own")
    with pytest.raises(ValueError, match="Received: layout='zip'"):
        archives.write_drawn(walkway, tmp_path / "new", "zip")


@pytest.mark.parametrize(
    "name", ["a\nb", "a\x1b[2Jb", "a\udcffb", "x" * 231, "ä" * 116]
)
def test_names_that_no_file_can_have_are_refused(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "0.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"must be printable, in UTF-8"):
        layouts.recognise(tmp_path)


@pytest.mark.parametrize("name", ["x.partial", "x" * 230, "[bold]", "=cmd|x"])
def test_names_that_are_unusual_are_names(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "0.png").write_bytes(b"")
    [video] = layouts.recognise(tmp_path).videos
    assert video.name == name
