"""UCSD Ped1 on a drawn copy: its layout is Ped2's, and masks are partial."""

import json
import shutil

import numpy as np
import pytest

from lgn_tf.cli import main
from lgn_tf.data import verification
from lgn_tf.data.datasets import archives, labels, layouts, masks
from lgn_tf.data.datasets.presets import PRESETS, lite
from lgn_tf.data.datasets.registry import DATASETS
from lgn_tf.data.synthetic import walkways

WITH_MASKS = 10


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """All 34 and 36 clips, of few and small frames; ten clips have masks."""
    root = tmp_path_factory.mktemp("drawn") / "UCSDped1"
    drawn = walkways.draw(1, train=34, test=36, frames=6, size=(32, 48))
    archives.write_drawn(drawn, root, "ucsd", name="UCSDped1")
    for number in range(WITH_MASKS + 1, 37):
        shutil.rmtree(root / f"Test/Test{number:03d}_gt")
    return layouts.recognise(root)


def rows(report):
    return {row.check: row for row in report.rows}


def test_published_numbers_of_ped1(copy):
    published = DATASETS["ped1"].published
    assert (published.train_videos, published.train_frames) == (34, 34 * 200)
    assert (published.test_videos, published.test_frames) == (36, 36 * 200)
    report = verification.verify(copy, "ped1")
    found = rows(report)
    assert found["training videos"].good and found["test videos"].good
    assert found["training frames"].expected == "6800"
    assert found["test frames"].expected == "7200"
    assert found["scored frames"].expected == "7056"
    assert "Test001: must hold 200 frames. Found there: 6" in "\n".join(
        report.problems
    )


def test_masks_of_some_clips_are_not_taken_for_all(copy):
    report = verification.verify(copy)
    assert report.problems == []
    assert rows(report)["masks"].found == "10 of 36 videos"
    assert "videos with masks: 10" in copy.summary()
    counts = {video.name: 6 for video in copy.split("test")}
    found = labels.read_ground_truth(copy, counts)
    for place, video in enumerate(copy.split("test")):
        assert (video.mask is not None) == (place < WITH_MASKS)
        if video.mask is not None:
            shown = masks.read_masks(video).any(axis=(1, 2))
            np.testing.assert_array_equal(shown, found[video.name])


def test_the_script_must_have_a_line_for_each_of_the_36_clips(copy, tmp_path):
    script = tmp_path / "UCSDped1.m"
    script.write_text("x.gt_frame = [1:2];\n" * 35)
    found = layouts.recognise(copy.root, labels=script)
    counts = {video.name: 6 for video in copy.split("test")}
    with pytest.raises(ValueError, match=r"36 test videos\. Found there: 35"):
        labels.read_ground_truth(found, counts)


def test_ped1_is_gray_and_takes_the_settings_of_ped2():
    first, second = PRESETS["ped1"], PRESETS["ped2"]
    assert first.data.dataset == "ped1"
    assert first.model == second.model
    assert first.training == second.training
    assert first.scoring == second.scoring
    assert lite(first).model.channels == 1


@pytest.mark.slow
def test_from_training_to_evaluating(copy, tmp_path):
    run_dir = tmp_path / "runs" / "a"
    flags = (
        *("--data-root", str(copy.root), "--stores", str(tmp_path / "stores")),
        *("--runs", str(tmp_path / "runs"), "--name", "a", "--holdout", "2"),
        *("--variant", "glo_net", "--image-size", "16", "24"),
        *("--channels", "1", "--frames", "2", "--width", "0.0625"),
        *("--memory-items", "3", "--batch-size", "8", "--steps", "2"),
    )
    assert main.main(["train", "--dataset", "ped1", *flags]) == 0
    assert main.main(["evaluate", str(run_dir)]) == 0
    results = json.loads((run_dir / "evaluation" / "results.json").read_text())
    # The paper says nothing of Ped1, so nothing is as it published.
    assert results["provenance"]["weight_origin"] == "as configured"
    assert results["scored_frames"] == 36 * 4
    # Only regions of the clips with masks are counted.
    videos = copy.split("test")[:WITH_MASKS]
    abnormal = sum(
        int(masks.read_masks(video)[2:].any(axis=(1, 2)).sum())
        for video in videos
    )
    assert results["regions"] >= abnormal > 0
