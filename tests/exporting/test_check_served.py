"""Served scores are those of the evaluation, memory and all."""

import dataclasses
import json
import os
import re
import shutil
import types
from pathlib import Path

import cv2
import numpy as np
import pytest

from lgn_tf.cli import main
from lgn_tf.config import schema
from lgn_tf.data import sources
from lgn_tf.data.datasets import layouts
from lgn_tf.data.datasets.dataset import Dataset
from lgn_tf.data.test_set import TestSet
from lgn_tf.data.video.footage import Encoded, InMemory
from lgn_tf.evaluation import protocol
from lgn_tf.exporting import check_served
from lgn_tf.files import media
from lgn_tf.inference import video_scorer
from lgn_tf.runs import directory
from lgn_tf.runs.run import Run
from lgn_tf.scores import cue_values, video_scores
from lgn_tf.scores.calibration import Calibration
from lgn_tf.scores.cue_values import CUES, IN_GRAPH

FRAMES = 9


@pytest.fixture
def evaluated(exported_run, tmp_path, monkeypatch):
    """Returns a function: gamma to an evaluated run directory."""
    run_dir, config, model, _ = exported_run
    rng = np.random.default_rng(4)
    clip = rng.integers(0, 256, (FRAMES, 16, 24, 3), dtype=np.uint8)
    footage = InMemory(["walk"], [clip])
    store = types.SimpleNamespace(split=lambda _: footage)
    source = sources.Source(Dataset(Path("none"), "own", ()), store)
    monkeypatch.setattr(sources, "open_source", lambda *_: source)

    def evaluate(gamma):
        folder = tmp_path / "run"
        shutil.copytree(run_dir, folder)
        scoring = dataclasses.replace(config.scoring, update_threshold=gamma)
        schema.write(
            dataclasses.replace(config, scoring=scoring),
            folder / directory.CONFIG,
        )
        scorer = video_scorer.VideoScorer(
            model,
            gammas=(gamma,),
            calibration=calibration_of(folder),
        )
        (scores,) = scorer.score("walk", [clip])
        # The online score is that of the trained items.
        plain = video_scorer.VideoScorer(
            model, calibration=calibration_of(folder)
        )
        (still,) = plain.score("walk", [clip])
        scores = dataclasses.replace(
            scores, online=still.online, online_map=still.online_map
        )
        video_scores.write_scores(scores, folder / "evaluation")
        return folder, scores

    return evaluate


FRAMES_OF_OWN_SIZE = (30, 45)


@pytest.fixture
def moving(moving_run, tmp_path, monkeypatch):
    """Returns a function: gamma to a run directory, evaluated with motion."""
    run_dir, config, _, _ = moving_run
    rng = np.random.default_rng(6)
    small = rng.integers(0, 256, (8, 11, 3), np.uint8)
    large = cv2.resize(small, FRAMES_OF_OWN_SIZE[::-1])
    clip = np.stack([np.roll(large, 2 * step, 1) for step in range(FRAMES)])
    media.write_images(tmp_path / "walk", clip, "{}.png", 0)
    dataset = layouts.recognise(tmp_path / "walk")
    footage = Encoded(dataset.split("test"), config.model.image_size)
    store = types.SimpleNamespace(split=lambda _: footage)
    source = sources.Source(dataset, store)
    monkeypatch.setattr(sources, "open_source", lambda *_: source)

    def evaluate(gamma=0.0, weights=None):
        folder = tmp_path / "run"
        shutil.copytree(run_dir, folder)
        scoring = dataclasses.replace(config.scoring, update_threshold=gamma)
        settings = dataclasses.replace(config, scoring=scoring)
        schema.write(settings, folder / directory.CONFIG)
        known = calibration_of(folder)
        if weights is not None:
            known = dataclasses.replace(known, weights=weights)
        run = Run(folder)
        run.__dict__["calibration"] = known
        run.evaluate(
            TestSet(dataset, footage),
            options=protocol.Options(gamma_sweep=False),
        )
        return folder

    return evaluate


def calibration_of(folder):
    scoring = directory.read_config(folder).scoring
    return Calibration.load(folder / directory.CALIBRATION, scoring.cue_weights)


