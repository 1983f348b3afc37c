"""What normal video of a camera looks like: the fit behind the online score.

The online score of a frame needs nothing but the past. Evidence is a sum of
*cues*, each the largest mean over a box of one map: of the prediction's error,
of the distance to the prototypes, of the motion between two frames. `fit`
measures on normal clips, which the model was not fitted on, what is usual of
each cue and by how much it varies; in these units the cues are added, each by
its weight, and the sum is mapped to [0, 1] by the distribution that it has on
the same clips. `lgn_tf.scoring` applies that in graphs. `docs/evaluation.md`
has the formulas.
"""

import dataclasses
import io
import types
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lgn_tf import atomic, grids
from lgn_tf.config import ScoringConfig
from lgn_tf.measures import VideoScores

Array = NDArray[np.float64]

FORMAT = 3
LEVELS = 101
"""How many quantiles of each measure are kept."""

MEASURES = ("psnr", "distance", "regular_score")
"""What quantiles are kept of."""

ERROR, DISTANCE, MOTION = "error", "distance", "motion"
CUES = (ERROR, DISTANCE, MOTION)
"""Their names."""

IN_GRAPH = (ERROR, DISTANCE)
"""What a graph computes: the cues of the online score that is served."""


_HIGH = 0.95
# Of a cue on normal video: from its median up to here, it counts as one.


class OutdatedError(ValueError):
    """A calibration that an earlier version of this program measured."""


class CueStatistics(NamedTuple):
    """What is usual of a cue, and how much it counts.

    Attributes:
        median: on normal video.
        spread: from there to the 95 % quantile.
        weight: in the sum of all cues; 0 leaves the cue out.
    """

    median: float
    spread: float
    weight: float


class Statistics(NamedTuple):
    """All that the online score needs, in a graph too.

    Attributes:
        error: `CueStatistics` of the prediction's error.
        distance: of the distance; None where there is no memory.
        levels: float32 (knots,), increasing, strictly between 0 and 1.
        knots: float32 (knots,), strictly increasing, the evidence at each
            level.
        tail: beyond the outer knots, the evidence over which the share of
            frames that is left halves.
    """

    error: CueStatistics
    distance: CueStatistics | None
    levels: Any
    knots: Any
    tail: Any


def weights_of(scoring: ScoringConfig) -> dict[str, float]:
    """Returns the weight of each cue, by name."""
    return {name: getattr(scoring, f"{name}_weight") for name in CUES}


WEIGHTS: Mapping[str, float] = types.MappingProxyType(
    weights_of(ScoringConfig())
)
"""By default; docs/evaluation.md says why."""


@dataclasses.dataclass(frozen=True, eq=False)
class Calibration:
    """What was measured on normal clips.

    Attributes:
        cues: for each of `CUES` that there is, float64 (frames,): its value on
            each scored frame, clip after clip.
        quantiles: for each of `MEASURES` that the model has, (LEVELS,) float64
            from the smallest to the largest value.
        names: of the clips.
        lengths: scored frames of each clip.
        in_sample: whether the model was fitted on them, which makes normal
            video look more usual than it is.
        weights: of the cues, by name; a cue without one has 0.
    """

    cues: Mapping[str, Array]
    quantiles: Mapping[str, Array]
    names: tuple[str, ...]
    lengths: tuple[int, ...]
    in_sample: bool
    weights: Mapping[str, float]

    @property
    def frames(self) -> int:
        """Scored frames of all clips."""
        return sum(self.lengths)

    @property
    def statistics(self) -> Statistics:
        """What a graph needs, which sees no motion.

        Raises:
            ValueError: where no cue of a graph has a weight.
        """
        evidence = self.evidence(self.cues, IN_GRAPH)
        return Statistics(
            self._usual(ERROR),
            self._usual(DISTANCE) if DISTANCE in self.cues else None,
            *_distribution(evidence),
        )

    def _usual(self, cue: str) -> CueStatistics:
        values = self.cues[cue]
        median = float(np.median(values))
        spread = float(np.quantile(values, _HIGH)) - median
        # Where nothing ever changed, any change is unusual, and finite.
        spread = max(spread, 1e-2 * abs(median), 1e-8)
        return CueStatistics(median, spread, float(self.weights.get(cue, 0)))

    def evidence(
        self, cues: Mapping[str, ArrayLike], chosen: Sequence[str]
    ) -> Array:
        """Adds the cues of some frames.

        Args:
            cues: for each name its values (frames,).
            chosen: which take part, where they are there and have a weight.

        Returns:
            float64 (frames,), in spreads of normal video.

        Raises:
            ValueError: where none takes part.
        """
        total = None
        for name in chosen:
            if name in cues and name in self.cues:
                usual = self._usual(name)
                values = np.asarray(cues[name], np.float64)
                if usual.weight:
                    part = (values - usual.median) / usual.spread
                    part = usual.weight * part
                    total = part if total is None else total + part
        if total is None:
            raise ValueError(
                "At least one cue of the online score must have a weight. "
                f"Received: weights={dict(self.weights)}"
            )
        return np.asarray(total)

    def score(
        self, cues: Mapping[str, ArrayLike], chosen: Sequence[str]
    ) -> Array:
        """Returns the online score (frames,) of the cues of some frames.

        The NumPy twin of `scoring.online_score`; see `evidence`.
        """
        levels, knots, tail = _distribution(self.evidence(self.cues, chosen))
        evidence = self.evidence(cues, chosen)
        inner = np.interp(evidence, knots, levels)
        above = np.maximum(evidence - knots[-1], 0) / tail
        below = np.maximum(knots[0] - evidence, 0) / tail
        score = np.where(above > 0, 1 - (1 - levels[-1]) / (1 + above), inner)
        return np.where(below > 0, levels[0] / (1 + below), score)

    def by_clip(self, values: Array) -> list[Array]:
        """Cuts values of all frames (frames,) into those of each clip."""
        return np.split(values, np.cumsum(self.lengths)[:-1])

    def quantile(self, measure: str, level: float) -> float:
        """Returns what a share `level` of normal frames stays below.

        Raises:
            ValueError: for an unknown measure, or a level out of [0, 1].
        """
        if measure not in self.quantiles:
            raise ValueError(
                f"`measure` must be one of {', '.join(self.quantiles)}. "
                f"Received: measure={measure!r}"
            )
        if not 0 <= level <= 1:
            raise ValueError(
                f"`level` must lie in [0, 1]. Received: level={level}"
            )
        values = self.quantiles[measure]
        return float(np.interp(level, np.linspace(0, 1, len(values)), values))

    def update_threshold(self, level: float) -> float:
        """Returns a gamma: a quantile of the regular score of normal frames.

        Args:
            level: the share of normal frames that may update the memory.
        """
        return self.quantile("regular_score", level)

    def save(self, path: Path) -> None:
        """Writes an `.npz` in one step.

        Raises:
            OSError: where there is no space left.
        """
        arrays: dict[str, Any] = {
            "format": FORMAT,
            "names": np.array(self.names, np.str_),
            "lengths": np.array(self.lengths, np.int64),
            "in_sample": self.in_sample,
        }
        for name, values in self.cues.items():
            arrays[f"cue_{name}"] = values
        for name, values in self.quantiles.items():
            arrays[f"quantiles_{name}"] = values
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        atomic.write_bytes(path, buffer.getvalue())


