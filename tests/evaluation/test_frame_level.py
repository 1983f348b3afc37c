"""From the scores of all videos to the numbers that are reported."""

import dataclasses
import re

import numpy as np
import pytest

from lgn_tf.alarms import events
from lgn_tf.data.synthetic import walkways
from lgn_tf.evaluation import baselines, frame_level, results
from lgn_tf.evaluation.evaluate import evaluate_scores
from lgn_tf.runs.provenance import Provenance
from lgn_tf.scores import fitting, grids, smoothing, video_scores
from lgn_tf.scores.normality import normality
from tests.helpers.drawn_scores import draw, opposition

SPANS = {"01": (20, 40), "02": (5, 12), "03": (0, 0), "04": (4, 50)}
LABELS = {
    name: np.array([start <= k < end for k in range(50)], np.uint8)
    for name, (start, end) in SPANS.items()
}
VIDEOS = [draw(name, labels) for name, labels in LABELS.items()]
ORIGIN = Provenance(dataset="drawn", normality_weight=0.6)


def pairs(labels, scores):
    """The area by counting: how often an abnormal frame scores higher."""
    labels, scores = np.asarray(labels), np.asarray(scores)
    high, low = scores[labels == 1][:, None], scores[labels == 0][None]
    return np.mean((high > low) + 0.5 * (high == low))


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


def test_counts():
    result = evaluate_scores(VIDEOS, LABELS, ORIGIN)
    assert result.scored_frames == 4 * 46
    assert result.abnormal_frames == 20 + 7 + 0 + 46
    # 03 is normal and 04 abnormal throughout.
    assert result.one_class_videos == 2
    assert [v.name for v in result.videos] == list(LABELS)
    assert [v.abnormal for v in result.videos] == [20, 7, 0, 46]
    assert [v.frames for v in result.videos] == [46] * 4
    for one, scores in zip(result.videos, VIDEOS, strict=True):
        assert one.updated == np.count_nonzero(scores.updated)
    assert result.provenance == ORIGIN


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


def calibrated(weights, motion=True):
    """A calibration on drawn normal videos of 46 frames each."""
    normal = [draw(f"n{k}", np.zeros(50)) for k in range(3)]
    random = np.random.default_rng(3)
    flow = [random.gamma(2.0, 1e-3, (46, 6, 8)) for _ in normal]
    return fitting.fit(
        normal,
        in_sample=False,
        weights=weights,
        motion=flow if motion else None,
    )


OPPOSITION = {name: opposition(46, seed=k) for k, name in enumerate(LABELS)}


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


def test_events_take_their_thresholds_from_the_calibration():
    fitted = calibrated({"error": 1.0, "motion": 0.5})
    given = {
        "baselines": OPPOSITION,
        "calibration": fitted,
        "frame_rate": 2.0,
    }
    result = evaluate_scores(VIDEOS, LABELS, ORIGIN, **given)
    assert list(result.events) == ["online", "online motion"]
    assert result.frame_rate == 2.0
    usual = fitted.score(fitted.cues, ("error",))
    expected = events.evaluate_alarms(
        [v.online for v in VIDEOS],
        [labels[4:] for labels in LABELS.values()],
        [usual[:46], usual[46:92], usual[92:]],
        2.0,
    )
    assert result.events["online"] == expected
    # 138 frames at two a second: more than a minute, less than ten.
    assert [one.supported for one in expected] == [False, False, True]
    for missing in ("calibration", "frame_rate"):
        result = evaluate_scores(
            VIDEOS, LABELS, ORIGIN, **(given | {missing: None})
        )
        assert result.events == {}
    assert evaluate_scores(VIDEOS, None, ORIGIN, **given).events == {}


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


def test_without_labels():
    result = evaluate_scores(VIDEOS, None, ORIGIN, smoothing=0.2)
    assert result.abnormal_frames is None
    assert result.scored_frames == 4 * 46
    assert all(s.micro_auc is None for s in result.scores.values())
    assert result.lambda_sweep == () and result.baselines == {}
    assert result.comparisons == {} and result.gain is None
    assert [v.abnormal for v in result.videos] == [None] * 4


@pytest.mark.parametrize("mark", [0, 1])
def test_one_class_overall(mark):
    labels = {name: np.full(50, mark, np.uint8) for name in LABELS}
    given = {video.name: opposition(46) for video in VIDEOS}
    result = evaluate_scores(VIDEOS, labels, ORIGIN, baselines=given)
    assert result.abnormal_frames == mark * 4 * 46
    assert all(
        (s.micro_auc, s.macro_auc, s.eer, s.gap, s.curve) == (None,) * 5
        for s in result.scores.values()
    )
    assert result.lambda_sweep == () and result.baselines == {}
    assert result.comparisons == {} and result.draws == 0
    assert result.one_class_videos == 4


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


