import numpy as np
import pytest
import scipy.io

from lgn_tf.cli import main
from lgn_tf.data import verification
from lgn_tf.data.datasets import frame_folders, labels, layouts
from lgn_tf.files import media
from tests.helpers.drawn_layouts import WHOLE


def rows(report):
    return {row.check: row for row in report.rows}


@pytest.mark.parametrize("layout", WHOLE)
def test_a_good_copy_in_every_layout(written, walkway, layout):
    report = verification.verify(written(layout))
    assert report.problems == []
    found = rows(report)
    assert found["training frames"].found == "28"
    assert found["test frames"].found == "42"
    assert found["scored frames"].found == "30"
    assert found["frame size"].found == "48 x 64"
    assert found["masks"].found == "3 videos"
    abnormal = str(sum(int(clip.labels.sum()) for clip in walkway.test))
    (check,) = [name for name in found if name.startswith("abnormal")]
    assert found[check].found == abnormal


def only_problem(dataset):
    report = verification.verify(layouts.recognise(dataset.root))
    (problem,) = report.problems
    assert sum(not row.good for row in report.rows) == 1
    return problem


def test_a_missing_frame(written):
    dataset = written("ucsd")
    (dataset.root / "Train/Train001/005.tif").unlink()
    assert "Train001: no frame 5" in only_problem(dataset)


def test_an_unreadable_frame(written):
    dataset = written("ucsd")
    (dataset.root / "Train/Train001/005.tif").write_bytes(b"II*\0")
    problem = only_problem(dataset)
    assert "Train001/005.tif: not a readable image" in problem


def test_a_frame_of_another_size(written):
    dataset = written("ucsd")
    picture = np.zeros((1, 47, 64, 1), np.uint8)
    media.write_images(
        dataset.root / "Train/Train002", picture, "{:03d}.tif", 9
    )
    assert "Train002/009.tif: all frames" in only_problem(dataset)


def test_masks_that_are_too_few(written):
    dataset = written("ucsd")
    (dataset.root / "Test/Test002_gt/014.bmp").unlink()
    problem = only_problem(dataset)
    assert "Test002_gt: must hold 14 masks, one a frame" in problem


def test_masks_of_another_size(written):
    dataset = written("shanghaitech")
    path = dataset.root / "testing/test_pixel_mask/01_0002.npy"
    np.save(path, np.load(path)[:, :-2])
    assert "01_0002.npy: masks must be of the fr" in only_problem(dataset)


def test_masks_and_labels_that_disagree(written):
    dataset = written("shanghaitech")
    path = dataset.root / "testing/test_frame_mask/01_0001.npy"
    np.save(path, 1 - np.load(path))
    problem = only_problem(dataset)
    assert "01_0001.npy: masks and labels must agree" in problem
    assert "14 frames: 1, 2, 3, 4, 5 ..." in problem


def test_labels_of_another_length(written):
    dataset = written("avenue")
    path = dataset.root / "ground_truth_demo/testing_label_mask/3_label.mat"
    masks = scipy.io.loadmat(path)["volLabel"]
    scipy.io.savemat(path, {"volLabel": masks[:, :-1]})
    report = verification.verify(dataset)
    assert len(report.problems) == 2
    assert (
        "3_label.mat: must hold one label for each of the 14 frames"
        in (report.problems[0])
    )
    assert "3_label.mat: must hold 14 masks" in report.problems[1]


def test_a_video_shorter_than_a_clip(written):
    dataset = written("own")
    media.write_video(
        dataset.root / "train/short.avi", np.zeros((4, 48, 64, 1), np.uint8)
    )
    assert "short.avi: a clip takes 5 frames. Found" in only_problem(dataset)


def test_a_video_of_five_frames_and_a_constant_one(written):
    dataset = written("own")
    media.write_video(
        dataset.root / "train/black.avi", np.zeros((5, 48, 64, 1), np.uint8)
    )
    report = verification.verify(layouts.recognise(dataset.root))
    assert report.problems == []


