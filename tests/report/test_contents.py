"""What a report says of the results."""

import dataclasses

import pytest

from lgn_tf.evaluation.results import (
    MapResult,
    Opponent,
    Provenance,
    Results,
    ScoreResult,
    VideoResult,
)
from lgn_tf.evaluation.roc import Curve
from lgn_tf.report import captioned_charts, contents

CURVE = Curve((0.0, 0.2, 1.0), (0.0, 0.7, 1.0))
WHOLE = Results(
    provenance=Provenance(
        dataset="ped2",
        normality_weight=0.6,
        in_sample=False,
        seed=3,
        epochs=6,
        weights="last epoch",
    ),
    scores={
        "paper": ScoreResult(0.75, 0.7, 0.2, 0.125, CURVE, (0.6, 0.8)),
        "online": ScoreResult(0.8, 0.7, 0.2, 0.25, CURVE),
    },
    baselines={
        "position": Opponent(0.6, 0.55),
        "flow": Opponent(
            *(0.7, None, 0.4, 3.0, CURVE, (0.5, 0.9)),
            online=True,
            milliseconds=10.0,
        ),
    },
    maps={"error": MapResult(0.9, 0.25, 0.5, CURVE, CURVE)},
    videos=(VideoResult("01", 1046, 30, 2, 0.9, 0.8),),
    scored_frames=1046,
    abnormal_frames=30,
    one_class_videos=0,
    gain=0.5,
    regions=40,
    tracks=2,
    lambda_sweep=((0.0, 0.5), (1.0, 0.6)),
    gamma_sweep=((0.0, 0.5), (0.1, 0.6)),
)
BARE = dataclasses.replace(
    WHOLE,
    provenance=Provenance(),
    scores={"paper": ScoreResult()},
    baselines={},
    maps={},
    abnormal_frames=None,
    lambda_sweep=(),
    gamma_sweep=(),
)


def test_the_headline_stands_beside_all_it_must():
    paper, online, trivial, published = contents.cards(WHOLE)
    assert (paper.share, online.share) == (0.75, 0.8)
    assert trivial.share == 0.7 and trivial.why.endswith(": flow.")
    assert paper.interval == (0.6, 0.8) and trivial.interval == (0.5, 0.9)
    assert online.interval is None
    assert published.share == 0.971
    assert "In-sample" not in online.why


@pytest.mark.parametrize(
    ("dataset", "share"), [("avenue", 0.893), ("shanghaitech", 0.730)]
)
def test_published_numbers(dataset, share):
    stand = dataclasses.replace(WHOLE.provenance, dataset=dataset)
    found = dataclasses.replace(WHOLE, provenance=stand)
    assert contents.cards(found)[-1].share == share
    rows = contents.rows(found)
    assert [row.published for row in rows] == [share, None, None, None]


def test_a_calibration_in_sample_is_said():
    stand = dataclasses.replace(WHOLE.provenance, in_sample=True)
    found = dataclasses.replace(WHOLE, provenance=stand)
    assert contents.cards(found)[1].why.endswith("In-sample.")
    titles = [row.title for row in contents.rows(found)]
    assert titles[:2] == [
        "paper (whole video)",
        "online (past alone), in-sample",
    ]
    roc = captioned_charts.frame_charts(found)[0]
    assert "online, in-sample: 80.0" in roc.svg
    assert "in-sample" not in captioned_charts.frame_charts(WHOLE)[0].svg


def test_sweeps_show_the_online_score():
    for figure in captioned_charts.frame_charts(WHOLE)[2:]:
        assert "online: 80.0 %" in figure.svg


def test_without_labels_and_calibration():
    cards = contents.cards(BARE)
    assert [card.share for card in cards] == [None, None, None]
    assert cards[2].why == "What any detector has to beat."
    assert cards[1].why == "The run has no calibration."
    assert captioned_charts.frame_charts(BARE) == []
    assert captioned_charts.map_charts(BARE) == []
    assert contents.subtitle(BARE) == (
        "own videos · 1 test videos · 1,046 scored frames · seed 0"
    )


def test_subtitle():
    assert contents.subtitle(WHOLE) == (
        "ped2 · 1 test videos · 1,046 scored frames · 30 abnormal · weights of "
        "the last epoch, 6 epochs · seed 3"
    )
    counted = dataclasses.replace(WHOLE.provenance, steps=1600)
    found = dataclasses.replace(WHOLE, provenance=counted)
    assert "last epoch, 1,600 steps · seed 3" in contents.subtitle(found)


def test_rows():
    rows = contents.rows(WHOLE)
    assert [row.title for row in rows] == [
        "paper (whole video)",
        "online (past alone)",
        "without a model: position",
        "without a model: flow",
    ]
    assert [row.micro_auc for row in rows] == [0.75, 0.8, 0.6, 0.7]
    assert [row.macro_auc for row in rows] == [0.7, 0.7, 0.55, None]
    assert [row.eer for row in rows] == [0.2, 0.2, None, 0.4]
    assert [row.interval for row in rows] == [
        (0.6, 0.8),
        None,
        None,
        (0.5, 0.9),
    ]
    assert [row.milliseconds for row in rows] == [None, None, 0.0, 10.0]
    assert [row.published for row in rows] == [0.971, None, None, None]


def test_charts_of_what_is_there():
    titles = [figure.title for figure in captioned_charts.frame_charts(WHOLE)]
    assert titles == ["ROC", "Gap", "AUC by λ", "AUC by γ"]
    assert ">flow: 70.0<" in captioned_charts.frame_charts(WHOLE)[0].svg
    without = dataclasses.replace(WHOLE, lambda_sweep=(), gamma_sweep=())
    titles = [figure.title for figure in captioned_charts.frame_charts(without)]
    assert titles == ["ROC", "Gap"]
    [figure] = captioned_charts.map_charts(WHOLE)
    assert figure.caption == "40 abnormal regions in 2 derived tracks."


def test_charts_of_the_columns_that_a_log_has():
    log = [{"epoch": 1.0, "loss": 3.0, "items_in_use": 4.0, "seconds": 9.0}]
    titles = [figure.title for figure in captioned_charts.training_charts(log)]
    assert titles == ["Loss", "Memory items in use"]
    assert captioned_charts.training_charts([]) == []


def test_sections_that_hold_something():
    shown = {"frame_charts": [1], "pictures": [], "map_charts": []}
    shown |= {"event_rows": [], "kind_rows": []}
    anchors = [
        anchor
        for anchor, _ in contents.sections(shown | {"training_charts": []})
    ]
    assert anchors == ["result", "frames", "videos", "numbers", "setup"]