def test_baselines_are_those_of_the_data():
    walkway = walkways.draw(1, train=0, test=3, frames=40, size=(32, 48))
    labels = {clip.name: clip.labels for clip in walkway.test}
    videos = [draw(name, marks) for name, marks in labels.items()]
    given = {
        clip.name: baselines.score_without_model(
            clip.name, [clip.frames], clip.frames
        )
        for clip in walkway.test
    }
    result = evaluate_scores(videos, labels, ORIGIN, baselines=given)
    expected = baselines.baseline_aucs(
        [clip.frames for clip in walkway.test], list(labels.values())
    )
    areas = {name: one.micro_auc for name, one in result.baselines.items()}
    assert areas == pytest.approx(expected)
    copying = np.concatenate([one.copying for one in given.values()])
    psnr = np.concatenate([video.psnr for video in videos])
    assert result.gain == pytest.approx(psnr.mean() - copying.mean())


def test_variation_is_that_of_all_distances():
    distance = np.concatenate([video.distance for video in VIDEOS])
    found = evaluate_scores(VIDEOS, None, ORIGIN).distance_variation
    assert found == pytest.approx(distance.std() / distance.mean())
    still = [
        dataclasses.replace(video, distance=0 * video.distance)
        for video in VIDEOS
    ]
    assert evaluate_scores(still, None, ORIGIN).distance_variation == 0
    none = [dataclasses.replace(video, distance=None) for video in VIDEOS]
    origin = dataclasses.replace(ORIGIN, normality_weight=1.0)
    assert evaluate_scores(none, None, origin).distance_variation is None


def test_videos_are_read_when_asked_and_results_go_to_json(tmp_path):
    for video in VIDEOS:
        video_scores.write_scores(video, tmp_path)
    masks = {
        n: np.repeat(m, 192).reshape(50, 12, 16) > 0 for n, m in LABELS.items()
    }
    result = evaluate_scores(
        video_scores.ScoreFolder(tmp_path), LABELS, ORIGIN, masks=masks.get
    )
    assert result == evaluate_scores(VIDEOS, LABELS, ORIGIN, masks=masks.get)
    results.write_results(result, tmp_path)
    assert results.read_results(tmp_path) == result


@pytest.mark.parametrize(
    ("videos", "labels", "extra", "message"),
    [
        ([], LABELS, {}, "`videos` must hold at least one video"),
        (
            [VIDEOS[0]] * 2,
            LABELS,
            {},
            "`videos` must hold at least one video, each name once. "
            "Received: 01, 01",
        ),
        (VIDEOS, {"01": LABELS["01"]}, {}, "Received: no 02"),
        (
            VIDEOS[:1],
            {"01": np.zeros(46)},
            {},
            "01: `labels` must hold 0 or 1 for each of the 50 frames of the "
            "video. Received: shape (46,), values [0.0]",
        ),
        (
            VIDEOS[:1],
            {"01": np.full(50, 2)},
            {},
            "Received: shape (50,), values [2]",
        ),
        (
            VIDEOS[:1],
            LABELS,
            {"baselines": {"01": opposition(50)}},
            "01: `baselines` must score the 46 scored frames. Received: 50",
        ),
        (
            VIDEOS[:1],
            LABELS,
            {"baselines": {}},
            "01: `baselines` must score the 46 scored frames. Received: None",
        ),
        (
            VIDEOS,
            LABELS,
            {"smoothing": 0.0},
            "`smoothing` must lie above 0 and at most at 1. "
            "Received: smoothing=0.0",
        ),
    ],
)
def test_what_does_not_fit(videos, labels, extra, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        evaluate_scores(videos, labels, ORIGIN, **extra)


def test_kinds_are_those_of_the_scores():
    kinds = {
        name: {"cart": labels * (name != "04"), "fall": labels * (name == "04")}
        for name, labels in LABELS.items()
    }
    fitted = calibrated({"error": 1.0, "motion": 0.5})
    given = {"baselines": OPPOSITION, "calibration": fitted}
    result = evaluate_scores(VIDEOS, LABELS, ORIGIN, kinds=kinds, **given)
    assert list(result.kinds) == ["cart", "fall"]
    cart = result.kinds["cart"]
    assert (cart.frames, cart.videos) == (27, 2)
    best = max(
        result.baselines, key=lambda name: result.baselines[name].micro_auc
    )
    assert list(cart.areas) == ["paper", "online", "online motion", best]
    # 04 is abnormal throughout, and shows no cart.
    expected = pairs(
        np.concatenate([labels[4:] for labels in LABELS.values()][:3]),
        np.concatenate([video.online for video in VIDEOS[:3]]),
    )
    assert cart.areas["online"].area == pytest.approx(expected)
    assert evaluate_scores(VIDEOS, LABELS, ORIGIN, **given).kinds == {}
    assert evaluate_scores(VIDEOS, None, ORIGIN, kinds=kinds).kinds == {}
    alone = evaluate_scores(VIDEOS, LABELS, ORIGIN, kinds=kinds)
    assert list(alone.kinds["fall"].areas) == ["paper", "online"]
