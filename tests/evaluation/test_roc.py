"""Areas, curves and equal error rates."""

import itertools

import numpy as np
import pytest
from sklearn.metrics import auc

from lgn_tf.evaluation import roc

NUMBERS = np.random.default_rng(11)


def area_by_hand(labels, scores):
    """How often an abnormal frame scores above a normal one."""
    pairs = [
        1.0 if high > low else 0.5 if high == low else 0.0
        for high, low in itertools.product(
            [s for s, mark in zip(scores, labels, strict=True) if mark],
            [s for s, mark in zip(scores, labels, strict=True) if not mark],
        )
    ]
    return sum(pairs) / len(pairs)


LABELS = [0, 1, 0, 1, 1, 0, 0]
SCORES = [0.1, 0.9, 0.4, 0.4, 0.2, 0.6, 0.1]


def test_area():
    # 12 pairs: 0.9 wins 4; 0.4 wins 2 and draws 1; 0.2 wins 2.
    assert roc.area(LABELS, SCORES) == pytest.approx(8.5 / 12)
    assert area_by_hand(LABELS, SCORES) == pytest.approx(8.5 / 12)


@pytest.mark.parametrize("labels", [[0, 0, 0], [1, 1, 1]])
def test_one_class_has_no_area(labels):
    for function in (roc.area, roc.curve, roc.equal_error_rate):
        assert function(labels, [0.1, 0.2, 0.3]) is None


def test_macro_area_appends_to_videos_of_one_class():
    mixed = ([0, 1, 0], [-0.5, -0.2, -0.1])  # 1 of 2 pairs.
    # Abnormal -0.7 and -0.2 beat the appended -1 and draw none: with the
    # appended abnormal 0 all 3 pairs are won.
    abnormal = ([1, 1], [-0.7, -0.2])
    # Normal 0 draws with the appended 0: 1, 1 and a half of 3 pairs.
    normal = ([0, 0], [-0.4, 0.0])
    videos = (mixed, abnormal, normal)
    result = roc.macro_area(*zip(*videos, strict=True), floor=-1.0)
    assert result == pytest.approx((0.5 + 1 + 2.5 / 3) / 3)
    raised = [(marks, np.add(series, 1)) for marks, series in videos]
    again = roc.macro_area(*zip(*raised, strict=True), floor=0.0)
    assert again == pytest.approx(result)


def test_equal_error_rate():
    # Between the points (0, 0.5) and (0.5, 0.5) lies false = 1 - true at 0.5.
    assert roc.equal_error_rate([0, 1, 0, 1], [1, 2, 4, 5]) == 0.5
    assert roc.equal_error_rate([0, 0, 1, 1], [1, 2, 3, 4]) == 0
    assert roc.equal_error_rate([1, 1, 0, 0], [1, 2, 3, 4]) == 1
    assert roc.equal_error_rate([0, 1], [3, 3]) == 0.5
    # Points (0, 0), (0, 2/3), (1/4, 2/3), (1/2, 2/3), (1/2, 1): at false 1/4
    # the misses are 1/3, at 1/2 still 1/3; between them at 1/3.
    labels, scores = [1, 1, 0, 0, 1, 0, 0], [9, 8, 7, 6, 5, 4, 3]
    assert roc.equal_error_rate(labels, scores) == pytest.approx(1 / 3)


def test_a_curve_of_few_points_is_whole():
    curve = roc.curve(LABELS, SCORES)
    points = set(zip(curve.x, curve.y, strict=True))
    assert (0, 0) in points and (1, 1) in points
    assert (0, 0.33333) in points
    assert curve.x == tuple(sorted(curve.x))


def test_thinning_keeps_the_area():
    labels = NUMBERS.integers(0, 2, 30_000)
    scores = NUMBERS.normal(labels, 1.2)
    curve = roc.curve(labels, scores)
    assert len(curve.x) <= roc.POINTS + 2
    assert (curve.x[0], curve.y[0]) == (0, 0)
    assert (curve.x[-1], curve.y[-1]) == (1, 1)
    assert auc(curve.x, curve.y) == pytest.approx(
        roc.area(labels, scores), abs=2e-3
    )


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e7])
def test_a_streamed_area_is_nearly_exact(scale):
    streamed = roc.StreamedRoc()
    labels = NUMBERS.integers(0, 2, (6, 300))
    scores = (NUMBERS.normal(labels, 2, (6, 300)) * scale).astype(np.float32)
    for marks, row in zip(labels, scores, strict=True):
        share = marks.astype(np.float32)
        streamed.add(row, share, 1 - share)
    exact = roc.area(labels.ravel(), scores.ravel())
    assert streamed.area() == pytest.approx(exact, abs=1e-4)


def test_a_streamed_area_with_shares_and_equal_scores():
    """A score that is 3 parts abnormal and 1 part normal is four scores."""
    streamed = roc.StreamedRoc()
    scores = np.array([[0.5, 2.0], [-0.0, 0.0]], np.float32)
    positive = np.array([[3, 1], [0, 2]], np.float32)
    streamed.add(scores, positive, 4 - positive)
    labels = [1, 1, 1, 0] + [1, 0, 0, 0] + [0] * 4 + [1, 1, 0, 0]
    flat = [0.5] * 4 + [2.0] * 4 + [0.0] * 8
    assert streamed.area() == pytest.approx(area_by_hand(labels, flat))


def test_bins_keep_the_order():
    values = np.array(
        [-3e38, -2, -1, -1e-38, 0, 1e-38, 0.5, 1, 1.001, 3e38], np.float32
    )
    bins = roc._bins(values)
    assert (np.diff(bins) > 0).all()
    assert bins.min() >= 0 and bins.max() < 1 << 20
    zeros = np.array([-0.0, 0.0], np.float32)
    assert len(set(roc._bins(zeros))) == 1


def test_a_streamed_area_of_one_class():
    streamed = roc.StreamedRoc()
    assert streamed.area() is None
    streamed.add(np.ones(3, np.float32), np.ones(3), np.zeros(3))
    assert streamed.area() is None
