"""UMN on a drawn copy: its split, its labels, and a whole run."""

import json

import numpy as np
import pytest

from lgn_tf.cli import main
from lgn_tf.data import verification
from lgn_tf.data.datasets import archives, kinds, labels, layouts
from lgn_tf.data.store import preparation, store
from lgn_tf.data.video import footage
from lgn_tf.files import media


@pytest.fixture
def copy(tmp_path, walkway):
    """Three clips of 28 frames: 14 of a training video, 14 of a test video."""
    archives.write_drawn(walkway, tmp_path / "umn", "umn")
    return layouts.recognise(tmp_path / "umn")


@pytest.fixture
def clips(walkway):
    """The frames and the labels of each clip."""
    normal = [walkway.train[place % 2] for place in range(3)]
    return [
        (
            np.concatenate([before.frames, after.frames]),
            np.concatenate([before.labels, after.labels]),
        )
        for before, after in zip(normal, walkway.test, strict=True)
    ]


def test_each_clip_is_cut_before_its_first_abnormal_frame(copy, clips):
    assert copy.layout == "umn"
    train, test = copy.split("train"), copy.split("test")
    assert [video.name for video in train] == ["Trim1", "Trim2", "Trim3"]
    assert [video.name for video in test] == ["Trim1", "Trim2", "Trim3"]
    for before, after, (frames, marks) in zip(train, test, clips, strict=True):
        normal = int(np.flatnonzero(marks)[0])
        cut = int(0.6 * normal + 1e-9)
        fitted = np.stack(list(footage.read_frames(before)))
        tested = np.stack(list(footage.read_frames(after)))
        np.testing.assert_array_equal(fitted[..., :1], frames[:cut])
        np.testing.assert_array_equal(tested[..., :1], frames[cut:])


def test_labels_and_kinds_are_those_of_the_test_part(copy, clips, walkway):
    test = copy.split("test")
    counts = {video.name: 28 - video.start for video in test}
    found = labels.read_ground_truth(copy, counts)
    shown = kinds.kinds_of(copy, counts, found)
    for video, (_, marks), clip in zip(test, clips, walkway.test, strict=True):
        expected = marks[video.start :]
        np.testing.assert_array_equal(found[video.name], expected)
        np.testing.assert_array_equal(shown[video.name][clip.kind], expected)


def test_a_part_is_the_same_from_a_store_and_on_the_fly(copy, tmp_path):
    made = preparation.prepare(copy, tmp_path / "store", (16, 24))
    for split in ("train", "test"):
        videos = copy.split(split)
        stored, encoded = made.split(split), footage.Encoded(videos, (16, 24))
        assert stored.frame_counts == encoded.frame_counts
        for place, count in enumerate(stored.frame_counts):
            assert footage.promised_frames(videos[place]) == count
            np.testing.assert_array_equal(
                # A store keeps one channel of gray frames.
                stored.read(place, 2, count),
                encoded.read(place, 2, count)[..., :1],
            )


def test_who_scores_a_folder_gets_whole_clips(copy):
    found = layouts.videos_at(copy.root)
    assert [video.name for video in found] == ["Trim1", "Trim2", "Trim3"]
    assert [len(list(footage.read_frames(one))) for one in found] == [28] * 3
    # Given twice it is still one video, in one table.
    again = layouts.videos_at(copy.root, copy.root / "Trim1.avi")
    assert [video.source for video in again] == [one.source for one in found]


def test_another_cut_makes_the_store_stale(copy, tmp_path):
    made = preparation.prepare(copy, tmp_path / "store", (16, 24))
    assert made.stale(copy) == []
    path = copy.root / "labels.csv"
    rows = path.read_text().splitlines()
    path.write_text("\n".join([*rows, "Trim1,6,6"]))
    lines = store.open_store(made.folder).stale(layouts.recognise(copy.root))
    assert (
        lines == [f"{copy.root / 'Trim1.avi'}: changed since it was stored"] * 2
    )


def test_a_clip_without_labels_is_named(copy):
    path = copy.root / "labels.csv"
    path.write_text("video,start,end\nTrim1,9,12\nTrim3,20,21\n")
    with pytest.raises(ValueError, match=r"labels\.csv: must say.*of Trim2"):
        layouts.recognise(copy.root)
    own = layouts.recognise(copy.root, layout="own")
    assert {video.split for video in own.videos} == {"all"}


def test_other_videos_beside_the_clips_are_a_second_layout(copy, walkway):
    media.write_video(copy.root / "mine.avi", walkway.train[0].frames)
    with pytest.raises(ValueError, match=r"one layout.*umn.*own"):
        layouts.recognise(copy.root)


def test_a_clip_that_begins_abnormal_is_test_throughout(copy):
    path = copy.root / "labels.csv"
    path.write_text("video,start,end\nTrim1,1,2\nTrim2,12,12\nTrim3,20,21\n")
    found = layouts.recognise(copy.root)
    assert [video.name for video in found.split("train")] == ["Trim2", "Trim3"]
    assert found.split("test")[0].start == 0


@pytest.mark.slow
def test_from_verifying_to_evaluating(copy, tmp_path, capsys):
    root = ("--data-root", str(copy.root))
    assert verification.verify(copy).problems == []
    assert main.main(["verify", "--dataset", "umn", *root]) == 2
    shown = capsys.readouterr().out
    assert "training videos: must be 11. Found there: 3" in shown
    run_dir = tmp_path / "runs" / "a"
    flags = (
        *("--runs", str(tmp_path / "runs"), "--name", "a"),
        *("--stores", str(tmp_path / "stores"), "--holdout", "1"),
        *("--variant", "glo_net", "--image-size", "16", "24"),
        *("--channels", "1", "--frames", "2", "--width", "0.0625"),
        *("--memory-items", "3", "--batch-size", "4", "--epochs", "1"),
    )
    assert main.main(["train", "--dataset", "umn", *root, *flags]) == 0
    assert main.main(["evaluate", str(run_dir)]) == 0
    results = json.loads((run_dir / "evaluation" / "results.json").read_text())
    assert results["provenance"]["dataset"] == "umn"
    assert results["provenance"]["weight_origin"] == "as configured"
    parts = [28 - video.start for video in copy.split("test")]
    assert results["scored_frames"] == sum(parts) - 3 * 2
