"""From a run on disk to an evaluation on disk, and what can go wrong."""

import csv

import keras
import numpy as np
import pytest

from lgn_tf.cli import main
from lgn_tf.data.datasets import archives, layouts
from lgn_tf.data.synthetic import walkways
from lgn_tf.data.video import footage, optical_flow, preprocessing
from lgn_tf.evaluation import baselines, keyframes, results, roc
from lgn_tf.model.lgn_net import build_model
from lgn_tf.runs import directory, model_files
from lgn_tf.scores import video_scores
from lgn_tf.scores.calibration import Calibration
from lgn_tf.scores.normality import normality


def test_evaluate_writes_all_there_is(evaluated, run_dir):
    found = results.read_results(evaluated)
    assert [video.name for video in found.videos] == ["Test001", "Test003"]
    assert found.scored_frames == 24
    assert found.skipped == ("Test002",)
    assert {"paper", "online", "psnr", "distance raw"} <= set(found.scores)
    for score in found.scores.values():
        assert 0 <= score.micro_auc <= 1
    assert set(found.maps) == {"error", "online"}
    assert set(found.baselines) == set(baselines.BASELINES)
    assert found.baselines["local optical flow"].milliseconds > 0
    assert set(found.comparisons) == {"paper", "online", "online motion"}
    assert found.frame_rate == 2
    assert set(found.events) == {"online", "online motion"}
    assert {"cue error", "cue distance", "cue motion"} <= set(found.scores)
    assert found.draws == 1000
    stand = found.provenance
    assert (stand.holdout, stand.in_sample) == (1, False)
    assert stand.label_version == "ucsd"
    assert "quantile" in stand.threshold_origin
    fitted = Calibration.load(run_dir / "calibration.npz")
    assert stand.update_threshold == fitted.update_threshold(0.9)
    gammas = [gamma for gamma, _ in found.gamma_sweep]
    assert gammas[0] == 0 and stand.update_threshold in gammas


def test_each_kind_has_an_area(evaluated):
    kinds = results.read_results(evaluated).kinds
    frames = {kind: one.frames for kind, one in kinds.items()}
    videos = {kind: one.videos for kind, one in kinds.items()}
    assert set(kinds) <= set(walkways.KINDS)
    for name, kind in (("Test001", "cart"), ("Test003", "fallen")):
        labels = video_scores.read_labels(evaluated, name)
        assert frames[kind] == labels.sum() > 0
        assert videos[kind] == 1
        assert 0 <= kinds[kind].areas["online motion"].area <= 1


def test_opponents_see_frames_of_the_models_size_and_originals(
    evaluated, place, run_dir
):
    config = directory.read_config(run_dir)
    videos = layouts.recognise(place / "data").split("test")
    quality, areas, labels = [], [], []
    for video in videos[0], videos[2]:
        whole = list(footage.read_frames(video))
        small = [preprocessing.prepare(frame, (32, 32), 1) for frame in whole]
        one = baselines.score_without_model(
            video.name, [np.stack(small)], whole, channels=1
        )
        scores = video_scores.read_scores(evaluated, video.name)
        quality.append(scores.psnr - one.copying)
        areas.append(one.series["local optical flow"])
        labels.append(video_scores.read_labels(evaluated, video.name))
    found = results.read_results(evaluated)
    assert config.model.image_size == (32, 32)
    assert found.gain == pytest.approx(np.concatenate(quality).mean())
    flow = found.baselines["local optical flow"]
    assert flow.micro_auc == pytest.approx(
        roc.area(np.concatenate(labels), np.concatenate(areas))
    )