@pytest.mark.slow
def test_the_memory_goes_along(evaluated, exported, capsys):
    run_dir, scores = evaluated(10.0)
    assert scores.updated.all()
    models = exported.path.parent
    assert main.main(["check-served", str(run_dir), str(models)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"{FRAMES - 4} frames of walk, served over REST")
    for name in ("psnr", "distance", "regular_score", "online"):
        assert f"  {name}: largest difference" in printed
    changed = dataclasses.replace(scores, psnr=scores.psnr + 0.01)
    video_scores.write_scores(changed, run_dir / "evaluation")
    assert main.main(["check-served", str(run_dir), str(models)]) == 2
    assert "psnr of walk must be that of" in capsys.readouterr().err


def compared(run_dir, models, capsys):
    """Returns the line of each measure."""
    assert main.main(["check-served", str(run_dir), str(models)]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    return dict(line.strip().split(": ", 1) for line in lines)


@pytest.mark.slow
def test_the_motion_goes_along(moving, exported_moving, capsys):
    run_dir, models = moving(), exported_moving.path.parent
    lines = compared(run_dir, models, capsys)
    assert set(lines) == {
        *("psnr", "distance", "regular_score", "online", "online_motion"),
    }
    assert not any("scored anew" in line for line in lines.values())
    scores = video_scores.read_scores(run_dir / "evaluation", "walk")
    assert np.abs(scores.online_motion - scores.online).min() > 1e-3
    video_scores.add_online_motion(
        run_dir / "evaluation", "walk", scores.online_motion + 2e-4
    )
    assert main.main(["check-served", str(run_dir), str(models)]) == 2
    assert "online_motion of walk must be that" in capsys.readouterr().err


@pytest.mark.slow
def test_other_weights_and_a_memory_that_learns(
    moving, exported_moving, capsys
):
    weights = {"error": 0.5, "distance": 1.0, "motion": 3.0}
    run_dir = moving(10.0, weights)
    lines = compared(run_dir, exported_moving.path.parent, capsys)
    for name in ("online", "online_motion"):
        assert lines[name].endswith(
            "scored anew, since the evaluation weighs the cues otherwise: "
            "error 0.5, distance 1, motion 3"
        )
    assert "anew" not in lines["psnr"]
    # The evaluation's own numbers are others.
    stored = video_scores.read_scores(run_dir / "evaluation", "walk")
    known = calibration_of(run_dir)
    cues = cue_values.map_cues(stored, known.scales)
    ours = known.score(cues, IN_GRAPH)
    assert np.abs(ours - stored.online).max() > 1e-4


def expected(run_dir, moved, **weights):
    run = Run(run_dir).changed(cue_weights=weights)
    frames = run.test_set().footage.read(0, 0, FRAMES)
    return check_served._expected(run, "walk", frames, moved)


def test_what_is_scored_anew(moving):
    """What the evaluation holds not, and no more than is compared."""
    run_dir = moving()
    moved = np.full((FRAMES - 4, 40, 60), 0.01, np.float32)
    stored = video_scores.read_scores(run_dir / "evaluation", "walk")
    wanted, anew = expected(run_dir, moved)
    assert not anew
    np.testing.assert_array_equal(wanted["online_motion"], stored.online_motion)
    # An evaluation of before there was such a column.
    without = dataclasses.replace(stored, online_motion=None)
    video_scores.write_scores(without, run_dir / "evaluation")
    wanted, anew = expected(run_dir, moved)
    assert anew == {"online_motion": "the evaluation holds none"}
    video_scores.write_scores(stored, run_dir / "evaluation")
    known = calibration_of(run_dir)
    cues = cue_values.map_cues(stored, known.scales)
    cues["motion"] = [known.strength(cells) for cells in moved]
    np.testing.assert_allclose(
        wanted["online_motion"],
        known.score(cues, CUES),
        rtol=1e-5,
    )
    np.testing.assert_array_equal(wanted["online"], stored.online)
    # A weight that only one of the two scores knows.
    assert set(expected(run_dir, moved, motion=9.0)[1]) == {"online_motion"}
    assert expected(run_dir, None, motion=9.0)[1] == {}
    assert set(expected(run_dir, None, error=9.0)[1]) == {"online"}
    video_scores.write_scores(without, run_dir / "evaluation")
    assert expected(run_dir, None)[1] == {}
    # And of before its weights were noted: those of the run.
    (run_dir / "evaluation" / "results.json").unlink()
    assert set(expected(run_dir, moved)[1]) == {"online_motion"}


def test_the_weights_are_those_of_the_newest_version(moving_run, tmp_path):
    run_dir, config, _, known = moving_run
    assert check_served._served_weights(tmp_path) == {}
    for number, weight in (("9", 4.0), ("10", 7.0)):
        extra = tmp_path / number / "assets.extra"
        extra.mkdir(parents=True)
        scoring = dataclasses.replace(config.scoring, motion_weight=weight)
        values = schema.to_dict(dataclasses.replace(config, scoring=scoring))
        path = extra / "model_card.json"
        path.write_text(json.dumps({"config": values}))
    found = Run(run_dir).changed(
        cue_weights=check_served._served_weights(tmp_path)
    )
    assert found.calibration.weights == known.weights | {"motion": 7.0}
    path.write_text("{")
    with pytest.raises(ValueError, match=r"model_card\.json: not a JSON file"):
        check_served._served_weights(tmp_path)


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("cut", r"1: cannot be served. Found there: .*not an sstable"),
        ("pipe", r"1: cannot be served. Found there: .*must be a file"),
        ("empty", "must hold numbered folders, one a version"),
    ],
)
def test_a_version_that_cannot_be_served_is_one_line(
    evaluated, exported, tmp_path, capsys, caplog, damage, found
):
    run_dir, _ = evaluated(0.0)
    models = tmp_path / "models"
    models.mkdir()
    if damage != "empty":
        shutil.copytree(exported.path, models / "1")
        path = models / "1/variables/variables.index"
        contents = path.read_bytes()
        path.unlink()
        if damage == "cut":
            path.write_bytes(contents[:50])
        else:
            os.mkfifo(path)
    argv = ["check-served", str(run_dir), str(models)]
    assert main.main(argv) == 2
    [line] = [
        each
        for each in capsys.readouterr().err.splitlines()
        if each.startswith("lgn ")
    ]
    assert str(models) in line and re.search(found, line)
    # The server would say it once more.
    assert not [each for each in caplog.records if "1: " in each.message]
