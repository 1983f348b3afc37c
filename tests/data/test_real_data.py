"""What only real data can show; skipped where there is none."""

import itertools
import shutil

import cv2
import numpy as np
import pytest

from lgn_tf.data import verification
from lgn_tf.data.datasets import labels, layouts, masks
from lgn_tf.data.video import decoding, footage, preprocessing
from lgn_tf.files import media


@pytest.fixture(scope="module")
def ped2(real_data):
    return layouts.recognise(real_data / "ped2")


def test_ped2_is_all_right(ped2):
    report = verification.verify(ped2, "ped2")
    assert report.problems == []
    assert {row.check: row.found for row in report.rows}.items() >= {
        ("training frames", "2550"),
        ("test frames", "2010"),
        ("scored frames", "1962"),
        ("abnormal frames, labels frame-pred", "1648"),
        ("abnormal frames, labels ucsd", "1648"),
    }


def test_scored_labels_of_ped2(ped2):
    counts = {v.name: len(v.frame_files()) for v in ped2.split("test")}
    scored = [
        labels.align(one, 4)
        for one in labels.read_ground_truth(ped2, counts).values()
    ]
    assert sum(map(len, scored)) == 1962
    assert sum(int(one.sum()) for one in scored) == 1620


def test_decoding_equals_opencv_and_resizing_to_one_level(ped2):
    import tensorflow as tf

    for video in ped2.videos[::5]:
        for path in video.frame_files()[::60]:
            wanted = cv2.imread(str(path))
            found = decoding.decode(path.read_bytes(), str(path))
            np.testing.assert_array_equal(found, wanted)
            tensor = decoding.decode_tensor(
                tf.io.read_file(str(path)), path.suffix
            )
            np.testing.assert_array_equal(tensor.numpy(), wanted)
            resized = preprocessing.resize(tensor, (256, 256)).numpy()
            exact = cv2.resize(wanted, (256, 256)).astype(int)
            assert np.abs(resized - exact).max() <= 1
            scaled = preprocessing.to_float(resized)
            authors = (exact.astype(np.float32) / 127.5) - 1
            np.testing.assert_allclose(scaled, authors, atol=1.01 / 127.5)


def test_ped2_as_the_archive_has_it(ped2, tmp_path):
    """The same frames as TIFF files, with the archive's labels and junk."""
    root = tmp_path / "UCSDped2"
    wanted = []
    for split, video in (
        ("Train", ped2.split("train")[0]),
        *(("Test", video) for video in ped2.split("test")),
    ):
        folder = root / split / f"{split}0{video.name}"
        gray = [frame[..., :1] for frame in footage.read_frames(video)]
        media.write_images(folder, gray, "{:03d}.tif", 1)
        (folder / "._001.tif").write_bytes(b"junk")
        if video.mask:
            masked = masks.read_masks(video).astype(np.uint8) * 255
            gt = folder.with_name(folder.name + "_gt")
            media.write_images(gt, masked, "{:03d}.bmp", 1)
        wanted.append(np.stack(gray))
    script = ped2.root / "testing/UCSDped2.m"
    shutil.copy(script, root / "Test/UCSDped2.m")
    (root / "Test/UCSDped2.m~").write_text("junk")
    # The folder above is what unpacking leaves.
    found = layouts.recognise(tmp_path)
    assert (found.layout, found.root) == ("ucsd", root)
    for video, gray in zip(found.videos, wanted, strict=True):
        stored = np.stack(list(footage.read_frames(video)))
        np.testing.assert_array_equal(stored, gray)
    report = verification.verify(found, "ped2")
    # One training video of sixteen was written; all else is as published.
    assert [p.partition(":")[0] for p in report.problems] == [
        "training videos",
        "training frames",
    ]


@pytest.mark.parametrize("number", [8, 18, 20, 21])
def test_avenue_masks_have_the_frames_they_should(real_data, number):
    dataset = layouts.recognise(real_data / "avenue_masks")
    report = verification.verify(dataset, "avenue")
    (row,) = [r for r in report.rows if f" {number}_label.mat" in r.check]
    assert row.good
    assert row.found == row.expected != ""


def test_avenue_videos_with_real_masks(real_data, tmp_path):
    """Videos of the frame counts and the size that the real masks have."""
    counts = {"08": 36, "18": 294, "20": 273, "21": 76}
    abnormal = {"08": 36, "18": 294, "20": 154, "21": 53}
    truth = tmp_path / "ground_truth_demo/testing_label_mask"
    shutil.copytree(real_data / "avenue_masks", truth)
    for name, count in counts.items():
        frames_ = np.zeros((count, 360, 640, 1), np.uint8)
        frames_ += np.arange(count, dtype=np.uint8)[:, None, None, None]
        path = tmp_path / f"testing_videos/{name}.avi"
        media.write_video(path, frames_, "MJPG")
    dataset = layouts.recognise(tmp_path)
    report = verification.verify(dataset)
    assert report.problems == []
    found = labels.read_ground_truth(dataset, counts)
    assert {n: int(one.sum()) for n, one in found.items()} == abnormal


def test_umn_is_all_right(real_data):
    dataset = layouts.recognise(real_data / "umn")
    assert dataset.layout == "umn"
    report = verification.verify(dataset, "umn")
    assert report.problems == []
    assert {row.check: row.found for row in report.rows}.items() >= {
        ("training frames", "3631"),
        ("test frames", "3772"),
        ("frame size", "240 x 320"),
        ("abnormal frames, labels csv", "1163"),
    }


def test_umn_is_cut_at_60_percent_of_what_is_normal(real_data):
    """Counted once more, from the table: 509 normal frames, and so on."""
    dataset = layouts.recognise(real_data / "umn")
    before = [509, 679, 329, 569, 529, 455, 744, 374, 554, 577, 739]
    cuts = [video.stop for video in dataset.split("train")]
    assert cuts == [int(0.6 * count + 1e-9) for count in before]
    assert cuts == [video.start for video in dataset.split("test")]
    video = dataset.split("test")[0]
    whole = itertools.islice(footage.read_video(video.source), cuts[0], None)
    np.testing.assert_array_equal(next(footage.read_frames(video)), next(whole))
