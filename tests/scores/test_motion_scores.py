"""The online score of all cues, for one video and for a folder of them."""

import numpy as np
import pytest

from lgn_tf.scores import cue_values, fitting, motion_scores, video_scores
from tests.helpers.drawn_scores import draw

NUMBERS = np.random.default_rng(8)
WEIGHTS = {"error": 1.0, "distance": 0.5, "motion": 2.0}
NAMES = {"01": 12, "02": 9}


def scored(name):
    return draw(name, np.zeros(NAMES[name] + 4))


def motion():
    return {
        name: NUMBERS.gamma(2, 1e-2, count) for name, count in NAMES.items()
    }


def fitted(weights=WEIGHTS):
    clips = [draw("clip", np.zeros(44), seed=1)]
    return fitting.fit_calibration(
        clips,
        in_sample=False,
        weights=weights,
        motion=[NUMBERS.gamma(2, 1e-2, (40, 6, 8))],
    )


def test_every_cue_has_its_part():
    scores, moved, found = scored("01"), motion()["01"], fitted()
    series = motion_scores.score_with_motion(scores, found, moved)
    cues = {**cue_values.map_cues(scores, found.scales), "motion": moved}
    np.testing.assert_array_equal(
        series, found.score(cues, ("error", "distance", "motion"))
    )
    for left_out in cues:
        others = [name for name in cues if name != left_out]
        assert np.any(series != found.score(cues, others))


def test_one_number_a_scored_frame():
    with pytest.raises(ValueError, match=r"01: `motion` must be.*12.*\(16,\)"):
        motion_scores.score_with_motion(scored("01"), fitted(), np.zeros(16))


def test_a_folder_of_videos(tmp_path):
    found, moved = fitted(), motion()
    for name in NAMES:
        video_scores.write_scores(scored(name), tmp_path)
    motion_scores.add_motion_scores(tmp_path, found, moved)
    for name in NAMES:
        np.testing.assert_array_equal(
            video_scores.read_scores(tmp_path, name).online_motion,
            motion_scores.score_with_motion(scored(name), found, moved[name]),
        )


def test_a_calibration_without_motion_adds_nothing(tmp_path):
    video_scores.write_scores(scored("01"), tmp_path)
    table = tmp_path / "frames" / "01.csv"
    before = table.read_bytes()
    motion_scores.add_motion_scores(
        tmp_path, fitted(WEIGHTS | {"motion": 0.0}), {}
    )
    assert table.read_bytes() == before
