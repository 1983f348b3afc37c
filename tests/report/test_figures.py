"""The figures of a report."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from lgn_tf.evaluation.results import MapResult, ScoreResult
from lgn_tf.evaluation.roc import Curve
from lgn_tf.report import charts, figures
from tests.helpers.drawn_scores import draw

SPAN = charts.COLOURS["span"]
LABELS = np.zeros(30, np.uint8)
LABELS[[6, 7, 8, 20]] = 1


def told(svg):
    return ElementTree.fromstring(svg).get("aria-label")


def lines(svg, name):
    """How many strokes have a colour."""
    return len(re.findall(rf"stroke: var\(--{name},", svg))


def test_spans_are_places_in_the_video():
    assert figures.spans(LABELS[4:], 4) == [(6, 8), (20, 20)]
    assert figures.spans(None, 4) == []
    assert figures.spans(np.zeros(3, np.uint8), 4) == []
    assert figures.spans(np.ones(3, np.uint8), 4) == [(4, 6)]


def test_curves_of_a_video():
    svg = figures.curves_of(draw("01", LABELS), LABELS[4:], 0.6)
    assert told(svg) == (
        "Normality of video 01 by frame; abnormal frames: 6 to 8, 20 to 20"
    )
    assert svg.count(f"fill: var(--span, {SPAN})") == 2
    assert lines(svg, "first") == lines(svg, "second") == 1


def test_curves_without_labels_and_calibration():
    scores = draw("<b>&", LABELS, online=False, memory=False)
    svg = figures.curves_of(scores, None, 1.0)
    assert told(svg) == "Normality of video <b>& by frame; no abnormal span"
    assert "<b>" not in svg
    assert SPAN not in svg and lines(svg, "second") == 0


CURVE = Curve((0.0, 0.2, 1.0), (0.0, 0.7, 1.0))
SCORES = {
    "paper": ScoreResult(0.75, 0.7, 0.2, 0.125, CURVE),
    "online": ScoreResult(0.8, 0.7, 0.2, 0.25, CURVE),
    "psnr": ScoreResult(),
}


def test_roc():
    svg = figures.roc(
        SCORES, {"paper": "paper", "psnr": "PSNR", "online": "live"}
    )
    assert told(svg) == "ROC curves; areas: paper: 75.0, live: 80.0"
    assert ">live: 80.0<" in svg and "PSNR" not in svg


def test_gaps():
    svg = figures.gaps(
        SCORES, {"paper": "paper", "online": "live", "none": "none"}
    )
    assert told(svg) == "Gap scores: paper 0.125, live 0.250"
    assert ">0.125<" in svg and ">live<" in svg


def test_a_sweep_marks_what_was_used():
    svg = figures.sweep([(0.0, 0.5), (0.5, 0.75)], "lambda", 0.3)
    assert told(svg) == (
        "Micro AUC by lambda: highest, 75.0 %, at 0.5; used: 0.3"
    )
    assert ">0.3<" in svg and lines(svg, "third") == 1
    assert lines(svg, "second") == 0


def test_online_stands_in_a_sweep():
    svg = figures.sweep([(0.0, 0.5), (0.5, 0.75)], "gamma", 0.3, 0.8)
    assert told(svg).endswith("used: 0.3; online: 80.0 %")
    # And once more in the legend.
    assert ">online<" in svg and lines(svg, "second") == 2


def test_regions():
    maps = {
        "error": MapResult(0.9, 0.25, 0.5, CURVE, CURVE),
        "online": MapResult(0.9, None, None),
    }
    svg = figures.regions(maps)
    assert told(svg) == (
        "Abnormal regions and tracks found; areas: "
        "regions, error map: 25.0, tracks, error map: 50.0"
    )


@pytest.mark.parametrize("epochs", [1, 40])
def test_training(epochs):
    log = [{"epoch": k + 1.0, "loss": 1 / (k + 1)} for k in range(epochs)]
    log[-1]["val_loss"] = 3.0
    svg = figures.training(
        log, {"loss": "training", "val_loss": "validation"}, "loss"
    )
    assert told(svg) == (
        f"Over {epochs} epochs, at the end: training {1 / epochs:.4g}, "
        "validation 3"
    )
    assert ">validation<" in svg
