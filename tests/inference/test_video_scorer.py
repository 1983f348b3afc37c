"""Whole videos in order: the same as one window at a time."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from keras import ops

from lgn_tf.data.video.footage import InMemory
from lgn_tf.inference.video_scorer import VideoScorer
from lgn_tf.model import prototypes
from lgn_tf.scores import cue_values, fitting, frame_scores
from lgn_tf.scores.cue_values import IN_GRAPH
from tests.helpers import scoring_run
from tests.inference.small_models import small, videos

ROOT = Path(__file__).parents[2]
SERIES = ("psnr", "distance", "regular_score")
MAPS = ("error_map", "distance_map")


def array(tensor):
    return ops.convert_to_numpy(tensor)


def plainly(model, footage, gamma, reset=False):
    """One window at a time, by `model(clip)` and `memory.update`.

    Changes the model's items, and puts them back.
    """
    own = array(model.memory.items).copy() if model.has_memory else None
    result = []
    for index, length in enumerate(footage.frame_counts):
        if reset and model.has_memory:
            model.memory.items.assign(own)
        pixels = footage.read(index, 0, length).astype(np.float32) / 127.5 - 1
        rows = {name: [] for name in (*SERIES, *MAPS, "updated", "prediction")}
        for last in range(model.frames, length):
            clip = pixels[None, last - model.frames : last]
            output = model(clip)
            target = pixels[last]
            predicted = array(output.prediction)[0]
            error = ((target - predicted) / 2) ** 2
            weight = 1 - np.exp(-error.astype(np.float64))
            regular = (weight / weight.sum() * error).sum()
            rows["psnr"].append(-10 * np.log10(error.mean()))
            rows["regular_score"].append(regular)
            off = np.abs(target - predicted) / 2
            rows["error_map"].append(off.mean(axis=-1))
            rows["prediction"].append(predicted)
            rows["updated"].append(regular < gamma)
            if model.has_memory:
                distance = array(output.readout.distance)[0]
                rows["distance"].append(distance.mean())
                rows["distance_map"].append(distance)
                if regular < gamma:
                    latent = model.global_encoder(clip)
                    model.memory.update(prototypes.normalize(latent))
        result.append({name: np.array(row) for name, row in rows.items()})
    if model.has_memory:
        model.memory.items.assign(own)
    return result


def assert_equal(scores, expected):
    for name in (*SERIES, *MAPS):
        found = getattr(scores, name)
        if found is None:
            assert not len(expected[name])
            continue
        np.testing.assert_allclose(
            found, expected[name], rtol=2e-5, atol=1e-8, err_msg=name
        )
    np.testing.assert_array_equal(scores.updated, expected["updated"])


def middle_gamma(model, footage, still=None):
    """A gamma that some frames stay below, and some do not."""
    still = still or plainly(model, footage, 0.0)
    scores = np.sort(np.concatenate([row["regular_score"] for row in still]))
    half = len(scores) // 2
    return float(scores[half - 1 : half + 1].mean())


@pytest.mark.latest
@pytest.mark.parametrize(
    ("variant", "residual"),
    [
        ("lgn_net", True),
        ("lgn_st", False),
        ("glo_net", True),
        ("loc_net", False),
    ],
)
def test_equals_one_window_at_a_time(variant, residual):
    model = small(variant, residual=residual)
    footage = videos(8, 4, 5)
    still = plainly(model, footage, 0.0)
    gamma = middle_gamma(model, footage, still)
    expected = plainly(model, footage, gamma)
    scorer = VideoScorer(model, gammas=(gamma, 0.0), chunk=2)
    found = list(scorer.score_all(footage))
    assert [one.name for one, _ in found] == ["00", "01", "02"]
    for (moved, fixed), first, second in zip(
        found, expected, still, strict=True
    ):
        if variant == "loc_net":
            first["updated"] = second["updated"]
        assert moved.first == 3
        assert_equal(moved, first)
        assert_equal(fixed, second)
    if variant != "loc_net":
        assert 0 < sum(one.updated.sum() for one, _ in found) < 8
        # The update is not without effect on what is predicted later.
        assert np.any(found[-1][0].distance != found[-1][1].distance)


@pytest.mark.parametrize(
    ("variant", "chunk"), [("lgn_st", 3), ("glo_net", 1), ("glo_net", 16)]
)
def test_any_chunk_gives_the_same(variant, chunk):
    model = small(variant)
    footage = videos(9, 4, 5)
    gamma = middle_gamma(model, footage)
    expected = plainly(model, footage, gamma)
    scorer = VideoScorer(model, gammas=(gamma,), chunk=chunk)
    for (found,), row in zip(scorer.score_all(footage), expected, strict=True):
        assert_equal(found, row)


def test_memory_goes_on_from_video_to_video_or_is_reset():
    model = small()
    footage = videos(8, 8)
    gamma = middle_gamma(model, footage)
    own = array(model.memory.items).copy()
    for reset in (False, True):
        expected = plainly(model, footage, gamma, reset=reset)
        scorer = VideoScorer(model, gammas=(gamma,), reset_memory=reset)
        found = [one for (one,) in scorer.score_all(footage)]
        for scores, row in zip(found, expected, strict=True):
            assert_equal(scores, row)
    apart = plainly(model, footage, gamma)[1]["distance"]
    assert np.any(apart != expected[1]["distance"])
    # The model's own items never change.
    np.testing.assert_array_equal(array(model.memory.items), own)


def test_two_scorers_do_not_disturb_each_other():
    model = small()
    footage = videos(9, 7)
    gamma = middle_gamma(model, footage)
    expected = plainly(model, footage, gamma)
    scorers = [VideoScorer(model, gammas=(gamma,)) for _ in range(2)]
    for index, row in enumerate(expected):
        for scorer in scorers:
            (found,) = scorer.score("x", footage.stream(index, 4))
            assert_equal(found, row)


def test_pieces_of_any_length_and_predictions():
    model = small()
    footage = videos(12)
    frames = footage.read(0, 0, 12)
    row = plainly(model, footage, 0.0)[0]
    scorer = VideoScorer(model, chunk=4, keep_predictions=True)
    for cuts in ([1, 2, 6], [11], []):
        (found,) = scorer.score("x", np.split(frames, cuts))
        assert_equal(found, row)
        levels = (row["prediction"] + 1) * 127.5
        assert np.abs(scorer.predictions - levels).max() <= 0.51
        assert scorer.predictions.dtype == np.uint8


def test_a_constant_video_has_finite_scores():
    model = small()
    still = np.full((7, 16, 24, 1), 130, np.uint8)
    ((found,),) = VideoScorer(model, gammas=(1.0,)).score_all(
        InMemory(["still"], [still])
    )
    assert found.updated.all()
    assert np.isfinite(found.distance).all()
    # The same window again and again: its queries draw the items near.
    assert np.all(np.diff(found.distance) < 0)


def test_gray_footage_feeds_a_colour_model():
    model = small(channels=3)
    gray = videos(5)
    frames = np.repeat(gray.read(0, 0, 5), 3, axis=-1)
    (found,) = VideoScorer(model).score("x", [gray.read(0, 0, 5)])
    (same,) = VideoScorer(model).score("x", [frames])
    np.testing.assert_array_equal(found.psnr, same.psnr)


def test_online_score_beside_the_others():
    model = small()
    footage = videos(13, 9)
    scores = [one for (one,) in VideoScorer(model).score_all(footage)]
    weights = {"error": 1.0, "distance": 0.5}
    fitted = fitting.fit_calibration(scores, in_sample=True, weights=weights)
    scorer = VideoScorer(model, calibration=fitted, gammas=(0.0, 10.0))
    for plain, (found, moved) in zip(
        scores, scorer.score_all(footage), strict=True
    ):
        np.testing.assert_array_equal(found.psnr, plain.psnr)
        evidence, places = frame_scores.online_evidence(
            plain.error_map, plain.distance_map, fitted.statistics, (16, 24)
        )
        np.testing.assert_allclose(
            found.online,
            frame_scores.online_score(evidence, fitted.statistics),
            atol=5e-5,
        )
        np.testing.assert_allclose(
            found.online_map, places, rtol=1e-3, atol=1e-4
        )
        # What is stored holds all that the score is made of.
        cues = cue_values.map_cues(found, fitted.scales)
        again = fitted.score(cues, IN_GRAPH)
        np.testing.assert_allclose(found.online, again, atol=5e-5)
        assert np.any(moved.online != found.online)


def test_half_precision_scores_are_float32_inside():
    """Frames must not be rounded to half precision before they are compared."""
    model = small(dtype="mixed_bfloat16")
    footage = videos(8)
    gamma = middle_gamma(model, footage)
    scorer = VideoScorer(model, gammas=(gamma, 0.0), chunk=2)
    ((_, found),) = scorer.score_all(footage)
    expected = plainly(model, footage, 0.0)[0]
    np.testing.assert_allclose(found.psnr, expected["psnr"], atol=0.05)


@pytest.mark.jax
def test_jax_without_tensorflow_scores_the_same(tmp_path):
    out = tmp_path / "out.npz"
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    subprocess.run(
        [sys.executable, "-m", "tests.helpers.scoring_run", str(out)],
        cwd=ROOT,
        env=environment | {"PYTHONPATH": str(ROOT)},
        check=True,
        timeout=300,
    )
    expected = scoring_run.scores()
    with np.load(out) as found:
        assert set(found.files) == set(expected)
        for name, value in expected.items():
            np.testing.assert_allclose(
                found[name], value, rtol=2e-5, atol=1e-7, err_msg=name
            )
