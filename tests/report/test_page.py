"""A run as one page of HTML."""

import json
import re

import pytest

from lgn_tf.evaluation import baselines, notes, results
from lgn_tf.report.page import _flat, render_report, write_report
from tests.report.parsed_page import NAMES, Page, anchors


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


def test_figures_are_files_too(evaluated):
    run_dir = evaluated()
    write_report(run_dir)
    names = {path.name for path in (run_dir / "figures").glob("*.svg")}
    assert {f"normality-{name}.svg" for name in NAMES} < names
    assert {"roc.svg", "gap.svg", "regions-and-tracks.svg"} < names
    charts = len(Page(render_report(run_dir)).named("svg"))
    assert len(names) == charts
    for name in names:
        assert "var(" not in (run_dir / "figures" / name).read_text()


def test_figures_beside_another_page_are_left_alone(evaluated, tmp_path):
    mine = tmp_path / "paper" / "figures" / "mine.svg"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    write_report(evaluated(), tmp_path / "paper" / "report.html")
    assert mine.read_text() == "mine"


def test_a_page_elsewhere_writes_nothing_into_the_run(evaluated, tmp_path):
    run_dir = evaluated()
    before = {path: path.stat().st_mtime_ns for path in run_dir.rglob("*")}
    before[run_dir] = run_dir.stat().st_mtime_ns
    for _ in range(2):  # The second takes the place of the first.
        path = write_report(run_dir, tmp_path / "paper" / "page.html")
    assert {each: each.stat().st_mtime_ns for each in before} == before
    assert set(run_dir.rglob("*")) | {run_dir} == set(before)
    assert path.is_file()
    assert (path.parent / "page-figures" / "roc.svg").is_file()


def test_a_file_that_is_no_report_is_not_overwritten(evaluated, tmp_path):
    run_dir = evaluated()
    thesis = tmp_path / "thesis.html"
    thesis.write_text("<!doctype html><title>my thesis</title>")
    for path in (thesis, run_dir / "evaluation/results.json"):
        before = path.read_bytes() if path.is_file() else None
        with pytest.raises(FileExistsError, match="is no report, and is not"):
            write_report(run_dir, path)
        assert before is None or path.read_bytes() == before
    assert not (tmp_path / "thesis-figures").exists()


def test_figures_that_we_did_not_draw_are_not_overwritten(evaluated):
    run_dir = evaluated()
    path = write_report(run_dir)
    before = path.read_bytes()
    mine = run_dir / "figures" / "mine.svg"
    mine.write_text("mine")
    with pytest.raises(FileExistsError, match=r"figures is not .*mine\.svg"):
        write_report(run_dir)
    assert mine.read_text() == "mine" and path.read_bytes() == before


@pytest.mark.parametrize("out", ["x.html", "x-figures/../x.html"])
def test_figures_of_ones_own_stay(evaluated, tmp_path, out):
    run_dir, mine = evaluated(), tmp_path / "x-figures" / "drawing.svg"
    mine.parent.mkdir()
    mine.write_text("mine")
    with pytest.raises(FileExistsError, match=r"x-figures is.*drawing\.svg"):
        write_report(run_dir, tmp_path / out)
    assert mine.read_text() == "mine"
    mine.unlink()
    for _ in range(2):
        assert write_report(run_dir, tmp_path / out).is_file()
    assert any(mine.parent.glob("*.svg"))


def test_figures_of_a_first_version_are_replaced(evaluated):
    run_dir = evaluated()
    write_report(run_dir)
    (run_dir / "figures" / ".lgn.json").unlink()
    write_report(run_dir)
    assert (run_dir / "figures" / ".lgn.json").is_file()


def test_a_link_out_of_a_run_is_not_shown(evaluated, tmp_path):
    run_dir, secret = evaluated(), tmp_path / "secret.json"
    secret.write_text('{"token": "hidden"}')
    (run_dir / "environment.json").unlink(missing_ok=True)
    (run_dir / "environment.json").symlink_to(secret)
    with pytest.raises(ValueError, match=r"environment\.json: a link must not"):
        write_report(run_dir)
    assert not (run_dir / "report.html").exists()


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
