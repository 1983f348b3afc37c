"""Frame, prediction and maps as pictures."""

import cv2
import numpy as np
import pytest

from lgn_tf.report import heat_maps
from lgn_tf.report.heat_maps import Range


def decoded(contents):
    return cv2.imdecode(np.frombuffer(contents, np.uint8), cv2.IMREAD_COLOR)


def test_boxes_lie_at_the_strongest_regions():
    values = np.zeros((4, 10), np.float32)
    values[1:3, 2:5] = 8
    values[0, 9] = 10
    values[3, 7] = 5  # The middle between 0 and 10.
    values[3, 0] = 4
    assert heat_maps.boxes(values) == [
        (0.9, 0.0, 1.0, 0.25),
        (0.2, 0.25, 0.5, 0.75),
    ]


def test_a_constant_map_has_no_boxes():
    assert heat_maps.boxes(np.full((3, 4), 2, np.float32)) == []


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("size", "shown"), [((32, 64), (128, 256)), ((300, 200), (300, 200))]
)
def test_panels(channels, size, shown):
    frame = np.full((*size, channels), 90, np.uint8)
    prediction = np.full_like(frame, 200)
    error = np.zeros((8, 16), np.float32)
    error[2, 12] = 0.25
    online = np.zeros((4, 8), np.float32)
    online[3, 0] = 9
    panels = heat_maps.draw_panels(
        frame,
        prediction,
        {"error": error, "online": online},
        {"error": Range(0.0, 0.25), "online": Range(0.0, 9.0)},
        online,
    )
    assert list(panels.maps) == ["error", "online"]
    pictures = [
        decoded(contents)
        for contents in (panels.frame, panels.prediction, *panels.maps.values())
    ]
    assert {picture.shape for picture in pictures} == {(*shown, 3)}
    boxed, predicted, heat, live = pictures
    assert abs(int(predicted.mean()) - 200) <= 1
    # Amber in the corner where the online map is largest, gray elsewhere.
    height, width = shown
    corner = boxed[height * 3 // 4 :, : width // 8].astype(int)
    assert (corner[..., 2] - corner[..., 0]).max() > 100
    rest = boxed[: height // 2].astype(int)
    assert np.ptp(rest) <= 4
    # Inferno: black where there is nothing, bright where most is.
    assert heat[-1, 0].max() < 30 and live[0, -1].max() < 30
    y, x = int(2.5 * height / 8), int(12.5 * width / 16)
    assert heat[y, x].mean() > 150
    assert live[-height // 8, width // 16].mean() > 150


def test_boxes_lie_in_the_map_that_is_named():
    frame = np.full((256, 256, 1), 90, np.uint8)
    error = np.zeros((4, 4), np.float32)
    error[0, 3] = 1e-3
    panels = heat_maps.draw_panels(frame, frame, {}, {}, error)
    assert panels.maps == {}
    boxed = decoded(panels.frame).astype(int)
    amber = boxed[..., 2] - boxed[..., 0] > 100
    ys, xs = np.nonzero(amber)
    # JPEG smears colours by a pixel or two.
    assert ys.max() < 64 + 3 and xs.min() >= 192 - 3


def test_a_range_is_dark_below_and_bright_above():
    frame = np.zeros((256, 256, 3), np.uint8)
    steps = np.array([[-5.0, 2.0, 3.0, 4.0, 9.0]], np.float32)
    panels = heat_maps.draw_panels(
        frame, frame, {"a": steps}, {"a": Range(2.0, 4.0)}, steps
    )
    drawn = decoded(panels.maps["a"]).astype(int)
    dark, low, middle, high, bright = (
        drawn[128, round(51.2 * (k + 0.5))] for k in range(5)
    )
    assert dark.max() < 30 and low.max() < 30
    assert abs(high - bright).max() < 10 and high.mean() > 150
    assert 30 < middle.mean() < 150


def test_frames_share_the_range_of_the_usual_one():
    maps = [
        np.array([[0, 1, 2]]),
        np.array([[1, 2, 5]]),
        # A glaring frame darkens no other.
        np.array([[50, 60, 1000]]),
    ]
    assert heat_maps.common_range(maps) == Range(2.0, 5.0)


def test_a_map_of_nothing_is_dark():
    frame = np.zeros((16, 16, 3), np.uint8)
    for value in (0, 3):
        nothing = np.full((4, 4), value, np.float32)
        panels = heat_maps.draw_panels(
            frame,
            frame,
            {"a": nothing},
            {"a": heat_maps.common_range([nothing])},
            nothing,
        )
        assert decoded(panels.maps["a"]).max() < 30
