"""The sections of a report, by what an evaluation holds."""

import dataclasses

import numpy as np
import pytest

from lgn_tf.alarms import events
from lgn_tf.evaluation import notes, results, tables
from lgn_tf.evaluation.results import KindArea, KindResult
from lgn_tf.report.page import render_report
from lgn_tf.scores import video_scores
from tests.report.parsed_page import NAMES, Page, anchors


def test_what_an_operator_hears(evaluated):
    run_dir = evaluated()
    folder = run_dir / "evaluation"
    found = results.read_results(folder)
    assert "#events" not in anchors(Page(render_report(run_dir)))
    heard = events.evaluate_alarms(
        [np.array([0.1, 0.9, 0.9, 0.2])],
        [np.array([0, 1, 1, 0])],
        [np.linspace(0, 0.5, 80)],
        1.0,
    )
    assert heard[-1].threshold is not None
    results.write_results(
        dataclasses.replace(found, events={"online": heard}, frame_rate=1.0),
        folder,
    )
    page = Page(render_report(run_dir))
    assert "#events" in anchors(page)
    for row in tables.event_rows(results.read_results(folder)):
        assert set(row) <= set(page.words)


def test_kinds_that_are_found_and_not_found(evaluated):
    run_dir = evaluated()
    folder = run_dir / "evaluation"
    assert "#kinds" not in anchors(Page(render_report(run_dir)))
    flow = "local optical flow"
    areas = (
        ("cart <b>", 0.8123, (0.636, 0.881), "found"),
        ("fall", 0.655, (0.337, 0.801), "missed"),
        ("run", 0.59, None, "missed"),
    )
    kinds = {
        kind: KindResult(
            87, 3, dict.fromkeys(("paper", flow), KindArea(area, span, found))
        )
        for kind, area, span, style in areas
        for found in [style == "found"]
    }
    results.write_results(
        dataclasses.replace(results.read_results(folder), kinds=kinds), folder
    )
    page = Page(render_report(run_dir))
    assert "#kinds" in anchors(page)
    for word in (f"without a model: {flow}", "cart <b>", "no interval"):
        assert word in page.words
    # A colour, and a word that says the same.
    tags = [tag["class"] for tag in page.named("span") if "class" in tag]
    styles = [tag.split()[1] for tag in tags if tag.startswith("tag")]
    words = [word for word in page.words if word in ("found", "not found")]
    expected = [style for *_, style in areas for _ in range(2)]
    assert styles == expected
    assert words == [
        {"found": "found", "missed": "not found"}[style] for style in expected
    ]
    for sentence in notes.kind_verdicts(results.read_results(folder)):
        assert sentence in page.words
    assert any("95 %: 63.6 to 88.1" in word for word in page.words)
    assert any(notes.KIND_RULE in word for word in page.words)


def test_a_model_that_predicts_no_better_than_copying(evaluated):
    sentence = "the model predicts no better than copying the last frame"
    for copying, said in ((40.0, True), (25.0, False)):
        words = " ".join(Page(render_report(evaluated(copying=copying))).words)
        assert (sentence in words) == said


@pytest.mark.parametrize(
    ("kinds", "absent"),
    [
        ({"labels": False, "masks": False}, ["#frames", "#places"]),
        ({"online": False}, []),
        ({"memory": False, "masks": False}, ["#places"]),
        ({"shown": False}, ["#pictures"]),
    ],
)
def test_a_report_of_less(evaluated, kinds, absent):
    page = Page(render_report(evaluated(**kinds)))
    assert not set(absent) & set(anchors(page))
    words = " ".join(page.words)
    if "online" in kinds:
        assert "The run has no calibration." in words
    if "labels" in kinds:
        assert "no labels" in words and "labelled abnormal" not in words


def test_only_the_strongest_videos_are_shown(evaluated, monkeypatch):
    monkeypatch.setattr("lgn_tf.report.page.SHOWN", 2)
    run_dir = evaluated()
    page = Page(render_report(run_dir))
    assert len(page.named("img")) == 2 * 6
    folder = video_scores.ScoreFolder(run_dir / "evaluation")
    weakest = min(folder, key=lambda scores: scores.online[12 - 4]).name
    assert f"Video {weakest}" in page.words
    assert f"Video {weakest}, frame 12" not in page.words


def test_each_cue_has_a_map_and_its_weight(evaluated):
    weights = {"error": 1.0, "distance": 0.0, "motion": 0.5}
    words = Page(render_report(evaluated(weights=weights))).words
    for title in (
        "error, weight 1",
        "distance, weight 0",
        "motion, weight 0.5",
    ):
        assert words.count(title) == len(NAMES)
    assert any("a cue of weight 0 has none" in word for word in words)
    assert any("Motion is the optical flow" in word for word in words)


def test_an_older_evaluation_makes_a_report(evaluated):
    """One without maps of the motion and without the weights of the cues."""
    page = Page(render_report(evaluated(moved=False, weights={})))
    assert len(page.named("img")) == 3 * 5
    shown = [attrs["alt"].split(" of frame")[0] for attrs in page.named("img")]
    assert shown[:5] == shown[5:10] == shown[10:]
    assert shown[2:5] == ["online map", "error", "distance"]
    told = " ".join(page.words)
    assert "weight 0" not in told and "Motion is" not in told


def test_videos_say_what_is_in_sample(evaluated):
    words = Page(render_report(evaluated())).words
    captions = [word for word in words if " · AUC: paper " in word]
    assert len(captions) == len(NAMES)
    assert all(caption.endswith(", in-sample") for caption in captions)
