"""What normal video of a camera looks like: the fit behind the online score.

The online score of a frame needs nothing but the past. At each place of a grid
the box-filtered maps of error and of distance are measured in deviations from
what is usual there; the largest of each are added; and the sum is mapped to
[0, 1] by the distribution that it has on normal video. `fit` measures all of
that, the distribution on normal clips that the model was not fitted on;
`lgn_tf.scoring` applies it. `docs/evaluation.md` has the formulas.
"""

import dataclasses
import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lgn_tf import atomic, grids
from lgn_tf.measures import VideoScores

Array = NDArray[np.float64]

FORMAT = 2
LEVELS = 101
"""How many quantiles of each measure are kept."""

MEASURES = ("psnr", "distance", "regular_score", "evidence")
"""What quantiles are kept of; the evidence is the online score's sum."""

_HIGH = 0.95
# Of normal evidence: from its median up to here, it counts as one.

_LEAST_SHARE = 1e-2
# Of the map's mean: what counts as one deviation where nothing ever changed.


class PlaceStatistics(NamedTuple):
    """What is usual at each place, and by how much it varies.

    Attributes:
        mean: (rows, columns) of the box-filtered map.
        scale: (rows, columns), its deviation plus the mean deviation over all
            places, so that still places do not explode; times the spread of
            the map's evidence on normal video, so that maps can be added.
    """

    mean: Any
    scale: Any


class Statistics(NamedTuple):
    """All that the online score needs; arrays, or tensors of a graph.

    Attributes:
        error: `PlaceStatistics` of the error map.
        distance: of the distance map; an empty tuple where there is no memory.
        levels: (knots,) increasing, strictly between 0 and 1.
        knots: (knots,) strictly increasing, the evidence at each level.
        tail: beyond the outer knots, the evidence over which the share of
            frames that is left halves.
    """

    error: Any
    distance: Any
    levels: Any
    knots: Any
    tail: Any


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What was measured on normal clips.

    Attributes:
        statistics: of the online score, float32 arrays.
        quantiles: for each of `MEASURES` that the model has, (LEVELS,) float64
            from the smallest to the largest value.
        names: of the clips.
        frames: scored frames of all of them.
        in_sample: whether the model was fitted on them, which makes normal
            video look more usual than it is.
    """

    statistics: Statistics
    quantiles: Mapping[str, Array]
    names: tuple[str, ...]
    frames: int
    in_sample: bool

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
            "frames": self.frames,
            "in_sample": self.in_sample,
            "levels": self.statistics.levels,
            "knots": self.statistics.knots,
            "tail": self.statistics.tail,
        }
        for name in ("error", "distance"):
            places = getattr(self.statistics, name)
            if places:
                arrays[f"{name}_mean"] = places.mean
                arrays[f"{name}_scale"] = places.scale
        for name, values in self.quantiles.items():
            arrays[f"quantiles_{name}"] = values
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        atomic.write_bytes(path, buffer.getvalue())


def load(path: Path) -> Calibration:
    """Reads what `Calibration.save` wrote.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: where it is no calibration of this format.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no calibration there")
    try:
        # Opened here: of a damaged file NumPy would leave it open.
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            arrays = {name: archive[name] for name in archive.files}
        if arrays["format"] != FORMAT:
            raise ValueError(f"format {arrays['format']}")
        places = {
            name: PlaceStatistics(
                arrays[f"{name}_mean"], arrays[f"{name}_scale"]
            )
            for name in ("error", "distance")
            if f"{name}_mean" in arrays
        }
        statistics = Statistics(
            places["error"],
            places.get("distance", ()),
            *(arrays[name] for name in ("levels", "knots", "tail")),
        )
        return Calibration(
            statistics,
            {
                name: arrays[f"quantiles_{name}"]
                for name in MEASURES
                if f"quantiles_{name}" in arrays
            },
            tuple(str(name) for name in arrays["names"]),
            int(arrays["frames"]),
            bool(arrays["in_sample"]),
        )
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path}: must be a calibration of format {FORMAT}. "
            f"Found there: {error}"
        ) from error


def fit(
    videos: Sequence[VideoScores],
    size: tuple[int, int],
    *,
    in_sample: bool,
    others: Sequence[VideoScores] = (),
) -> Calibration:
    """Measures normal clips.

    What is usual at each place is measured on all clips; the distributions,
    from which false alarms are foretold, on `videos` alone.

    Args:
        videos: scores of normal clips, by a memory that stays as it is.
        size: (height, width) of the frames.
        in_sample: whether the model was fitted on these clips.
        others: scores of normal clips that the model was fitted on.

    Raises:
        ValueError: where there is not one scored frame, or some score is not
            finite.
    """
    if not videos:
        raise ValueError(
            "`videos` must hold scored frames of normal clips, each longer "
            "than the model's input. Received: no video"
        )
    error, evidence = _measured(
        _errors(videos, size), _errors(others, size), grids.ERROR_SHARE
    )
    distance: PlaceStatistics | tuple[()] = ()
    if videos[0].distance_map is not None:
        distance, far = _measured(
            _distances(videos), _distances(others), grids.DISTANCE_SHARE
        )
        evidence = evidence + far
    series = {
        name: np.concatenate([getattr(video, name) for video in videos])
        for name in MEASURES[:-1]
        if getattr(videos[0], name) is not None
    }
    series["evidence"] = evidence
    return Calibration(
        Statistics(error, distance, *_distribution(evidence)),
        {
            name: np.quantile(values, np.linspace(0, 1, LEVELS))
            for name, values in series.items()
        },
        tuple(video.name for video in videos),
        len(evidence),
        in_sample,
    )


def _errors(
    videos: Sequence[VideoScores], size: tuple[int, int]
) -> list[grids.Maps]:
    cells = grids.CELL // grids.factor(size)
    return [grids.pooled(video.error_map, cells) for video in videos]


def _distances(videos: Sequence[VideoScores]) -> list[grids.Maps]:
    maps = [video.distance_map for video in videos]
    return [one for one in maps if one is not None]


def _measured(
    maps: list[grids.Maps], others: list[grids.Maps], share: float
) -> tuple[PlaceStatistics, Array]:
    """Returns what is usual at each place, and the evidence of `maps`.

    Each clip is compared with the others alone: a clip that says itself what
    is usual would foretell too few false alarms. Both are in units of the
    evidence's spread on these clips: without that the map that varies most on
    normal video would drown the other one.
    """
    boxed = [grids.filtered(one, share) for one in maps + others]
    evidence = []
    for place in range(len(maps)):
        rest = boxed[:place] + boxed[place + 1 :]
        # Of a single clip nothing better is known.
        places = _places(rest or boxed)
        z = (boxed[place].astype(np.float64) - places.mean) / places.scale
        evidence.append(z.max(axis=(1, 2)))
    found = np.concatenate(evidence)
    spread = float(np.quantile(found, _HIGH) - np.median(found))
    if spread <= 1e-6:
        spread = 1.0
    mean, scale = _places(boxed)
    return PlaceStatistics(mean, scale * np.float32(spread)), found / spread


def _places(maps: list[grids.Maps]) -> PlaceStatistics:
    values = np.concatenate(maps).astype(np.float64)
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    scale = deviation + deviation.mean()
    least = max(_LEAST_SHARE * float(mean.mean()), 1e-10)
    return PlaceStatistics(
        mean.astype(np.float32), np.maximum(scale, least).astype(np.float32)
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
