"""Scores that need no model, by their definitions."""

import re

import numpy as np
import pytest

from lgn_tf.data.video import optical_flow, preprocessing
from lgn_tf.evaluation import baselines
from lgn_tf.scores.normality import min_max

NUMBERS = np.random.default_rng(11)


def noise(count, height, width, channels):
    shape = (count, height, width, channels)
    return NUMBERS.integers(0, 256, shape, np.uint8)


def both(video, size):
    """A video as the model sees it, and as it is."""
    small = np.stack([preprocessing.resize(frame, size) for frame in video])
    return small, video


def test_position_and_middle():
    video = noise(7, 20, 24, 1)
    found = baselines.score_without_model("01", [video], video, inputs=2).series
    np.testing.assert_allclose(
        found[baselines.POSITION], np.arange(2, 7) / 6, rtol=1e-12
    )
    np.testing.assert_allclose(
        found[baselines.MIDDLE], [2 / 3, 1, 2 / 3, 1 / 3, 0]
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_copying_and_the_global_difference(channels):
    small, video = both(noise(9, 40, 48, 3), (16, 24))
    found = baselines.score_without_model(
        "01", [small], video, inputs=3, channels=channels
    )
    seen = preprocessing.to_channels(small, channels).astype(float)
    errors = ((seen[3:] - seen[2:-1]) / 255) ** 2
    quality = -10 * np.log10(errors.mean(axis=(1, 2, 3)))
    np.testing.assert_allclose(found.copying, quality, rtol=1e-9)
    series = found.series[baselines.COPYING]
    np.testing.assert_allclose(series, -min_max(quality, 1.0), rtol=1e-9)
    assert (series.min(), series.max()) == (-1, 0)
    np.testing.assert_allclose(
        found.series[baselines.GLOBAL],
        np.abs(seen[3:] - seen[2:-1]).mean(axis=(1, 2, 3)),
    )


def test_the_local_difference():
    video = noise(6, 150, 200, 3)
    found = baselines.score_without_model("01", [video], video, inputs=1)
    small = np.stack(
        [
            preprocessing.prepare(frame, (128, 128), 1)[..., 0].astype(float)
            for frame in preprocessing.to_channels(video, 1)
        ]
    )
    expected = []
    for off in np.abs(small[1:] - small[:-1]):
        padded = np.pad(off, 6, constant_values=np.nan)
        boxes = np.lib.stride_tricks.sliding_window_view(padded, (13, 13))
        expected.append(np.nanmean(boxes, axis=(2, 3)).max())
    np.testing.assert_allclose(
        found.series[baselines.LOCAL], expected, rtol=1e-6
    )


def test_the_flow_is_that_of_the_originals():
    small, video = both(noise(6, 64, 96, 3), (16, 16))
    found = baselines.score_without_model("01", [small], video, inputs=1)
    flow = optical_flow.LocalFlow()
    values = [flow.update(optical_flow.to_gray(frame)).value for frame in video]
    np.testing.assert_array_equal(found.series[baselines.FLOW], values[1:])


def test_cells_are_kept_of_the_frames_that_are_asked_for():
    small, video = both(noise(8, 64, 96, 3), (16, 16))
    found = baselines.score_without_model(
        "01", [small], video, inputs=2, pictured=(3, 7)
    )
    assert list(found.cells) == [3, 7]
    for place, cells in found.cells.items():
        pair = (
            optical_flow.to_gray(frame)
            for frame in video[place - 1 : place + 1]
        )
        expected = optical_flow.local_flow(*pair)
        np.testing.assert_array_equal(cells, expected.cells)
        assert cells.shape == (40, 60)
        # The map of the cue: its value is the largest box of it.
        series = found.series[baselines.FLOW]
        assert series[place - 2] == expected.value
    assert baselines.score_without_model("01", [small], video).cells == {}


def test_pieces_make_no_difference():
    video = noise(9, 20, 24, 1)
    whole = baselines.score_without_model("01", [video], video)
    parts = baselines.score_without_model(
        "01", [video[:1], video[1:6], video[6:]], video
    )
    for name in baselines.BASELINES:
        np.testing.assert_array_equal(whole.series[name], parts.series[name])
    np.testing.assert_array_equal(whole.copying, parts.copying)


def test_a_video_that_stands_still():
    video = np.full((8, 20, 24, 1), 90, np.uint8)
    found = baselines.score_without_model("01", [video], video)
    np.testing.assert_array_equal(found.copying, [100] * 4)
    # A constant series counts as full normality.
    np.testing.assert_array_equal(found.series[baselines.COPYING], [-1] * 4)
    for name in (baselines.GLOBAL, baselines.LOCAL, baselines.FLOW):
        np.testing.assert_allclose(found.series[name], 0, atol=1e-6)


def test_what_each_takes():
    video = noise(6, 120, 160, 1)
    found = baselines.score_without_model("01", [video], video)
    assert found.frames == 6
    assert set(found.seconds) == set(found.series) == set(baselines.BASELINES)
    assert found.seconds[baselines.POSITION] == 0
    assert 0 < found.seconds[baselines.GLOBAL] < found.seconds[baselines.FLOW]


def test_one_scored_frame():
    video = noise(5, 20, 24, 1)
    found = baselines.score_without_model("01", [video], video)
    assert all(series.shape == (1,) for series in found.series.values())


@pytest.mark.parametrize(
    ("count", "originals", "received"),
    [(8, 7, "7 and 8"), (4, 4, "4 and 4"), (0, 0, "0 and 0")],
)
def test_frames_that_are_missing(count, originals, received):
    video = noise(8, 20, 24, 1)
    with pytest.raises(
        ValueError,
        match=f"01: there must be more than 4 frames.*Received: {received}",
    ):
        baselines.score_without_model("01", [video[:count]], video[:originals])


def test_areas_by_counting():
    video = np.zeros((7, 16, 16, 1), np.uint8)
    video[3:] = 40
    labels = np.array([0, 0, 1, 1, 0, 0, 0], np.uint8)
    # Frames 2 to 6 are scored: of 6 pairs, abnormal above normal.
    found = baselines.baseline_aucs([video], [labels], inputs=2)
    assert list(found) == list(baselines.BASELINES)
    assert found[baselines.POSITION] == 0
    assert found[baselines.MIDDLE] == pytest.approx(5.5 / 6)
    for name in (baselines.COPYING, baselines.GLOBAL, baselines.LOCAL):
        assert found[name] == pytest.approx((3 + 1.5) / 6)


def test_an_area_needs_both_classes():
    with pytest.raises(
        ValueError,
        match=re.escape(
            "An AUC takes normal and abnormal frames. "
            "Received: 2 frames, 0 abnormal"
        ),
    ):
        baselines.baseline_aucs(
            [np.zeros((6, 2, 2, 1), np.uint8)], [np.zeros(6, np.uint8)]
        )


def test_the_motion_cue_beside_the_opponent():
    frames = NUMBERS.integers(0, 256, (9, 48, 64, 1), np.uint8)
    plain = baselines.score_without_model("a", [frames], frames)
    np.testing.assert_array_equal(plain.moved, plain.series[baselines.FLOW])
    cells = [one.cells for one in optical_flow.measured(frames)]
    found = baselines.score_without_model(
        "a", [frames], frames, strength=lambda one: float(one.mean())
    )
    wanted = [float(one.mean()) for one in cells[4:]]
    np.testing.assert_array_equal(found.moved, wanted)
    # It is none of the opponent's affair.
    for name, series in plain.series.items():
        np.testing.assert_array_equal(found.series[name], series)
