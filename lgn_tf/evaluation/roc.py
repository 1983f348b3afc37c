"""Areas and curves of scores against labels; high scores mean abnormal."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

POINTS = 200
"""How many points of a curve are kept for a figure."""

_BITS = 20  # of a float32 that its bin keeps: sign, exponent, 11 of fraction.


@dataclasses.dataclass(frozen=True)
class Curve:
    """Points of a curve, from its left end to its right end.

    Attributes:
        x: share of false alarms, or false regions a frame.
        y: share of what was found.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]


def _sklearn() -> Any:
    """Imports late: a machine that scores but does not evaluate may lack it."""
    from sklearn import metrics

    return metrics


def area(labels: ArrayLike, scores: ArrayLike) -> float | None:
    """Returns the area under the ROC curve; equal scores count half.

    Args:
        labels: (n,), 0 normal or 1 abnormal.
        scores: (n,), high means abnormal.

    Returns:
        The area, or None where all labels are equal.
    """
    marks = np.asarray(labels)
    if marks.min() == marks.max():
        return None
    return float(_sklearn().roc_auc_score(marks, scores))


def macro_area(
    labels: Sequence[ArrayLike], scores: Sequence[ArrayLike], floor: float
) -> float:
    """Returns the mean of the areas of the videos.

    A video of one class gets two frames appended, a normal one of the least
    score and an abnormal one of the largest, as publications do.

    Args:
        labels: of each video, (frames,).
        scores: of each video, (frames,), from `floor` to `floor` + 1.
        floor: the least score there can be.
    """
    areas = []
    for marks, series in zip(labels, scores, strict=True):
        if np.min(marks) == np.max(marks):
            marks = np.append(marks, (0, 1))
            series = np.append(series, (floor, floor + 1))
        areas.append(_sklearn().roc_auc_score(marks, series))
    return float(np.mean(areas))


def curve(labels: ArrayLike, scores: ArrayLike) -> Curve | None:
    """Returns thinned points of the ROC curve.

    Args:
        labels: (n,), 0 normal or 1 abnormal.
        scores: (n,), high means abnormal.

    Returns:
        The curve, or None where all labels are equal.
    """
    marks = np.asarray(labels)
    if marks.min() == marks.max():
        return None
    false, true, _ = _sklearn().roc_curve(marks, scores)
    return thin(false, true)


def thin(x: NDArray[np.float64], y: NDArray[np.float64]) -> Curve:
    """Keeps `POINTS` points evenly spread along the curve, and both ends."""
    length = np.abs(np.diff(x)) + np.abs(np.diff(y))
    along = np.concatenate(([0.0], np.cumsum(length)))
    wanted = np.linspace(0, along[-1], POINTS)
    kept = np.unique([0, *np.searchsorted(along, wanted), len(x) - 1])
    kept = kept[kept < len(x)]
    return Curve(
        tuple(np.round(x[kept], 5).tolist()),
        tuple(np.round(y[kept], 5).tolist()),
    )


def equal_error_rate(labels: ArrayLike, scores: ArrayLike) -> float | None:
    """Returns the rate at which false alarms and misses are equally frequent.

    The ROC curve is taken as straight between its points.

    Args:
        labels: (n,), 0 normal or 1 abnormal.
        scores: (n,), high means abnormal.

    Returns:
        The rate, or None where all labels are equal.
    """
    marks = np.asarray(labels)
    if marks.min() == marks.max():
        return None
    false, true, _ = _sklearn().roc_curve(marks, scores)
    difference = false - (1 - true)  # From -1 at the start up to 1.
    right = int(np.argmax(difference >= 0))
    left = right - 1
    share = -difference[left] / (difference[right] - difference[left])
    return float(false[left] + share * (false[right] - false[left]))


class StreamedRoc:
    """The area under a ROC curve of more scores than memory holds.

    Scores fall into bins by the upper 20 bits of their float32 form: 2,048 bins
    from each power of two to the next, whatever their range, so that nothing
    need be known ahead. Scores in one bin count as equal. Each score may belong
    partly to both classes, by weights.
    """

    def __init__(self) -> None:
        """Starts with no score."""
        self._positive = np.zeros(1 << _BITS)
        self._negative = np.zeros(1 << _BITS)

    def add(
        self,
        scores: NDArray[np.float32],
        positive: NDArray[np.float32],
        negative: NDArray[np.float32],
    ) -> None:
        """Adds scores of any shape.

        Args:
            scores: finite; high means abnormal.
            positive: of the same shape, how much of it is abnormal.
            negative: of the same shape, how much of it is normal.
        """
        bins = _bins(scores.ravel())
        for total, weights in (
            (self._positive, positive),
            (self._negative, negative),
        ):
            total += np.bincount(bins, weights.ravel(), 1 << _BITS)

    def area(self) -> float | None:
        """Returns the area so far; None where one class is absent."""
        positives, negatives = self._positive.sum(), self._negative.sum()
        if not positives or not negatives:
            return None
        below = np.cumsum(self._negative) - self._negative
        won = np.dot(self._positive, below + self._negative / 2)
        return float(won / (positives * negatives))


def _bins(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    # IEEE numbers of one sign are ordered as their bits are; zero has two
    # forms, which adding zero makes one.
    bits = (scores.astype(np.float32) + np.float32(0)).view(np.int32)
    half = 1 << (_BITS - 1)
    size = (bits & 0x7FFFFFFF) >> (32 - _BITS)
    return np.where(bits < 0, half - 1 - size, half + size).astype(np.int64)
