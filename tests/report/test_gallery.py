"""The pictured frames of a report, with a map for each cue."""

import base64
import dataclasses

import cv2
import numpy as np
import pytest

from lgn_tf.evaluation import keyframes
from lgn_tf.report import gallery
from tests.helpers.drawn_scores import draw

LABELS = np.zeros(30, np.uint8)
LABELS[10:20] = 1
NUMBERS = np.random.default_rng(6)
WEIGHTS = {"error": 1.0, "distance": 0.0, "motion": 0.5}


def pictured(folder, name="01", places=(8, 12, 25), motion=True, **kinds):
    """Scores whose frames lie in a folder, the one at 12 the most abnormal."""
    scores = draw(name, LABELS, **kinds)
    series = "psnr" if scores.online is None else "online"
    values = getattr(scores, series).copy()
    values[12 - 4] = 1.0 if series == "online" else -50.0
    scores = dataclasses.replace(scores, **{series: values})
    for place in places:
        frames = NUMBERS.integers(0, 255, (2, 16, 32, 1), np.uint8)
        keyframes.write_keyframe(folder, name, place, *frames)
        if motion:
            cells = NUMBERS.uniform(0, 1e-2, (30, 60)).astype(np.float32)
            keyframes.add_motion(folder, name, place, cells)
    return scores


def titles(moments, weights=WEIGHTS):
    [one] = gallery.draw_gallery(moments, weights)
    return [panel["title"] for panel in one["panels"]]


def test_the_most_abnormal_frame_and_its_maps(tmp_path):
    scores = pictured(tmp_path)
    found = gallery.moment(tmp_path, scores, LABELS[4:])
    assert (found.name, found.place, found.strength) == ("01", 12, 1.0)
    assert found.caption.endswith("online score 1.00 · abnormal")
    frame, prediction, motion = keyframes.read_keyframe(tmp_path, "01", 12)
    np.testing.assert_array_equal(found.frame, frame)
    np.testing.assert_array_equal(found.prediction, prediction)
    expected = {
        "online map": scores.online_map[8],
        "error": scores.error_map[8],
        "distance": scores.distance_map[8],
        "motion": motion,
    }
    assert list(found.maps) == list(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(found.maps[name], values)
        # The maps of the other frames may go.
        assert found.maps[name].base is None


def test_each_cue_is_named_with_its_weight(tmp_path):
    found = gallery.moment(tmp_path, pictured(tmp_path), None)
    assert titles([found]) == [
        "frame",
        "prediction",
        "online map",
        "error, weight 1",
        "distance, weight 0",
        "motion, weight 0.5",
    ]
    # Nobody wrote down the weights of an older evaluation.
    cues = ["error", "distance", "motion"]
    assert titles([found], {})[3:] == cues


@pytest.mark.parametrize(
    ("kinds", "absent"),
    [
        ({"motion": False}, "motion"),
        ({"memory": False}, "distance"),
        ({"online": False}, "online map"),
    ],
)
def test_what_is_not_there_is_left_out(tmp_path, kinds, absent):
    scores = pictured(tmp_path, **kinds)
    found = gallery.moment(tmp_path, scores, None)
    assert found.place == 12
    names = ["online map", "error", "distance", "motion"]
    names.remove(absent)
    assert titles([found], {}) == ["frame", "prediction", *names]


def test_a_video_without_pictures(tmp_path):
    assert gallery.moment(tmp_path, pictured(tmp_path, places=()), None) is None
    # Frames that have no score.
    scores = pictured(tmp_path, "02", places=(3, 30))
    assert gallery.moment(tmp_path, scores, None) is None
    assert gallery.draw_gallery([], WEIGHTS) == []


def test_a_map_has_one_range_for_all_frames(tmp_path):
    weak, strong = (
        gallery.moment(tmp_path, pictured(tmp_path, name), None)
        for name in ("01", "02")
    )
    cells = np.zeros((30, 60), np.float32)
    cells[10:20, 20:40] = 0.25
    weak.maps["motion"] = cells
    strong.maps["motion"] = 3 * cells

    def brightness(place, moments):
        panel = gallery.draw_gallery(moments, {})[place]["panels"][-1]
        kind, data = panel["source"].split(",")
        assert (panel["title"], kind) == ("motion", "data:image/jpeg;base64")
        contents = np.frombuffer(base64.b64decode(data), np.uint8)
        drawn = cv2.imdecode(contents, cv2.IMREAD_COLOR)
        return drawn[drawn.shape[0] // 2, drawn.shape[1] // 2].mean()

    assert brightness(0, [weak]) == brightness(0, [strong]) > 150
    both = [brightness(place, [weak, strong]) for place in (0, 1)]
    assert both[0] < both[1] - 30
