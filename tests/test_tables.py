"""What is printed of an evaluation."""

import dataclasses
import io

import rich.console

from lgn_tf import tables
from lgn_tf.results import MapResult, Provenance, Results, ScoreResult

RESULTS = Results(
    provenance=Provenance(
        dataset="ped2",
        label_version="ucsd",
        weight_origin="as configured",
        threshold_origin="no update",
        holdout=2,
        in_sample=False,
    ),
    scores={
        "paper": ScoreResult(0.8123, 0.7, 0.25, 0.125),
        "online": ScoreResult(0.79, None, 0.3, 0.1),
    },
    baselines={"difference": 0.612},
    maps={"error": MapResult(0.5, 0.25, None)},
    videos=(),
    scored_frames=30,
    abnormal_frames=12,
    one_class_videos=0,
    skipped=("09",),
)


def printed(table):
    console = rich.console.Console(file=io.StringIO(), width=120)
    console.print(table)
    return console.file.getvalue()


def test_scores_in_percent_beside_those_without_a_model():
    text = printed(tables.scores(RESULTS))
    row = next(line for line in text.splitlines() if "paper" in line)
    for number in ("81.2", "70.0", "25.0", "0.125"):
        assert number in row
    row = next(line for line in text.splitlines() if "online" in line)
    assert "79.0" in row and " - " in row
    assert "61.2" in text


def test_a_calibration_on_fitted_clips_is_marked_in_its_row():
    stand = dataclasses.replace(RESULTS.provenance, in_sample=True)
    found = dataclasses.replace(RESULTS, provenance=stand)
    rows = printed(tables.scores(found)).splitlines()
    [row] = [line for line in rows if "in-sample" in line]
    assert "online (past alone), in-sample" in row
    assert "in-sample" not in printed(tables.scores(RESULTS))


def test_maps_mark_derived_tracks():
    text = printed(tables.maps(RESULTS))
    assert "derived tracks" in text
    assert "50.0" in text and "25.0" in text


def test_notes():
    text = "\n".join(tables.notes(RESULTS))
    assert "30 scored frames, 12 abnormal, labels ucsd" in text
    assert "K = 2" in text and "score: 09" in text
    assert "in-sample" not in text
    assert "trained items" not in text and "weights of" not in text


def changed(**fields):
    stand = dataclasses.replace(RESULTS.provenance, **fields)
    found = dataclasses.replace(RESULTS, provenance=stand)
    return "\n".join(tables.notes(found))


def test_notes_mark_the_calibration():
    assert "in-sample" in changed(in_sample=True)
    assert "no calibration: no online score" in changed(in_sample=None)


def test_notes_name_weights_and_resets():
    text = changed(memory_reset=True, weights="last epoch")
    assert "each video begins with the trained items" in text
    assert "K = 2, weights of the last epoch" in text


def test_notes_without_labels_and_with_one_class():
    found = dataclasses.replace(
        RESULTS, abnormal_frames=None, scores={"paper": ScoreResult()}
    )
    assert "metrics absent" in "\n".join(tables.notes(found))
    found = dataclasses.replace(found, abnormal_frames=0, one_class_videos=3)
    text = "\n".join(tables.notes(found))
    assert "there is no AUC" in text
    assert "macro: 3 videos of one class" in text
