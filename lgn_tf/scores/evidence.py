"""Statistics of cues on normal video, and the evidence, which sums cues.

A value of a cue counts in spreads of normal video, times the weight of the cue;
the sum is the evidence, and its distribution on normal video maps it to [0, 1].
`frame_scores` does the same in graphs.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

LEVELS = 101
"""How many quantiles are kept."""

_HIGH = 0.95
# Of a cue on normal video: from its median up to here, it counts as one.


class CueStatistics(NamedTuple):
    """Statistics of one cue on normal video, and its weight.

    Attributes:
        median: on normal video.
        spread: from there to the 95 % quantile.
        weight: in the sum of all cues; 0 leaves the cue out.
        scale: that its map is divided by, float32 (rows, columns); see
            `local_scales`.
    """

    median: float
    spread: float
    weight: float
    scale: NDArray[np.float32]

    def part(self, values: ArrayLike) -> Array:
        """Returns the evidence of values of the cue, float64 (frames,)."""
        part = (np.asarray(values, np.float64) - self.median) / self.spread
        return np.asarray(self.weight * part)


class Statistics(NamedTuple):
    """Statistics that the online score needs, in a graph too.

    Attributes:
        error: `CueStatistics` of the prediction's error.
        distance: of the distance; None where there is no memory.
        levels: float32 (knots,), increasing, strictly between 0 and 1.
        knots: float32 (knots,), strictly increasing, the evidence at each
            level.
        tail: beyond the outer knots, the evidence over which the share of
            frames that is left halves.
        motion: of the motion; None where it has no part in the score.
    """

    error: CueStatistics
    distance: CueStatistics | None
    levels: Any
    knots: Any
    tail: Any
    motion: CueStatistics | None = None


class Distribution(NamedTuple):
    """The distribution of evidence on normal video; see `Statistics`."""

    levels: NDArray[np.float32]
    knots: NDArray[np.float32]
    tail: np.float32


def cue_statistics(
    values: Array, weight: float, scale: NDArray[np.float32]
) -> CueStatistics:
    """Measures a cue on normal video.

    Args:
        values: float64 (frames,).
        weight: of the cue.
        scale: that its map was divided by, (rows, columns).
    """
    median = float(np.median(values))
    spread = float(np.quantile(values, _HIGH)) - median
    # Where nothing ever changed, any change is unusual, and finite.
    spread = max(spread, 1e-2 * abs(median), 1e-8)
    return CueStatistics(median, spread, float(weight), scale)


def distribution(evidence: Array) -> Distribution:
    """Measures the evidence on normal video.

    Args:
        evidence: float64 (frames,).
    """
    # The smallest of N values is the middle of the lowest N-th, and so on.
    outer = 0.5 / len(evidence)
    levels = np.linspace(outer, 1 - outer, LEVELS)
    places = (np.arange(len(evidence)) + 0.5) / len(evidence)
    knots = np.interp(levels, places, np.sort(evidence)).astype(np.float32)
    # Equal values make one knot, in the middle of their levels.
    knots, group = np.unique(knots, return_inverse=True)
    levels = np.bincount(group, levels) / np.bincount(group)
    tail = float(knots[-1]) - float(np.median(evidence))
    if tail <= 1e-6:
        tail = 1.0
    return Distribution(levels.astype(np.float32), knots, np.float32(tail))


def to_score(evidence: Array, known: Distribution) -> Array:
    """Maps evidence to the anomaly score; see `frame_scores.online_score`.

    Args:
        evidence: float64 (frames,).
        known: the distribution of evidence on normal video.

    Returns:
        float64 (frames,) in [0, 1].
    """
    levels, knots, tail = known
    inner = np.interp(evidence, knots, levels)
    above = np.maximum(evidence - knots[-1], 0) / tail
    below = np.maximum(knots[0] - evidence, 0) / tail
    score = np.where(above > 0, 1 - (1 - levels[-1]) / (1 + above), inner)
    return np.where(below > 0, levels[0] / (1.0 + below), score)
