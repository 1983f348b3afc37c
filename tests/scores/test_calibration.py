"""The fit of the online score, on arrays that can be checked by hand."""

import dataclasses

import numpy as np
import pytest

from lgn_tf.config.schema import ScoringConfig
from lgn_tf.data.video import optical_flow
from lgn_tf.scores import frame_scores, grids
from lgn_tf.scores.cue_values import CUES, IN_GRAPH
from tests.scores.normal_clips import BOTH, SIZE, VIDEOS, fitted, video


def cells(seed=5):
    """Motion in the frames of each clip."""
    random = np.random.default_rng(seed)
    return [random.gamma(2.0, 1e-2, (len(one), 6, 8)) for one in VIDEOS]


def cue(videos, name, scales):
    """The largest mean over a box in each frame, clip after clip."""
    if name == "motion":
        return np.array(
            [
                optical_flow.strength(one, scales[name])
                for clip in cells()
                for one in clip
            ]
        )
    if name == "error":
        maps, share = [one.error_map for one in videos], grids.ERROR_SHARE
    else:
        maps = [one.distance_map for one in videos]
        share = grids.DISTANCE_SHARE
    boxed = [grids.filtered(one, share) / scales[name] for one in maps]
    return np.concatenate(boxed).max(axis=(1, 2)).astype(np.float64)


def in_spreads(values, usual=None):
    usual = values if usual is None else usual
    spread = np.quantile(usual, 0.95) - np.median(usual)
    return (values - np.median(usual)) / spread


@pytest.mark.parametrize("name", ["error", "distance"])
def test_what_is_usual_of_a_cue(name):
    found = fitted()
    values = cue(VIDEOS, name, found.scales)
    np.testing.assert_allclose(found.cues[name], values, rtol=1e-6)
    usual = getattr(found.statistics, name)
    assert usual.median == pytest.approx(np.median(values))
    spread = np.quantile(values, 0.95) - np.median(values)
    assert usual.spread == pytest.approx(spread)
    assert usual.weight == BOTH[name]


def test_a_graph_has_error_and_distance_and_no_motion():
    found = fitted(motion=cells())
    evidence = in_spreads(cue(VIDEOS, "error", found.scales))
    far = in_spreads(cue(VIDEOS, "distance", found.scales))
    evidence = np.sort(evidence + 0.5 * far)
    np.testing.assert_allclose(
        np.sort(found.evidence(found.cues, IN_GRAPH)),
        evidence,
        rtol=1e-6,
    )
    # So that of the frames in hand as many are below each knot as are said.
    for level, knot in zip(*found.statistics[2:4], strict=True):
        assert np.mean(evidence < knot) == pytest.approx(level, abs=0.02)


def test_all_cues_add_up_by_their_weights():
    random = np.random.default_rng(5)
    found = fitted(motion=cells())
    new = {
        "error": random.gamma(2.0, 1e-2, 7),
        "distance": random.gamma(2.0, 1e-3, 7),
        "motion": random.gamma(2.0, 2.0, 7),
    }
    usual = {name: cue(VIDEOS, name, found.scales) for name in new}
    parts = {n: BOTH[n] * in_spreads(new[n], usual[n]) for n in BOTH}
    for chosen in (CUES, ("motion",), ("error", "motion")):
        np.testing.assert_allclose(
            found.evidence(new, chosen), sum(parts[n] for n in chosen)
        )
    # A cue that was not measured, here or there, has no part.
    del new["distance"]
    np.testing.assert_allclose(
        found.evidence(new, CUES), parts["error"] + parts["motion"]
    )
    with pytest.raises(ValueError, match="At least one cue"):
        found.evidence(new, ("distance",))


def test_the_score_is_that_of_the_graph():
    found = fitted()
    wide = {
        "error": np.linspace(-0.2, 0.5, 301),
        "distance": np.full(301, found.statistics.distance.median),
    }
    expected = frame_scores.online_score(
        found.evidence(wide, IN_GRAPH).astype(np.float32),
        found.statistics,
    )
    score = found.score(wide, IN_GRAPH)
    np.testing.assert_allclose(score, expected, rtol=1e-4, atol=1e-6)
    assert np.all(np.diff(score) > 0)


