"""Scores of the model beside those that need none: areas, intervals, margins.

Every area has an interval of a bootstrap over videos, and the margin between
two scores one of the same draws: a difference that other videos could turn
round is no difference.
"""

import types
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lgn_tf.evaluation import baselines, roc
from lgn_tf.evaluation.bootstrap import Resampling
from lgn_tf.evaluation.results import Comparison, Opponent, ScoreResult

Labels = NDArray[np.uint8]
Series = NDArray[np.float64]

COMPARED: Mapping[str, bool] = types.MappingProxyType(
    {"paper": False, "online": True, "online motion": True}
)
"""The scores that are compared, and whether they are online: an online score
stands against opponents that are online, others against all."""


class Score(NamedTuple):
    """A score of all videos, high means abnormal.

    Attributes:
        series: of each video, (frames,).
        floor: the least it can be, and `floor` + 1 the largest; None for a
            score without bounds.
    """

    series: Sequence[Series]
    floor: float | None


class Contest:
    """The labels that all scores are measured by, and the draws of videos.

    Args:
        labels: of each video, (frames,); empty where there are none.

    Attributes:
        draws: of the bootstrap; 0 where there are no areas.
        skipped_draws: of them, those of one class.
    """

    def __init__(self, labels: Sequence[Labels]) -> None:
        """Draws the videos."""
        self._labels = list(labels)
        self._resampling: Resampling | None = None
        if labels and len(np.unique(np.concatenate(self._labels))) == 2:
            self._resampling = Resampling(self._labels)
        self.draws = self._resampling.draws if self._resampling else 0
        self.skipped_draws = self._resampling.skipped if self._resampling else 0

    def measure(self, score: Score) -> ScoreResult:
        """Measures a score; all fields are None where there is no area."""
        return ScoreResult(**self._measured(score))

    def _measured(self, score: Score) -> dict[str, Any]:
        """Returns the fields of a `ScoreResult`."""
        if self._resampling is None:
            return {}
        wanted = np.concatenate(self._labels)
        found = np.concatenate(score.series)
        high, low = found[wanted == 1], found[wanted == 0]
        return {
            "micro_auc": roc.area(wanted, found),
            "macro_auc": None
            if score.floor is None
            else roc.macro_area(self._labels, score.series, score.floor),
            "eer": roc.equal_error_rate(wanted, found),
            "gap": float(high.mean() - low.mean()),
            "curve": roc.curve(wanted, found),
            "interval": self._resampling.interval(
                self._resampling.areas(score.series)
            ),
        }

    def opponents(
        self, given: Sequence[baselines.BaselineScores]
    ) -> dict[str, Opponent]:
        """Measures every score that needs no model.

        Args:
            given: of each video; empty where they were not scored.

        Returns:
            By name; empty where there is no area.
        """
        if self._resampling is None or not given:
            return {}
        frames = sum(one.frames for one in given)
        return {
            name: Opponent(
                **self._measured(_opposing(given, name)),
                online=kind.online,
                milliseconds=1000
                * sum(one.seconds[name] for one in given)
                / frames,
            )
            for name, kind in baselines.BASELINES.items()
        }

    def compare(
        self,
        table: Mapping[str, Score],
        given: Sequence[baselines.BaselineScores],
    ) -> dict[str, Comparison]:
        """Sets each score of `COMPARED` beside its best opponent.

        Args:
            table: scores of the model, by name.
            given: scores without a model, of each video.

        Returns:
            By the name of the score; empty where there is no area.
        """
        if self._resampling is None or not given:
            return {}
        draws = self._resampling
        series = {
            name: _opposing(given, name).series for name in baselines.BASELINES
        }
        areas = {name: draws.area(one) for name, one in series.items()}
        found = {}
        for name, online in COMPARED.items():
            if name not in table:
                continue
            rivals = [
                rival
                for rival, kind in baselines.BASELINES.items()
                if kind.online or not online
            ]
            best = max(rivals, key=areas.__getitem__)
            mine = table[name].series
            interval = draws.interval(
                draws.areas(mine) - draws.areas(series[best])
            )
            found[name] = Comparison(
                opponent=best,
                margin=draws.area(mine) - areas[best],
                interval=interval,
                beaten=interval is not None and interval[0] > 0,
            )
        return found


def _opposing(given: Sequence[baselines.BaselineScores], name: str) -> Score:
    return Score(
        [one.series[name] for one in given], baselines.BASELINES[name].floor
    )


def gain(
    psnr: Sequence[Series], given: Sequence[baselines.BaselineScores]
) -> float | None:
    """Returns the gain in PSNR over copying the last frame.

    Args:
        psnr: of the model, in dB, of each video, (frames,).
        given: scores without a model, of each video; empty where there are
            none.

    Returns:
        The mean over all frames, in dB; None where nothing was given.
    """
    if not given:
        return None
    copying = np.concatenate([one.copying for one in given])
    return float((np.concatenate(psnr) - copying).mean())


def variation(distance: Score | None) -> float | None:
    """Returns the variation of the distance to the prototypes.

    Args:
        distance: of all videos; None for a model without memory.

    Returns:
        The standard deviation over all frames, as a share of the mean; 0 where
        all are 0, None without a distance.
    """
    if distance is None:
        return None
    values = np.concatenate(distance.series)
    mean = float(values.mean())
    return float(values.std()) / mean if mean > 0 else 0.0
