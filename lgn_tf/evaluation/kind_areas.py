"""Areas under the ROC curve for each kind of anomaly.

One area over all frames hides what a score cannot see: it may be high, and one
kind lie at chance. So each kind is measured alone. Its frames stand against all
normal frames; frames that show other kinds only are left out.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lgn_tf.evaluation import baselines
from lgn_tf.evaluation.bootstrap import LEAST_VIDEOS, Interval, Resampling
from lgn_tf.evaluation.comparison import COMPARED, Score
from lgn_tf.evaluation.results import Comparison, KindArea, KindResult

Labels = NDArray[np.uint8]
Series = NDArray[np.float64]

FOUND = 0.8
"""An area without an interval counts as found above this: of one
or two events, chance alone often gives more than 0.6 or 0.7."""


def is_found(area: float | None, interval: Interval | None) -> bool | None:
    """Decides whether a score finds a kind of anomaly.

    Args:
        area: of the kind; None where there is none.
        interval: of the area, or None.

    Returns:
        True where the whole interval lies above chance, 0.5; without an
        interval, where the area lies above `FOUND`. None without an area.
    """
    if area is None:
        return None
    return area > FOUND if interval is None else interval[0] > 0.5


def measure_kinds(
    kinds: Mapping[str, Mapping[str, Labels]] | None,
    names: Sequence[str],
    labels: Sequence[Labels],
    table: Mapping[str, Score],
    given: Sequence[baselines.BaselineScores],
    comparisons: Mapping[str, Comparison],
) -> dict[str, KindResult]:
    """Measures every kind by every score that is compared.

    Args:
        kinds: for each video, for each kind, 1 where a frame shows it, of *all*
            frames of the video; every video has every kind. Or None.
        names: of the videos.
        labels: of the scored frames of each, (frames,): the last ones of
            all; empty where there are none.
        table: scores of the model, by name.
        given: scores without a model, of each video; empty where there are
            none.
        comparisons: of `Contest.compare`; they name the best of `given` over
            all frames. Empty where there is none.

    Returns:
        By kind, in the order of `kinds`; empty without kinds or labels.

    Raises:
        ValueError: where a video has no kinds, or they do not fit its labels.
    """
    if not kinds or not labels:
        return {}
    series = {name: table[name].series for name in COMPARED if name in table}
    if given and comparisons:
        # `paper` stands against all of them: its opponent is the best of all.
        best = comparisons["paper"].opponent
        series[best] = [one.series[best] for one in given]
    shown = [
        _scored(kinds, name, len(one))
        for name, one in zip(names, labels, strict=True)
    ]
    return {
        kind: _measured([one[kind] for one in shown], labels, series)
        for kind in shown[0]
    }


def _scored(
    kinds: Mapping[str, Mapping[str, Labels]], name: str, frames: int
) -> dict[str, Labels]:
    """Returns the marks of each kind for the scored frames of a video."""
    if name not in kinds:
        raise ValueError(f"`kinds` must hold every video. Received: no {name}")
    for kind, marks in kinds[name].items():
        if marks.ndim != 1 or len(marks) < frames:
            raise ValueError(
                f"{name}: `kinds` must mark each frame of the video, the "
                f"{frames} scored ones among them. "
                f"Received: {kind} {marks.shape}"
            )
    return {kind: marks[-frames:] for kind, marks in kinds[name].items()}


def _measured(
    shown: Sequence[Labels],
    labels: Sequence[Labels],
    series: Mapping[str, Sequence[Series]],
) -> KindResult:
    kept = [
        (marks == 1) | (one == 0)
        for marks, one in zip(shown, labels, strict=True)
    ]
    wanted = [marks[keep] for marks, keep in zip(shown, kept, strict=True)]
    videos = sum(bool(marks.any()) for marks in wanted)
    frames = sum(int(marks.sum()) for marks in wanted)
    draws = None
    if 0 < frames < sum(len(marks) for marks in wanted):
        draws = Resampling(wanted)
    areas = {}
    for name, values in series.items():
        area = interval = None
        if draws is not None:
            found = [one[keep] for one, keep in zip(values, kept, strict=True)]
            area = draws.area(found)
            if videos >= LEAST_VIDEOS:
                interval = draws.interval(draws.areas(found))
        areas[name] = KindArea(area, interval, is_found(area, interval))
    return KindResult(frames, videos, areas)
