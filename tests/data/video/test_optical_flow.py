"""Local optical flow: known movements, at any size."""

import cv2
import numpy as np
import pytest

from lgn_tf.data.video import optical_flow

NUMBERS = np.random.default_rng(7)


def texture(height, width):
    """A picture in which every place can be found again."""
    coarse = NUMBERS.integers(0, 255, (height // 4, width // 4), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def moved(frame, right, down=0):
    return np.roll(frame, (down, right), (0, 1))


def inner(cells):
    """Without the border, where what moves comes from outside."""
    rows, columns = cells.shape
    return cells[rows // 5 : -rows // 5, columns // 5 : -columns // 5]


@pytest.mark.parametrize(
    ("size", "cells"),
    [
        ((120, 160), (45, 60)),
        ((150, 100), (60, 40)),
        ((96, 96), (60, 60)),
        ((480, 640), (45, 60)),
    ],
)
def test_everything_moves_alike(size, cells):
    before = texture(*size)
    longer = max(size)
    step = longer // 50
    found = optical_flow.local_flow(before, moved(before, step, -step))
    assert found.cells.shape == cells and found.cells.dtype == np.float32
    expected = np.hypot(step, step) / longer
    assert np.median(inner(found.cells)) == pytest.approx(expected, rel=0.05)
    assert found.value >= 0.95 * expected


def test_lengths_do_not_depend_on_the_resolution():
    large = texture(480, 640)
    after = moved(large, 8)
    values = [
        np.median(
            optical_flow.local_flow(
                *(
                    cv2.resize(one, size, interpolation=cv2.INTER_AREA)
                    for one in (large, after)
                )
            ).cells
        )
        for size in ((640, 480), (320, 240), (160, 120))
    ]
    np.testing.assert_allclose(values, 8 / 640, rtol=0.1)


def test_where_something_moves():
    before = texture(240, 360)
    after = before.copy()
    # Six pixels are one cell.
    after[60:120, 200:260] = before[60:120, 203:263]
    found = optical_flow.local_flow(before, after)
    row, column = np.unravel_index(found.cells.argmax(), found.cells.shape)
    assert 10 <= row < 20 and 33 <= column <= 44
    assert found.value == pytest.approx(3 / 360, rel=0.2)
    assert found.cells[30:].max() < 0.1 * found.value


def test_the_value_is_the_largest_mean_of_a_box():
    before = texture(120, 160)
    after = moved(before, 2)
    after[:60] = before[:60]
    cells, value = optical_flow.local_flow(before, after)
    padded = np.pad(cells.astype(float), 2, constant_values=np.nan)
    boxes = np.lib.stride_tricks.sliding_window_view(padded, (5, 5))
    assert value == pytest.approx(np.nanmean(boxes, axis=(2, 3)).max(), 1e-5)


@pytest.mark.parametrize(("shape", "box"), [((6, 9), (3, 5)), ((2, 3), (5, 7))])
def test_box_means(shape, box):
    field = NUMBERS.uniform(size=shape).astype(np.float32)
    expected = np.empty(shape)
    for row, column in np.ndindex(shape):
        top, left = row - box[0] // 2, column - box[1] // 2
        part = field[max(0, top) : top + box[0], max(0, left) : left + box[1]]
        expected[row, column] = part.mean()
    np.testing.assert_allclose(
        optical_flow.box_means(field, box), expected, rtol=1e-6
    )


def test_frame_by_frame():
    frames = [texture(64, 80)]
    for step in (1, 0, 3):
        frames.append(moved(frames[-1], step))
    flow = optical_flow.LocalFlow()
    first, *others = [flow.update(frame) for frame in frames]
    assert first.value == 0 and not first.cells.any()
    for place, one in enumerate(others):
        alone = optical_flow.local_flow(frames[place], frames[place + 1])
        np.testing.assert_array_equal(one.cells, alone.cells)
        assert one.value == alone.value
    assert others[2].value > others[0].value > others[1].value == 0


def test_a_video_as_it_comes():
    frames = [texture(64, 80)]
    for step in (1, 0, 3):
        frames.append(moved(frames[-1], step))
    coloured = [np.repeat(frame[..., None], 3, axis=-1) for frame in frames]
    flow = optical_flow.LocalFlow()
    wanted = [flow.update(frame) for frame in frames]
    for one, expected in zip(
        optical_flow.measured(coloured), wanted, strict=True
    ):
        assert one.value == expected.value
        np.testing.assert_array_equal(one.cells, expected.cells)
    values = optical_flow.measured(iter(coloured))
    assert [next(values).value, next(values).value] == [
        one.value for one in wanted[:2]
    ]
    found = []
    for place, frame in enumerate(optical_flow.watched(coloured, found.append)):
        # Noted before it is passed on, as it is.
        assert frame is coloured[place] and len(found) == place + 1
        assert found[-1].value == wanted[place].value


def test_strength_is_that_of_box_means_in_units_of_their_places():
    cells = NUMBERS.uniform(size=(7, 9)).astype(np.float32)
    scale = NUMBERS.uniform(0.2, 1, (7, 9)).astype(np.float32)
    means = optical_flow.box_means(cells, (5, 5))
    assert optical_flow.strength(cells, np.ones_like(scale)) == means.max()
    found = optical_flow.strength(cells, scale)
    assert found == pytest.approx((means / scale).max())
    assert found > means.max()


def test_a_frame_may_be_overwritten():
    frame = texture(64, 80)
    after = moved(frame, 2)
    expected = optical_flow.local_flow(frame, after).value
    flow = optical_flow.LocalFlow()
    flow.update(frame)
    frame[:] = after
    assert flow.update(frame).value == expected > 0


def test_threads_change_nothing():
    before = texture(240, 320)
    after = moved(before, 5, 3)
    threads = cv2.getNumThreads()
    found = []
    try:
        for count in (1, 3):
            cv2.setNumThreads(count)
            found.append(optical_flow.local_flow(before, after).cells)
    finally:
        cv2.setNumThreads(threads)
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize(
    "size", [(1, 1), (2, 3), (8, 64), (12, 100), (5, 1000), (1000, 5)]
)
def test_sizes_that_no_camera_has(size):
    before, after = NUMBERS.integers(0, 255, (2, *size), np.uint8)
    found = optical_flow.local_flow(before, after)
    assert np.isfinite(found.cells).all() and np.isfinite(found.value)
    assert max(found.cells.shape) == 60 and min(found.cells.shape) >= 1
    assert optical_flow.local_flow(before, before).value == pytest.approx(
        0, abs=1e-6
    )


def test_gray():
    frame = NUMBERS.integers(0, 255, (6, 7, 3), np.uint8)
    weights = np.array([0.114, 0.587, 0.299])
    gray = optical_flow.to_gray(frame)
    np.testing.assert_allclose(gray, frame @ weights, atol=0.6)
    np.testing.assert_array_equal(optical_flow.to_gray(gray[..., None]), gray)
    assert optical_flow.to_gray(gray) is gray


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (np.zeros((8, 9, 3), np.uint8), r"Received: uint8 \(8, 9, 3\)"),
        (np.zeros((8, 9)), r"Received: float64 \(8, 9\)"),
        (np.zeros((9, 8), np.uint8), r"\(8, 9\). Received: \(9, 8\)"),
    ],
)
def test_what_does_not_fit(frame, message):
    flow = optical_flow.LocalFlow()
    flow.update(np.zeros((8, 9), np.uint8))
    with pytest.raises(ValueError, match=message):
        flow.update(frame)
