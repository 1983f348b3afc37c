"""The calibration of the online score, from normal video of a camera.

The online score of a frame needs nothing but the past. Evidence is a sum of
*cues*, each the largest mean over a box of one map: of the prediction's error,
of the distance to the prototypes, of the motion between two frames. `fitting`
measures on normal clips, which the model was not fitted on, what is usual of
each cue and by how much it varies; in these units the cues are added, each by
its weight, and the sum is mapped to [0, 1] by the distribution that it has on
the same clips. `lgn_tf.scores.frame_scores` applies that in graphs.
`docs/evaluation.md` has the formulas.
"""

import dataclasses
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lgn_tf.config.schema import ScoringConfig
from lgn_tf.files import atomic
from lgn_tf.scores import calibration_files, cue_values
from lgn_tf.scores.calibration_files import FORMAT
from lgn_tf.scores.cue_values import CUES, DISTANCE, ERROR, IN_GRAPH, MOTION
from lgn_tf.scores.evidence import (
    Array,
    CueStatistics,
    Statistics,
    cue_statistics,
    distribution,
    to_score,
)
from lgn_tf.scores.local_scales import Maps

MEASURES = ("psnr", "distance", "regular_score")
"""Measures whose quantiles are kept."""


WEIGHTS: Mapping[str, float] = types.MappingProxyType(
    ScoringConfig().cue_weights
)
"""By default; docs/evaluation.md says why."""


@dataclasses.dataclass(frozen=True, eq=False)
class Calibration:
    """Measurements on normal clips, behind the online score.

    Attributes:
        cues: for each of `CUES` that was measured, float64 (frames,): its
            value on each scored frame, clip after clip.
        scales: for each of them, float32 (rows, columns): the local scale,
            which its map is divided by; see `local_scales`.
        quantiles: for each of `MEASURES` that the model has, (LEVELS,) float64
            from the smallest to the largest value.
        names: of the clips.
        lengths: scored frames of each clip.
        in_sample: whether the model was fitted on them, which makes normal
            video look more usual than it is.
        weights: of the cues, by name; a cue without one has 0.

    Example:
        >>> import lgn_tf
        >>> calibration = lgn_tf.load("runs/demo").calibration
        >>> calibration.frames, calibration.in_sample
        (20, False)
        >>> calibration.cue_weights
        {'error': 1.0, 'distance': 0.0, 'motion': 1.0}

        Half of the normal frames stay below this regular score:

        >>> gamma = calibration.update_threshold(0.5)
        >>> round(gamma, 2)
        0.06
    """

    cues: Mapping[str, Array]
    scales: Mapping[str, Maps]
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
    def cue_weights(self) -> dict[str, float]:
        """Weight of each cue that was measured, by name."""
        return {name: float(self.weights.get(name, 0)) for name in self.cues}

    @property
    def moves(self) -> bool:
        """True where the motion counts in the online score of all cues."""
        return MOTION in self.cues and bool(self.weights.get(MOTION))

    @property
    def motion_cells(self) -> tuple[int, int] | None:
        """Rows and columns of the motion's cells; None where not `moves`."""
        if not self.moves:
            return None
        rows, columns = self.scales[MOTION].shape
        return rows, columns

    @property
    def statistics(self) -> Statistics:
        """Statistics for a graph, which computes no motion.

        Raises:
            ValueError: where no cue of a graph has a weight.
        """
        return self._statistics(IN_GRAPH)

    @property
    def moving_statistics(self) -> Statistics | None:
        """Statistics for a graph that is told the motion; or None."""
        return self._statistics(CUES) if self.moves else None

    def _statistics(self, chosen: Sequence[str]) -> Statistics:
        return Statistics(
            self._usual(ERROR),
            self._usual(DISTANCE) if DISTANCE in self.cues else None,
            *distribution(self.evidence(self.cues, chosen)),
            motion=self._usual(MOTION) if MOTION in chosen else None,
        )

    def _usual(self, cue: str) -> CueStatistics:
        return cue_statistics(
            self.cues[cue], self.weights.get(cue, 0), self.scales[cue]
        )

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
        parts = [
            self._usual(name).part(cues[name])
            for name in chosen
            if name in cues and name in self.cues and self.weights.get(name)
        ]
        if not parts:
            raise ValueError(
                "At least one cue of the online score must have a weight. "
                f"Received: weights={dict(self.weights)}"
            )
        return np.asarray(sum(parts[1:], parts[0]))

    def score(
        self, cues: Mapping[str, ArrayLike], chosen: Sequence[str]
    ) -> Array:
        """Returns the online score (frames,) of the cues of some frames.

        The NumPy twin of `frame_scores.online_score`; see `evidence`.
        """
        return to_score(
            self.evidence(cues, chosen),
            distribution(self.evidence(self.cues, chosen)),
        )

    def strength(self, cells: Maps) -> float:
        """Returns the motion cue of a frame.

        Args:
            cells: float32 (rows, columns), `optical_flow.Motion.cells`.
        """
        return cue_values.strength(cells, self.scales[MOTION])

    def by_clip(self, values: Array) -> list[Array]:
        """Cuts values of all frames (frames,) into those of each clip."""
        return np.split(values, np.cumsum(self.lengths)[:-1])

    def quantile(self, measure: str, level: float) -> float:
        """Returns the value that a share of normal frames stays below.

        Args:
            measure: one of `MEASURES`.
            level: the share, in [0, 1].

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
        """Writes an `.npz` file in one step.

        Raises:
            OSError: naming the file, where there is no space left.
        """
        values: dict[str, Any] = {
            "format": FORMAT,
            "names": np.array(self.names, np.str_),
            "lengths": np.array(self.lengths, np.int64),
            "in_sample": self.in_sample,
        }
        for name, cue in self.cues.items():
            values[f"cue_{name}"] = cue
            values[f"scale_{name}"] = self.scales[name]
        for name, measured in self.quantiles.items():
            values[f"quantiles_{name}"] = measured
        with atomic.opened(path) as file:
            atomic.write_arrays(file, values, compressed=True)

    @classmethod
    def load(
        cls, path: Path, weights: Mapping[str, float] = WEIGHTS
    ) -> "Calibration":
        """Reads the file that `save` wrote.

        Args:
            path: of the file.
            weights: of the cues; they are a choice, and not in the file.

        Raises:
            FileNotFoundError: where there is no such file.
            ValueError: where it is no calibration of this format; as
                `OutdatedError` where it is one of an older format.
        """
        arrays = calibration_files.read(path, MEASURES)
        named = _named(arrays, "cue_", CUES)
        return cls(
            named,
            {name: arrays[f"scale_{name}"] for name in named},
            _named(arrays, "quantiles_", MEASURES),
            tuple(str(name) for name in arrays["names"]),
            tuple(int(length) for length in arrays["lengths"]),
            bool(arrays["in_sample"]),
            weights,
        )


def _named(
    arrays: Mapping[str, Array], prefix: str, names: Sequence[str]
) -> dict[str, Array]:
    return {
        name: arrays[prefix + name] for name in names if prefix + name in arrays
    }
