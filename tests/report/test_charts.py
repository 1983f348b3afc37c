"""Charts that take their colours from the page."""

import re
import xml.etree.ElementTree as ElementTree

import matplotlib
import pytest

from lgn_tf.report import charts

SVG = "{http://www.w3.org/2000/svg}"


def drawn(name="one", alternative="a line"):
    with charts.chart() as chart:
        for place in range(4):
            chart.line([0, 1, 2], [place, 1, 0], f"line {place}", place)
        chart.label("across", "up")
        chart.legend()
        return chart.svg(name, alternative)


def test_every_colour_is_a_variable():
    text = drawn()
    assert "#0102" not in text
    for name in ("first", "second", "third", "fourth", "grid", "ink", "muted"):
        assert f"var(--{name}, {charts.COLOURS[name]})" in text
    literal = set(re.findall(r"(?<!, )#[0-9a-f]{6}", text))
    assert not literal, "colours that do not follow the page"


def test_lines_differ_without_colours_too():
    assert len({dashes for _, dashes in charts.LINES}) == len(charts.LINES)
    assert len({colour for colour, _ in charts.LINES}) == len(charts.LINES)


def test_an_element_that_stands_in_a_page():
    root = ElementTree.fromstring(drawn(alternative='<a "line"> & more'))
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert root.get("aria-label") == '<a "line"> & more'
    assert root.get("width") is None, "as wide as what it lies in"
    assert root.get("viewBox").startswith("0 0 ")
    letters = {node.text for node in root.iter(f"{SVG}text")}
    assert {"across", "up", "line 0"} <= letters


def test_two_charts_share_no_names():
    names = [set(re.findall(r' id="([^"]*)"', drawn(n))) for n in "ab"]
    assert names[0] and not names[0] & names[1]
    for text in (drawn("a"), drawn("b")):
        used = set(re.findall(r'(?:href="|url\()#([^")]*)', text))
        assert used <= set(re.findall(r' id="([^"]*)"', text))


def test_the_same_chart_is_the_same_text():
    assert drawn() == drawn()
    assert "<metadata" not in drawn() and "http://purl.org" not in drawn()


def test_settings_stay_as_they_were():
    before = dict(matplotlib.rcParams)
    drawn()
    assert dict(matplotlib.rcParams) == before


def test_a_legend_above_lies_above():
    with charts.chart() as chart:
        chart.line([0, 1], [0, 1], "one", 0)
        chart.legend(above=True)
        text = chart.svg("above", "")
    assert ">one<" in text


def test_an_unknown_variable():
    with pytest.raises((KeyError, ValueError)):
        charts.marker("pink")


def test_a_file_of_its_own_needs_no_page():
    text = charts.standalone(drawn())
    assert "var(" not in text
    assert charts.COLOURS["first"] in text
    assert ElementTree.fromstring(text).tag == f"{SVG}svg"
