"""A run as one page of HTML."""

import dataclasses
import html.parser
import json
import re
import types

import numpy as np
import pytest

from lgn_tf.alarms import events
from lgn_tf.evaluation import baselines, keyframes, notes, results, tables
from lgn_tf.evaluation.evaluate import evaluate_scores
from lgn_tf.evaluation.results import KindArea, KindResult
from lgn_tf.report.page import _flat, render_report, write_report
from lgn_tf.runs.provenance import Provenance
from lgn_tf.scores import video_scores
from tests.helpers.drawn_scores import draw, opposition

NAMES = ("01", "<script>alert(1)<", "a&b")
LABELS = np.zeros(30, np.uint8)
LABELS[10:20] = 1
NUMBERS = np.random.default_rng(5)


@pytest.fixture
def evaluated(tmp_path):
    """Writes an evaluation, and returns the run directory."""

    def make(
        *,
        labels=True,
        masks=True,
        shown=True,
        moved=True,
        copying=30.0,
        weights=types.MappingProxyType({"error": 1.0, "distance": 0.0}),
        **kinds,
    ):
        run_dir = tmp_path / "run <1>"
        folder = run_dir / "evaluation"
        videos = [draw(name, LABELS, **kinds) for name in NAMES]
        truth = {name: LABELS for name in NAMES} if labels else None
        for video in videos:
            video_scores.write_scores(
                video, folder, LABELS[4:] if labels else None
            )
            if shown:
                frames = NUMBERS.integers(0, 255, (2, 16, 32, 1), np.uint8)
                keyframes.write_keyframe(folder, video.name, 12, *frames)
                if moved:
                    cells = NUMBERS.uniform(0, 1e-2, (30, 60))
                    keyframes.add_motion(folder, video.name, 12, cells)
        marks = np.zeros((30, 8, 16), bool)
        marks[10:20, 2:4, 3:9] = True
        found = evaluate_scores(
            video_scores.ScoreFolder(folder),
            truth,
            Provenance(
                dataset="ped2",
                label_version="ucsd <1>",
                normality_weight=0.6 if kinds.get("memory", True) else 1.0,
                in_sample=True,
                holdout=2,
                cue_weights=dict(weights),
            ),
            masks=(lambda _: marks) if masks else None,
            baselines={
                name: opposition(26, LABELS[4:], seed=place, copying=copying)
                for place, name in enumerate(NAMES)
            },
        )
        results.write_results(found, folder)
        return run_dir

    return make


class Page(html.parser.HTMLParser):
    """Collects tags, and checks that they close in order."""

    VOID = ("meta", "img", "br", "link", "input")

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.words = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def named(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def anchors(page):
    return [attrs["href"] for attrs in page.named("a")]


def test_a_whole_report(evaluated):
    run_dir = evaluated()
    (run_dir / "config.json").write_text('{"model": {"width": 0.25}}')
    (run_dir / "environment.json").write_text('{"command": ["<a>", 1]}')
    (run_dir / "log.csv").write_text(
        "epoch,loss,val_loss\n1,0.5,\n2,0.25,0.3\n"
    )
    path = write_report(run_dir)
    assert path == run_dir / "report.html"
    page = Page(path.read_text(encoding="utf-8"))
    assert anchors(page) == [
        "#result",
        "#frames",
        "#videos",
        "#pictures",
        "#places",
        "#training",
        "#numbers",
        "#setup",
    ]
    targets = [attrs.get("id") for attrs in page.named("section")]
    assert [f"#{name}" for name in targets] == anchors(page)
    words = " ".join(page.words)
    found = results.read_results(run_dir / "evaluation")
    for name in ("paper", "online"):
        assert f"{100 * found.scores[name].micro_auc:.1f}" in words
    for text in ("97.1", "In-sample", "K = 2", "ucsd <1>", "derived tracks"):
        assert text in words
    for name in baselines.BASELINES:
        assert f"without a model: {name}" in words
    for verdict in notes.verdicts(found):
        assert verdict in page.words
    assert len(found.comparisons) == 2
    assert "model.width" in words and '["<a>", 1]' in words


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


def test_names_are_escaped(evaluated):
    text = render_report(evaluated())
    page = Page(text)
    # The page's own script is the only one.
    assert len(page.named("script")) == 1
    assert "alert(1)" not in text[text.index("(() =>") :]
    assert "Video <script>alert(1)<" in page.words
    assert "Video a&b" in page.words
    assert any(
        attrs.get("alt") == "frame of frame 12 of video <script>alert(1)<"
        for attrs in page.named("img")
    )


def test_nothing_lies_outside_the_page(evaluated):
    text = render_report(evaluated())
    page = Page(text)
    for _, attrs in page.tags:
        for name in ("src", "href", "xlink:href", "srcset", "action", "data"):
            assert attrs.get(name, "#").startswith(("#", "data:image/jpeg;")), (
                attrs
            )
    assert not re.findall(r"url\((?!#)|@import", text)
    [policy] = [
        attrs["content"]
        for attrs in page.named("meta")
        if attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'")


def test_what_is_drawn_is_told(evaluated):
    page = Page(render_report(evaluated()))
    assert all(attrs.get("alt") for attrs in page.named("img"))
    assert all(attrs.get("aria-label") for attrs in page.named("svg"))
    zooms = [b for b in page.named("button") if b.get("class") == "zoom"]
    assert len(zooms) == len(page.named("figure")) and all(
        zoom["aria-label"] for zoom in zooms
    )
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert len(page.named("img")) == 3 * 6


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


def test_figures_are_files_too(evaluated):
    run_dir = evaluated()
    write_report(run_dir)
    names = {path.name for path in (run_dir / "figures").iterdir()}
    assert {f"normality-{name}.svg" for name in NAMES} < names
    assert {"roc.svg", "gap.svg", "regions-and-tracks.svg"} < names
    charts = len(Page(render_report(run_dir)).named("svg"))
    assert len(names) == charts
    for path in (run_dir / "figures").iterdir():
        assert "var(" not in path.read_text()


def test_figures_beside_another_page_are_left_alone(evaluated, tmp_path):
    mine = tmp_path / "paper" / "figures" / "mine.svg"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    write_report(evaluated(), tmp_path / "paper" / "report.html")
    assert mine.read_text() == "mine"


def test_a_failure_leaves_the_old_report(evaluated):
    run_dir = evaluated()
    path = write_report(run_dir)
    before = path.read_bytes()
    (run_dir / "evaluation" / "results.json").write_text("{")
    with pytest.raises(ValueError, match=r"results\.json"):
        write_report(run_dir)
    assert path.read_bytes() == before
    assert not list(run_dir.glob("*partial*"))


def test_a_run_that_was_not_evaluated(tmp_path):
    with pytest.raises(FileNotFoundError, match="run `lgn evaluate` first"):
        write_report(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("config.json", "{", "config.json: not a JSON file"),
        ("environment.json", "", "environment.json: not a JSON file"),
        ("log.csv", "epoch,loss\n1,x\n", "log.csv: must be a table of numbers"),
    ],
)
def test_damaged_files(evaluated, name, text, message):
    run_dir = evaluated(shown=False, masks=False)
    (run_dir / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        write_report(run_dir)


def test_settings_are_flat():
    values = json.loads('{"a": {"b": [1, 2], "c": "x"}, "d": null}')
    assert _flat(values, "") == [
        ("a.b", "[1, 2]"),
        ("a.c", "x"),
        ("d", "null"),
    ]