def test_the_score_of_all_cues_is_that_of_the_graph_told_the_motion():
    random = np.random.default_rng(6)
    found = fitted(motion=cells())
    assert found.moves and found.motion_cells == (6, 8)
    frames = random.gamma(2.0, 1e-2, (40, 6, 8)).astype(np.float32)
    new = {name: random.choice(found.cues[name], 40) for name in BOTH}
    new["motion"] = [found.strength(one) for one in frames]
    still = found.evidence(new, IN_GRAPH).astype(np.float32)
    moving = found.moving_statistics
    # The cues of a graph count as they do without motion.
    for one, same in zip(moving[:2], found.statistics[:2], strict=True):
        assert one[:3] == same[:3]
    told = frame_scores.motion_evidence(frames, (5, 5), moving)
    np.testing.assert_allclose(
        frame_scores.online_score(still + told, moving),
        found.score(new, CUES),
        rtol=1e-4,
        atol=1e-6,
    )
    assert np.any(moving.knots != found.statistics.knots)


@pytest.mark.parametrize("left_out", ["measured", "weight"])
def test_without_motion(left_out):
    found = fitted(
        weights=BOTH if left_out == "measured" else BOTH | {"motion": 0.0},
        motion=None if left_out == "measured" else cells(),
    )
    assert not found.moves and found.motion_cells is None
    assert found.moving_statistics is None
    assert found.statistics.motion is None
    # Of the cues that were measured; one without a weight has 0.
    known = {"error": 1.0, "distance": 0.5}
    assert found.cue_weights == (
        known if left_out == "measured" else known | {"motion": 0.0}
    )
    assert dataclasses.replace(found, weights={}).cue_weights["error"] == 0


def test_other_weights_of_some_cues():
    scoring = ScoringConfig(update_threshold=0.25, distance_weight=2.0)
    found = scoring.weighed({"error": 0.5, "motion": 0.0})
    assert found.cue_weights == {
        "error": 0.5,
        "distance": 2.0,
        "motion": 0.0,
    }
    assert found.update_threshold == 0.25
    assert scoring.weighed({}) == scoring
    with pytest.raises(ValueError, match="`motion_weight` must"):
        scoring.weighed({"motion": -1.0})


def test_values_clip_by_clip():
    found = fitted()
    assert (found.lengths, found.frames) == ((30, 21, 40), 91)
    parts = found.by_clip(found.cues["error"])
    for part, one in zip(parts, VIDEOS, strict=True):
        np.testing.assert_allclose(
            part, cue([one], "error", found.scales), rtol=1e-6
        )


def test_quantiles_are_those_of_all_frames():
    psnr = np.concatenate([one.psnr for one in VIDEOS])
    found = fitted()
    assert found.frames == 91
    assert found.quantile("psnr", 0) == psnr.min()
    assert found.quantile("psnr", 1) == psnr.max()
    np.testing.assert_allclose(
        found.quantile("psnr", 0.503), np.quantile(psnr, 0.503), rtol=1e-2
    )
    regular = np.concatenate([one.regular_score for one in VIDEOS])
    gamma = found.update_threshold(0.9)
    assert np.mean(regular < gamma) == pytest.approx(0.9, abs=0.02)


def test_knots_rise_and_levels_stay_within():
    levels, knots = fitted().statistics.levels, fitted().statistics.knots
    assert np.all(np.diff(knots) > 0) and np.all(np.diff(levels) > 0)
    assert 0 < levels[0] < levels[-1] < 1


def test_a_map_that_never_changes():
    still = video("still", 9, 1, error_map=np.full((9, *SIZE), 0.02))
    found = fitted([still], weights={"error": 1.0})
    assert found.statistics.error.spread == pytest.approx(0.02 * 1e-2)
    black = video("black", 9, 1, error_map=np.zeros((9, *SIZE)))
    found = fitted([black], weights={"error": 1.0})
    assert found.statistics.error.spread > 0
    assert found.score({"error": [0.0, 1.0]}, ("error",))[1] > 0.99


def test_without_memory_the_error_alone():
    found = fitted([video("a", 30, 1, memory=False)])
    assert found.statistics.distance is None
    assert set(found.quantiles) == {"psnr", "regular_score"}


def test_fit_needs_frames():
    with pytest.raises(ValueError, match="must hold scored frames"):
        fitted([])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("loss", 0.5), "`measure` must be one of"),
        (("psnr", 1.5), "`level` must lie in"),
    ],
)
def test_quantile_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        fitted().quantile(*arguments)