def test_the_table_says_what_was_not_beaten(run_dir, evaluated, capsys):
    argv = ["evaluate", str(run_dir), "--gamma", "0", "--no-gamma-sweep"]
    assert main.main([*argv, "--out", str(evaluated.parent / "beaten")]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "does not beat the best online score without a model" in words
    # Nothing was learned.
    assert "the model predicts no better than copying the last frame" in words


def test_evaluate_writes_scores_and_pictures_of_each_video(evaluated, place):
    scores = video_scores.read_scores(evaluated, "Test003")
    assert (scores.first, len(scores)) == (4, 12)
    assert scores.online_map.shape == (12, 4, 4)
    assert video_scores.read_labels(evaluated, "Test003").shape == (12,)
    shown = keyframes.places(evaluated, "Test003")
    assert shown and all(4 <= one < 16 for one in shown)
    frame, prediction, moved = keyframes.read_keyframe(
        evaluated, "Test003", shown[0]
    )
    assert frame.shape == prediction.shape == (32, 32, 1)
    # The stored prediction is the one that was scored.
    error = ((frame.astype(float) - prediction) / 255) ** 2
    quality = -10 * np.log10(error.mean())
    assert quality == pytest.approx(scores.psnr[shown[0] - 4], abs=0.1)
    # Where it moves, from the frame before, in their own size.
    video = layouts.recognise(place / "data").split("test")[2]
    flow = optical_flow.LocalFlow()
    whole = map(optical_flow.to_gray, footage.read_frames(video))
    cells = [flow.update(frame).cells for frame in whole]
    np.testing.assert_array_equal(moved, cells[shown[0]])
    for other in shown:
        assert (
            keyframes.read_keyframe(evaluated, "Test003", other).motion
            is not None
        )
    weights = {"error": 1.0, "distance": 0.0, "motion": 1.0}
    assert results.read_results(evaluated).provenance.cue_weights == weights


def test_online_score_is_that_of_fixed_items(evaluated, run_dir):
    """Whatever gamma is: as the model is exported."""
    out = evaluated.parent / "fixed"
    argv = ["evaluate", str(run_dir), "--gamma", "0", "--out", str(out)]
    assert main.main([*argv, "--no-gamma-sweep"]) == 0
    fixed, moved = (
        video_scores.read_scores(f, "Test003") for f in (out, evaluated)
    )
    assert not fixed.updated.any() and moved.updated.any()
    for name in ("online", "online_motion", "error_map", "distance_map"):
        np.testing.assert_allclose(
            getattr(fixed, name), getattr(moved, name), rtol=1e-4, atol=1e-6
        )
    assert np.any(fixed.distance != moved.distance)
    assert results.read_results(out).gamma_sweep == ()
    assert results.read_results(out).provenance.threshold_origin == "no update"


def test_the_table_names_what_was_skipped(run_dir, evaluated, capsys):
    argv = ["evaluate", str(run_dir), "--gamma", "0", "--no-gamma-sweep"]
    assert main.main([*argv, "--out", str(evaluated.parent / "again")]) == 0
    text = capsys.readouterr().out
    assert "skipped, too short for a score: Test002" in text
    for words in ("online (past", "RBDC", "K = 1", "labels ucsd"):
        assert words in text
    # Without a frame rate nothing is timed.
    assert "an hour" not in text and "causal average" not in text


def test_options_are_said(run_dir, evaluated, capsys):
    out = evaluated.parent / "options"
    argv = ["evaluate", str(run_dir), "--no-gamma-sweep", "--reset-memory"]
    argv += ["--smoothing", "0.2", "--out", str(out)]
    argv += ["--motion-weight", "0"]
    assert main.main(argv) == 2
    assert "says none: give --fps" in capsys.readouterr().err
    assert main.main([*argv, "--fps", "25"]) == 0
    text = capsys.readouterr().out
    assert "online with optical flow" not in text and "an hour" in text
    assert "online, causal average" in text
    assert "each video begins with the trained items" in text
    assert "weights of the last epoch" in text
    assert results.read_results(out).provenance.memory_reset
    assert video_scores.read_scores(out, "Test003").online_motion is None


def test_the_best_weights_have_a_calibration_of_their_own(
    run_dir, evaluated, capsys
):
    argv = ["evaluate", str(run_dir), "--best", "--no-gamma-sweep"]
    out = evaluated.parent / "best"
    argv += ["--gamma", "0", "--out", str(out)]
    assert main.main(argv) == 2
    assert "best.weights.h5 is missing" in capsys.readouterr().err
    keras.utils.set_random_seed(2)
    config = directory.read_config(run_dir)
    model_files.save_weights(run_dir, build_model(config), directory.BEST)
    assert main.main(argv) == 0
    assert "weights of the epoch with the least loss" in capsys.readouterr().out
    last, best = (
        Calibration.load(run_dir / name)
        for name in (directory.CALIBRATION, directory.BEST_CALIBRATION)
    )
    assert np.any(last.cues["error"] != best.cues["error"])
    scores = video_scores.read_scores(out, "Test003")
    assert np.any(
        scores.psnr != video_scores.read_scores(evaluated, "Test003").psnr
    )


def test_the_table_of_frames_has_the_papers_normality(evaluated):
    scores = video_scores.read_scores(evaluated, "Test003")
    with (evaluated / "frames" / "Test003.csv").open() as file:
        found = [float(row["normality"]) for row in csv.DictReader(file)]
    wanted = normality(scores.psnr, scores.distance, 0.6)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_the_score_of_all_cues_is_the_same_wherever_it_is_written(
    place, run_dir, tmp_path
):
    names = ["Test001", "Test003"]
    videos = [str(place / "data" / "Test" / name) for name in names]
    plain = [str(run_dir), "--gamma", "0", "--out"]
    evaluated, scored = tmp_path / "evaluated", tmp_path / "scored"
    argv = ["evaluate", *plain, str(evaluated), "--no-gamma-sweep"]
    assert main.main(argv) == 0
    assert main.main(["score", *plain, str(scored), *videos]) == 0
    series, labels = [], []
    for name in names:
        ours, theirs = (
            video_scores.read_scores(f, name) for f in (evaluated, scored)
        )
        np.testing.assert_array_equal(ours.online_motion, theirs.online_motion)
        assert np.any(ours.online_motion != ours.online)
        series.append(ours.online_motion)
        labels.append(video_scores.read_labels(evaluated, name))
    # What the results say is of that column.
    area = roc.area(np.concatenate(labels), np.concatenate(series))
    found = results.read_results(evaluated).scores["online motion"]
    assert found.micro_auc == pytest.approx(area, abs=1e-12)


def test_without_labels_scores_are_written_and_metrics_absent(
    evaluated, tmp_path, capsys
):
    run_dir = evaluated.parent
    drawn = walkways.draw(5, train=1, test=1, frames=7, size=(32, 40))
    archives.write_drawn(drawn, tmp_path / "own", "own")
    for file in (tmp_path / "own").rglob("labels.csv"):
        file.unlink()
    out = tmp_path / "evaluation"
    argv = ["evaluate", str(run_dir), "--out", str(out), "--data-root"]
    assert main.main([*argv, str(tmp_path / "own")]) == 0
    assert "metrics absent" in capsys.readouterr().out
    found = results.read_results(out)
    assert found.abnormal_frames is None
    assert found.scores["paper"].micro_auc is None
    assert len(video_scores.ScoreFolder(out)) == 1


def test_score_takes_files_folders_and_folders_of_them(
    place, run_dir, tmp_path, capsys
):
    videos = place / "data" / "Test"
    out = tmp_path / "scores"
    argv = ["score", str(run_dir), str(videos / "Test001")]
    assert main.main([*argv, "--gamma", "0", "--out", str(out)]) == 0
    assert video_scores.ScoreFolder(out).names == ["Test001"]
    assert "scores of 1 videos" in capsys.readouterr().out
