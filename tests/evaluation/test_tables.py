"""Tables of an evaluation, as they are printed."""

import dataclasses
import io

import rich.console

from lgn_tf.alarms.events import EventResult
from lgn_tf.alarms.thresholds import Promise
from lgn_tf.evaluation import tables
from lgn_tf.evaluation.results import (
    KindArea,
    KindResult,
)
from tests.evaluation.drawn_results import KINDS, RESULTS, changed, printed

SOME = EventResult(
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
NONE = EventResult(
    rate=1.0,
    supported=False,
    threshold=None,
    events=12,
    normal_hours=0.01,
    calibration_minutes=4.25,
    promise=None,
)


def test_events_by_score_and_rate():
    found = dataclasses.replace(
        RESULTS, events={"online": (NONE, SOME)}, frame_rate=10.0
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
    always = dataclasses.replace(NONE, supported=True)
    found = dataclasses.replace(found, events={"online": (always,)})
    console.print(tables.event_table(found))
    assert "no threshold keeps it" in console.file.getvalue()


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


def test_a_calibration_on_fitted_clips_is_marked_in_its_row():
    rows = printed(tables.score_table(changed(in_sample=True))).splitlines()
    [row] = [line for line in rows if "in-sample  " in line]
    assert "online (past alone), in-sample" in row
    assert "in-sample" not in printed(tables.score_table(RESULTS))


def test_maps_mark_derived_tracks():
    text = printed(tables.map_table(RESULTS))
    assert "derived tracks" in text
    assert "50.0" in text and "25.0" in text
