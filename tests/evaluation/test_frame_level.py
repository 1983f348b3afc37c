"""From the scores of all videos to the numbers that are reported."""

import dataclasses

import numpy as np
import pytest

from lgn_tf.evaluation import frame_level
from lgn_tf.evaluation.evaluate import evaluate_scores
from lgn_tf.scores import grids, smoothing
from lgn_tf.scores.normality import normality
from tests.evaluation.drawn_set import (
    LABELS,
    OPPOSITION,
    ORIGIN,
    VIDEOS,
    calibrated,
    pairs,
)
from tests.helpers.drawn_scores import draw


def wanted():
    return np.concatenate([labels[4:] for labels in LABELS.values()])


def test_micro_areas_by_counting():
    result = evaluate_scores(VIDEOS, LABELS, ORIGIN)
    by_hand = {
        "paper": [1 - normality(v.psnr, v.distance, 0.6) for v in VIDEOS],
        "online": [v.online for v in VIDEOS],
        "psnr": [1 - normality(v.psnr, None, 1) for v in VIDEOS],
        "psnr raw": [-v.psnr for v in VIDEOS],
        "distance": [1 - normality(v.psnr, v.distance, 0) for v in VIDEOS],
        "distance raw": [v.distance for v in VIDEOS],
        "cue error": [
            grids.largest(v.error_map, grids.ERROR_SHARE) for v in VIDEOS
        ],
        "cue distance": [
            grids.largest(v.distance_map, grids.DISTANCE_SHARE) for v in VIDEOS
        ],
    }
    assert list(result.scores) == list(by_hand)
    for name, series in by_hand.items():
        found = np.concatenate(series)
        measured = result.scores[name]
        assert measured.micro_auc == pytest.approx(
            pairs(wanted(), found), abs=1e-9
        ), name
        assert measured.gap == pytest.approx(
            found[wanted() == 1].mean() - found[wanted() == 0].mean()
        )
        assert 0 < measured.eer < 0.8
        assert measured.curve.y[-1] == 1
    assert result.scores["paper"].micro_auc == frame_level.paper_auc(
        VIDEOS, LABELS, 0.6
    )


def test_areas_of_the_videos_and_their_mean():
    result = evaluate_scores(VIDEOS, LABELS, ORIGIN)
    first, second, third, fourth = result.videos
    assert third.paper_auc is None and fourth.online_auc is None
    assert first.online_auc == pytest.approx(
        pairs(LABELS["01"][4:], VIDEOS[0].online)
    )
    assert second.paper_auc == pytest.approx(
        pairs(
            LABELS["02"][4:],
            1 - normality(VIDEOS[1].psnr, VIDEOS[1].distance, 0.6),
        )
    )
    appended = [
        pairs([*[0] * 46, 0, 1], [*VIDEOS[2].online, 0, 1]),
        pairs([*[1] * 46, 0, 1], [*VIDEOS[3].online, 0, 1]),
    ]
    assert result.scores["online"].macro_auc == pytest.approx(
        np.mean([first.online_auc, second.online_auc, *appended])
    )
    assert result.scores["paper"].macro_auc is not None
    assert result.scores["psnr raw"].macro_auc is None
    assert result.scores["distance raw"].macro_auc is None


def test_lambda_sweep():
    result = evaluate_scores(VIDEOS, LABELS, ORIGIN)
    sweep = dict(result.lambda_sweep)
    assert list(sweep) == [round(k / 20, 2) for k in range(21)]
    assert sweep[1.0] == result.scores["psnr"].micro_auc
    assert sweep[0.0] == pytest.approx(result.scores["distance"].micro_auc)
    assert sweep[0.6] == result.scores["paper"].micro_auc
    other = dataclasses.replace(ORIGIN, normality_weight=0.3)
    again = evaluate_scores(VIDEOS, LABELS, other)
    assert again.scores["paper"].micro_auc == sweep[0.3]


def test_the_motion_joins_the_online_score():
    fitted = calibrated({"error": 1.0, "motion": 0.5})
    result = evaluate_scores(
        VIDEOS, LABELS, ORIGIN, baselines=OPPOSITION, calibration=fitted
    )
    flow = [one.moved for one in OPPOSITION.values()]
    scale = fitted.scales["error"]
    assert scale.min() < 1
    errors = [
        grids.largest(v.error_map, grids.ERROR_SHARE, scale) for v in VIDEOS
    ]
    joined = [
        fitted.score({"error": e, "motion": f}, ("error", "motion"))
        for e, f in zip(errors, flow, strict=True)
    ]
    for name, series in (("cue motion", flow), ("online motion", joined)):
        assert result.scores[name].micro_auc == pytest.approx(
            pairs(wanted(), np.concatenate(series)), abs=1e-9
        )
    assert result.scores["online motion"].macro_auc is not None
    # Beside the best opponent that a camera could have.
    assert result.comparisons["online motion"].opponent in (
        "global difference",
        "local difference",
        "local optical flow",
    )


@pytest.mark.parametrize(
    ("fitted", "opposing"),
    [
        (None, OPPOSITION),
        (calibrated({"error": 1.0, "motion": 0.0}), OPPOSITION),
        (calibrated({"error": 1.0, "motion": 1.0}, motion=False), OPPOSITION),
        (calibrated({"error": 1.0, "motion": 1.0}), None),
    ],
)
def test_without_motion_there_is_one_online_score(fitted, opposing):
    result = evaluate_scores(
        VIDEOS, LABELS, ORIGIN, baselines=opposing, calibration=fitted
    )
    assert "online motion" not in result.scores
    assert ("cue motion" in result.scores) == (opposing is not None)


def test_smoothing_is_of_every_online_score():
    result = evaluate_scores(
        VIDEOS,
        LABELS,
        ORIGIN,
        baselines=OPPOSITION,
        calibration=calibrated({"error": 1.0, "motion": 0.5}),
        smoothing=0.25,
    )
    smoothed = [name for name in result.scores if name.endswith("smoothed")]
    assert smoothed == ["online smoothed", "online motion smoothed"]


def test_a_model_without_memory_and_calibration():
    videos = [
        draw(name, labels, memory=False, online=False)
        for name, labels in LABELS.items()
    ]
    origin = dataclasses.replace(ORIGIN, normality_weight=1.0)
    result = evaluate_scores(videos, LABELS, origin)
    assert list(result.scores) == ["paper", "psnr", "psnr raw", "cue error"]
    assert result.lambda_sweep == ()
    assert all(one.online_auc is None for one in result.videos)


def test_constant_series_say_nothing():
    videos = [
        dataclasses.replace(
            video, psnr=np.full(46, 30.0), distance=np.full(46, 1e-3)
        )
        for video in VIDEOS
    ]
    result = evaluate_scores(videos, LABELS, ORIGIN)
    for name in ("paper", "psnr", "distance", "psnr raw"):
        assert result.scores[name].micro_auc == 0.5
        assert result.scores[name].gap == 0


def test_smoothing_is_causal():
    result = evaluate_scores(VIDEOS, LABELS, ORIGIN, smoothing=0.25)
    smoothed = [smoothing.smooth(v.online, 0.25) for v in VIDEOS]
    assert result.scores["online smoothed"].micro_auc == pytest.approx(
        pairs(wanted(), np.concatenate(smoothed))
    )
    same = evaluate_scores(VIDEOS, LABELS, ORIGIN, smoothing=1.0)
    assert same.scores["online smoothed"] == same.scores["online"]