def test_two_ground_truths_may_differ_and_it_is_shown(written, walkway):
    dataset = written("avenue")
    frame_folders.write_intervals(
        dataset.root / "avenue.mat", walkway.test[::-1]
    )
    report = verification.verify(layouts.recognise(dataset.root))
    assert report.problems == []
    drawn = [clip.labels for clip in walkway.test]
    differ = sum(
        int((one != other).sum())
        for one, other in zip(drawn, drawn[::-1], strict=True)
    )
    check = "frames where avenue-masks and frame-pred differ"
    assert rows(report)[check].found == str(differ) != "0"


def test_masks_are_compared_with_the_labels_of_the_archive(written, walkway):
    """Those of later publications come first, and may differ."""
    root = written("frame-pred").root
    frame_folders.write_intervals(root / "synthetic.mat", walkway.test[::-1])
    spans = [labels.to_intervals(clip.labels) for clip in walkway.test]
    lines = [
        "x.gt_frame = [" + ", ".join(f"{a}:{b}" for a, b in one) + "];"
        for one in spans
    ]
    (root / "testing/archive.m").write_text("\n".join(lines))
    dataset = layouts.recognise(root)
    versions = [one.version for one in dataset.ground_truths]
    assert versions == ["frame-pred", "ucsd"]
    report = verification.verify(dataset)
    assert report.problems == []
    assert rows(report)["frames where frame-pred and ucsd differ"].found != "0"


def test_published_numbers_name_what_is_off(written):
    report = verification.verify(written("avenue"), "avenue")
    assert "training videos: must be 16. Found there: 2" in report.problems
    assert "test frames: must be 15324. Found there: 42" in report.problems
    with pytest.raises(ValueError, match="dataset='ped3'"):
        verification.verify(written("ucsd"), "ped3")


def test_published_numbers_agree_with_each_other():
    for numbers in verification.datasets_with_numbers().values():
        assert numbers.scored == numbers.test_frames - 4 * numbers.test_videos
        if numbers.test_counts:
            assert len(numbers.test_counts) == numbers.test_videos
            assert sum(numbers.test_counts) == numbers.test_frames


def test_commands_from_drawing_to_the_store(tmp_path, capsys):
    root, out = str(tmp_path / "drawn"), str(tmp_path / "store")
    draw = "--layout avenue --train 2 --test 2 --frames 20".split()
    assert main.main(["synthesize", "--out", root, *draw]) == 0
    assert "frame AUC without a model" in capsys.readouterr().out
    assert main.main(["verify", "--data-root", root]) == 0
    shown = capsys.readouterr().out
    assert "layout avenue, 2 training and 2 test videos" in shown
    assert "OFF" not in shown
    prepare = ["prepare", "--data-root", root, "--out", out]
    assert main.main([*prepare, "--image-size", "16", "24"]) == 0
    assert "4 videos, 80 frames, 30720 bytes" in capsys.readouterr().out
    assert main.main([*prepare, "--check"]) == 0
    (tmp_path / "drawn/training_videos/02.avi").unlink()
    assert main.main([*prepare, "--check"]) == 2
    captured = capsys.readouterr()
    assert "train/02: in the store, and its source is gone" in captured.out
    assert "1 videos are stale" in captured.err


def test_commands_on_bad_input(tmp_path, capsys):
    assert main.main(["verify", "--data-root", str(tmp_path)]) == 2
    assert "no videos and no frames" in capsys.readouterr().err
    media.write_images(
        tmp_path / "a", np.zeros((3, 8, 8, 1), np.uint8), "{}.png", 0
    )
    assert main.main(["verify", "--data-root", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert "OFF" in captured.out
    assert "a clip takes 5 frames. Found there: 3" in captured.out
    assert "1 things are off" in captured.err
    (tmp_path / "b.avi").write_bytes(b"no video")
    prepare = ["prepare", "--data-root", str(tmp_path), "--image-size", "8"]
    out = ["8", "--out", str(tmp_path / "store"), "--skip-bad"]
    assert main.main(prepare + out) == 0
    assert "b.avi: not a readable video" in capsys.readouterr().out
