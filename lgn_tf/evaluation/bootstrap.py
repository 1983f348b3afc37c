"""Intervals of areas, by a bootstrap over videos.

Frames of one video resemble each other, so videos are drawn with replacement,
not frames. The area of a draw is exact and costs no sorting: how often the
abnormal frames of one video score above the normal frames of another is
counted once for every two videos, and a draw weighs these counts by how often
it took each video (Mann and Whitney).

Reference:
    Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Interval = tuple[float, float]

DRAWS = 1000
"""How often videos are drawn."""

LEVEL = 0.95
"""Share of the draws that an interval holds."""

LEAST_VIDEOS = 3
"""Videos that there must be for an interval. Draws of one or two say nothing of
other videos: of two there are three different ones."""


def wins(
    labels: Sequence[ArrayLike], scores: Sequence[ArrayLike]
) -> NDArray[np.float64]:
    """Counts pairs of frames that a score ranks right, by pairs of videos.

    Args:
        labels: of each video, (frames,), 0 normal or 1 abnormal.
        scores: of each video, (frames,), high means abnormal.

    Returns:
        (videos, videos): in row i and column j, the pairs of an abnormal frame
        of video i and a normal frame of video j where the abnormal one scores
        higher; equal scores count half.
    """
    marks = [np.asarray(one, bool) for one in labels]
    values = [np.asarray(one, np.float64) for one in scores]
    high = np.concatenate(
        [one[mark] for one, mark in zip(values, marks, strict=True)]
    )
    order = np.argsort(high)
    high = high[order]
    owners = np.repeat(
        np.arange(len(marks)), [np.count_nonzero(mark) for mark in marks]
    )[order]
    table = np.empty((len(marks), len(marks)))
    for column, (one, mark) in enumerate(zip(values, marks, strict=True)):
        low = np.sort(one[~mark])
        below = np.searchsorted(low, high, "left")
        least = np.searchsorted(low, high, "right")
        table[:, column] = np.bincount(
            owners, (below + least) / 2, minlength=len(marks)
        )
    return table


class Resampling:
    """Draws of videos: the same ones for every score, so scores compare.

    Args:
        labels: of each video, (frames,), 0 normal or 1 abnormal.
        draws: how often as many videos are drawn as there are.
        seed: of the draws.

    Attributes:
        draws: as given.
        skipped: draws that hold frames of one class only; they have no area.

    Raises:
        ValueError: where all frames are of one class, or there is no draw.
    """

    def __init__(
        self,
        labels: Sequence[ArrayLike],
        draws: int = DRAWS,
        seed: int = 0,
    ) -> None:
        """Draws the videos."""
        self._labels = list(labels)
        videos = len(labels)
        frames = np.array([np.size(one) for one in labels], np.int64)
        self._abnormal = np.array(
            [np.count_nonzero(one) for one in labels], np.int64
        )
        self._normal = frames - self._abnormal
        if draws < 1 or not self._abnormal.any() or not self._normal.any():
            raise ValueError(
                "A bootstrap takes normal and abnormal frames, and one draw at "
                f"least. Received: {self._normal.sum()} and "
                f"{self._abnormal.sum()} frames, draws={draws}"
            )
        # (draws, videos): how often each draw took each video.
        taken = np.random.default_rng(seed).multinomial(
            videos, np.full(videos, 1 / videos), draws
        )
        pairs = (taken @ self._abnormal) * (taken @ self._normal)
        self._taken = taken[pairs > 0].astype(np.float64)
        self._pairs = pairs[pairs > 0].astype(np.float64)
        self.draws = draws
        self.skipped = int(np.count_nonzero(pairs == 0))

    def area(self, scores: Sequence[ArrayLike]) -> float:
        """Returns the area where each video is taken once, as it is."""
        pairs = self._abnormal.sum() * self._normal.sum()
        return float(wins(self._labels, scores).sum() / pairs)

    def areas(self, scores: Sequence[ArrayLike]) -> NDArray[np.float64]:
        """Returns the area under the ROC curve of every draw.

        Args:
            scores: of each video, (frames,), high means abnormal.

        Returns:
            (draws that were not skipped,).
        """
        table = wins(self._labels, scores)
        won = np.einsum("di,di->d", self._taken @ table, self._taken)
        return np.asarray(won / self._pairs)

    def interval(self, values: NDArray[np.float64]) -> Interval | None:
        """Returns the interval that holds the middle 95 % of the draws.

        Args:
            values: `areas` of a score, or of one minus those of another: the
                draws are the same, so the difference is paired.

        Returns:
            The two ends; None for fewer videos than
            `LEAST_VIDEOS`, and where no draw holds both classes.
        """
        if len(self._labels) < LEAST_VIDEOS or not len(values):
            return None
        tail = (1 - LEVEL) / 2
        low, high = np.quantile(values, (tail, 1 - tail))
        return float(low), float(high)