def load(path: Path, weights: Mapping[str, float] = WEIGHTS) -> Calibration:
    """Reads what `Calibration.save` wrote.

    Args:
        path: of the file.
        weights: of the cues; they are a choice, and not in the file.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: where it is no calibration of this format; as
            `OutdatedError` where it is one of an older format.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no calibration there")
    try:
        # Opened here: of a damaged file NumPy would leave it open.
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            arrays = {name: archive[name] for name in archive.files}
        if 0 < arrays["format"] < FORMAT:
            raise OutdatedError(
                f"{path}: is of an older format; `lgn evaluate` on its run "
                "measures it again. "
                f"Found there: format {arrays['format']}"
            )
        if arrays["format"] != FORMAT:
            raise ValueError(f"format {arrays['format']}")
        return Calibration(
            _named(arrays, "cue_", CUES),
            _named(arrays, "quantiles_", MEASURES),
            tuple(str(name) for name in arrays["names"]),
            tuple(int(length) for length in arrays["lengths"]),
            bool(arrays["in_sample"]),
            weights,
        )
    except OutdatedError:
        raise
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path}: must be a calibration of format {FORMAT}. "
            f"Found there: {error}"
        ) from error


def _named(
    arrays: Mapping[str, Array], prefix: str, names: Sequence[str]
) -> dict[str, Array]:
    return {
        name: arrays[prefix + name] for name in names if prefix + name in arrays
    }


def cues_of(video: VideoScores) -> dict[str, Array]:
    """Returns the cues of a scored video that its maps hold, (frames,) each."""
    found = {ERROR: grids.largest(video.error_map, grids.ERROR_SHARE)}
    if video.distance_map is not None:
        found[DISTANCE] = grids.largest(
            video.distance_map, grids.DISTANCE_SHARE
        )
    return found


def fit(
    videos: Sequence[VideoScores],
    *,
    in_sample: bool,
    weights: Mapping[str, float] = WEIGHTS,
    motion: Sequence[ArrayLike] | None = None,
) -> Calibration:
    """Measures normal clips.

    Args:
        videos: scores of normal clips, by a memory that stays as it is.
        in_sample: whether the model was fitted on these clips.
        weights: of the cues, by name.
        motion: for each clip, the motion in its scored frames; or None.

    Raises:
        ValueError: where there is not one scored frame, or some score is not
            finite.
    """
    if not videos:
        raise ValueError(
            "`videos` must hold scored frames of normal clips, each longer "
            "than the model's input. Received: no video"
        )
    parts = [cues_of(video) for video in videos]
    cues = {
        name: np.concatenate([part[name] for part in parts])
        for name in parts[0]
    }
    if motion is not None:
        cues[MOTION] = np.concatenate(
            [np.asarray(one, np.float64) for one in motion]
        )
    series = {
        name: np.concatenate([getattr(video, name) for video in videos])
        for name in MEASURES
        if getattr(videos[0], name) is not None
    }
    return Calibration(
        cues,
        {
            name: np.quantile(values, np.linspace(0, 1, LEVELS))
            for name, values in series.items()
        },
        tuple(video.name for video in videos),
        tuple(len(video) for video in videos),
        in_sample,
        weights,
    )


def _distribution(
    evidence: Array,
) -> tuple[NDArray[np.float32], NDArray[np.float32], np.float32]:
    """Returns levels, knots and tail; see `Statistics`."""
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
    return levels.astype(np.float32), knots, np.float32(tail)
