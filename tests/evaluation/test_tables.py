"""What is printed of an evaluation."""

import dataclasses
import io

import rich.console

from lgn_tf.alarms.events import EventResult
from lgn_tf.alarms.thresholds import Promise
from lgn_tf.evaluation import notes, tables
from lgn_tf.evaluation.results import (
    Comparison,
    KindArea,
    KindResult,
    MapResult,
    Opponent,
    Provenance,
    Results,
    ScoreResult,
)

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
        "paper": ScoreResult(0.8123, 0.7, 0.25, 0.125, None, (0.75, 0.9)),
        "online": ScoreResult(0.79, None, 0.3, 0.1),
    },
    baselines={
        "copying the last frame": Opponent(0.612, 0.58, milliseconds=0.04),
        "local optical flow": Opponent(
            0.9, interval=(0.85, 0.951), online=True, milliseconds=10.26
        ),
    },
    maps={"error": MapResult(0.5, 0.25, None)},
    videos=(),
    scored_frames=30,
    abnormal_frames=12,
    one_class_videos=0,
    gain=1.234,
    comparisons={
        "paper": Comparison("copying the last frame", 0.2, (0.1, 0.3), True),
        "online": Comparison("local optical flow", -0.11, (-0.2, 0.01), False),
    },
    draws=1000,
    skipped=("09",),
)


def printed(table):
    console = rich.console.Console(file=io.StringIO(), width=120)
    console.print(table)
    return console.file.getvalue()


def test_events_by_score_and_rate():
    some = EventResult(
        rate=60.0,
        supported=True,
        threshold=0.97,
        events=12,
        normal_hours=0.01,
        calibration_minutes=4.25,
        promise=Promise(60.0, 57.1, (15.2, 146.0), 4, 0.07),
        found=0.75,
        median_delay=2.75,
        false_alarms=3,
    )
    none = EventResult(
        rate=1.0,
        supported=False,
        threshold=None,
        events=12,
        normal_hours=0.01,
        calibration_minutes=4.25,
        promise=None,
    )
    found = dataclasses.replace(
        RESULTS, events={"online": (none, some)}, frame_rate=10.0
    )
    console = rich.console.Console(file=io.StringIO(), width=160)
    console.print(tables.event_table(found))
    text = console.file.getvalue()
    assert "event level, 10 frames a second" in text
    assert "thresholds from 4.2 minutes of normal video" in text
    assert "not supported" in text
    for cell in (
        "60 an hour",
        "75.0 of 12",
        "2.8 s",
        "3 in 0.6 minutes",
        "57 an hour (15 to 146)",
    ):
        assert cell in text
    always = dataclasses.replace(none, supported=True)
    found = dataclasses.replace(found, events={"online": (always,)})
    console.print(tables.event_table(found))
    assert "no threshold keeps it" in console.file.getvalue()


KINDS = {
    "cart": KindResult(
        87,
        3,
        {
            "paper": KindArea(0.8123, (0.636, 0.881), True),
            "local optical flow": KindArea(0.661, (0.337, 0.801), False),
        },
    ),
    "[red]fall": KindResult(
        12,
        1,
        {
            "paper": KindArea(0.59, None, False),
            "local optical flow": KindArea(0.55, None, False),
        },
    ),
    "jump": KindResult(
        0,
        0,
        {
            "paper": KindArea(None, None, None),
            "local optical flow": KindArea(None, None, None),
        },
    ),
}


def test_kinds_by_score():
    found = dataclasses.replace(RESULTS, kinds=KINDS)
    lines = [
        line.split() for line in printed(tables.kind_table(found)).splitlines()
    ]
    start = lines.index(["cart", "87", "3", "81.2", "66.1"])
    assert lines[start + 1] == ["63.6-88.1", "33.7-80.1"]
    assert lines[start + 2] == ["found", "not", "found"]
    # Brackets are no mark-up, and a kind without an interval has no line of it.
    assert lines[start + 3] == ["[red]fall", "12", "1", "59.0", "55.0"]
    assert lines[start + 4] == ["not", "found"] * 2
    assert lines[start + 5] == ["jump", "0", "0", "-", "-"]
    assert lines[start + 6] == ["no", "area"] * 2
    words = " ".join(printed(tables.kind_table(found)).split())
    for title in ("paper (whole video)", "without a model: local optical flow"):
        assert title in words


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


def test_kinds_fit_a_terminal():
    areas = {
        name: KindArea(0.5, (0.25, 0.75), False)
        for name in ("paper", "online", "online motion", "local optical flow")
    }
    stand = changed(in_sample=True)
    found = dataclasses.replace(
        stand, kinds={"wrong-way": KindResult(1648, 12, areas)}
    )
    console = rich.console.Console(file=io.StringIO(), width=80)
    console.print(tables.kind_table(found))
    words = console.file.getvalue().split()
    assert ["wrong-way", "1648", "12", *["50.0"] * 4] == words[
        words.index("wrong-way") :
    ][:7]
    assert words.count("25.0-75.0") == 4
    assert "in-sample" in words


def changed(**fields):
    stand = dataclasses.replace(RESULTS.provenance, **fields)
    return dataclasses.replace(RESULTS, provenance=stand)


def notes_of(**fields):
    return "\n".join(notes.notes(changed(**fields)))


def test_scores_in_percent_beside_those_without_a_model():
    text = printed(tables.score_table(RESULTS))
    row = next(line for line in text.splitlines() if "paper" in line)
    for number in ("81.2", "75.0-90.0", "70.0", "25.0", "0.125"):
        assert number in row
    row = next(line for line in text.splitlines() if "online" in line)
    assert "79.0" in row and " - " in row
    row = next(line for line in text.splitlines() if "copying" in line)
    assert row.split()[-6:] == ["61.2", "-", "58.0", "-", "-", "0.0"]
    row = next(line for line in text.splitlines() if "flow" in line)
    assert row.split()[-6:] == ["90.0", "85.0-95.1", "-", "-", "-", "10.3"]


def test_a_table_fits_a_terminal():
    console = rich.console.Console(file=io.StringIO(), width=80)
    console.print(tables.score_table(changed(in_sample=True)))
    lines = console.file.getvalue().splitlines()
    assert any("online (past alone), in-sample  79.0" in one for one in lines)


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


def test_a_calibration_on_fitted_clips_is_marked_in_its_row():
    rows = printed(tables.score_table(changed(in_sample=True))).splitlines()
    [row] = [line for line in rows if "in-sample  " in line]
    assert "online (past alone), in-sample" in row
    assert "in-sample" not in printed(tables.score_table(RESULTS))


def test_maps_mark_derived_tracks():
    text = printed(tables.map_table(RESULTS))
    assert "derived tracks" in text
    assert "50.0" in text and "25.0" in text


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
