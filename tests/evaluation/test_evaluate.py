"""Results of all test videos: counts, events, kinds, and what does not fit."""

import dataclasses
import re

import numpy as np
import pytest

from lgn_tf.alarms import events
from lgn_tf.data.synthetic import walkways
from lgn_tf.evaluation import baselines, results
from lgn_tf.evaluation.evaluate import evaluate_scores
from lgn_tf.scores import video_scores
from tests.evaluation.drawn_set import (
    LABELS,
    OPPOSITION,
    ORIGIN,
    VIDEOS,
    calibrated,
    pairs,
)
from tests.helpers.drawn_scores import draw, opposition


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
