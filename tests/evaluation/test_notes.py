"""Verdicts and notes, word by word."""

import dataclasses

from lgn_tf.evaluation import notes, tables
from lgn_tf.evaluation.results import (
    Comparison,
    ScoreResult,
)
from tests.evaluation.drawn_results import KINDS, RESULTS, changed, printed


def test_kinds_that_are_not_found():
    found = dataclasses.replace(RESULTS, kinds=KINDS)
    sentences = [
        "paper (whole video) finds 1 of 2 kinds; not found: [red]fall",
        "without a model: local optical flow finds 0 of 2 kinds; not found: "
        "cart, [red]fall",
    ]
    assert notes.kind_verdicts(found) == sentences
    words = " ".join(printed(tables.kind_table(found)).split())
    for sentence in (*sentences, notes.KIND_RULE):
        assert sentence in words
    some = dataclasses.replace(RESULTS, kinds={"cart": KINDS["cart"]})
    assert notes.kind_verdicts(some)[0].endswith("finds 1 of 1 kinds")
    none = dataclasses.replace(RESULTS, kinds={"jump": KINDS["jump"]})
    assert notes.kind_verdicts(none) == []
    assert notes.kind_verdicts(RESULTS) == []


def notes_of(**fields):
    return "\n".join(notes.notes(changed(**fields)))


def test_verdicts():
    beaten, not_beaten = notes.verdicts(RESULTS)
    assert beaten == (
        "paper (whole video) beats the best score without a model, copying the "
        "last frame (61.2): +20.0 points (95%: +10.0 to +30.0)"
    )
    assert not_beaten == (
        "online (past alone) does not beat the best online score without a "
        "model, local optical flow (90.0): -11.0 points (95%: -20.0 to +1.0)"
    )
    words = " ".join(printed(tables.score_table(RESULTS)).split())
    assert beaten in words and not_beaten in words


def test_verdicts_of_one_video_and_of_none():
    one = Comparison("local optical flow", 0.05, None, False)
    found = dataclasses.replace(RESULTS, comparisons={"online": one})
    [verdict] = notes.verdicts(found)
    assert "does not beat" in verdict
    assert verdict.endswith("+5.0 points (too few videos for an interval)")
    bare = dataclasses.replace(RESULTS, comparisons={}, baselines={})
    assert notes.verdicts(bare) == []
    assert "without a model" not in printed(tables.score_table(bare))


def test_notes_say_what_was_predicted():
    note = "the model predicts 1.23 dB better than copying the last frame"
    assert note in notes.notes(RESULTS)
    for gain in (0.0, -1.5):
        found = dataclasses.replace(RESULTS, gain=gain)
        assert (
            "the model predicts no better than copying the last frame (gain "
            f"{gain:.2f} dB): train longer, with --residual, at a larger "
            "--image-size, or on more video"
        ) in notes.notes(found)
    found = dataclasses.replace(RESULTS, gain=None)
    assert "copying" not in "\n".join(notes.notes(found))


def test_notes_say_where_the_distance_says_nothing():
    assert "prototypes" not in "\n".join(notes.notes(RESULTS))
    for variation, said in ((0.2, False), (notes.STILL, False), (0.044, True)):
        found = dataclasses.replace(RESULTS, distance_variation=variation)
        line = (
            "the distance to the prototypes hardly varies from frame to frame "
            "(by 4.4%): the memory tells nothing apart, and the paper's score "
            "counts it 40%. Look at the PSNR alone, or train with another "
            "--seed"
        )
        assert (line in notes.notes(found)) == said
    stand = dataclasses.replace(RESULTS.provenance, normality_weight=1.0)
    bare = dataclasses.replace(found, provenance=stand)
    assert "prototypes" not in "\n".join(notes.notes(bare))


def test_notes_say_how_intervals_were_drawn():
    assert "95%: of 1000 draws of videos" in notes.notes(RESULTS)
    found = dataclasses.replace(RESULTS, skipped_draws=7)
    line = "95%: of 1000 draws of videos, 7 of one class skipped"
    assert line in notes.notes(found)
    found = dataclasses.replace(RESULTS, draws=0)
    assert "95%" not in "\n".join(notes.notes(found))


def test_notes():
    text = "\n".join(notes.notes(RESULTS))
    assert "30 scored frames, 12 abnormal, labels ucsd" in text
    assert "K = 2" in text and "score: 09" in text
    assert "in-sample" not in text
    assert "trained items" not in text and "weights of" not in text


def test_notes_mark_the_calibration():
    assert "in-sample" in notes_of(in_sample=True)
    assert "no calibration: no online score" in notes_of(in_sample=None)


def test_notes_name_weights_and_resets():
    text = notes_of(memory_reset=True, weights="last epoch")
    assert "each video begins with the trained items" in text
    assert "K = 2, weights of the last epoch" in text


def test_notes_without_labels_and_with_one_class():
    found = dataclasses.replace(
        RESULTS, abnormal_frames=None, scores={"paper": ScoreResult()}
    )
    assert "metrics absent" in "\n".join(notes.notes(found))
    found = dataclasses.replace(found, abnormal_frames=0, one_class_videos=3)
    text = "\n".join(notes.notes(found))
    assert "there is no AUC" in text
    assert "macro: 3 videos of one class" in text
