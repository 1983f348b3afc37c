"""From the scores of all test videos to the numbers that are reported.

Everywhere two scores stand beside each other. `paper` divides each video by
its own range, which no camera can know ahead; `online` is calibrated on normal
video and uses nothing but the past.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lgn_tf import localisation, roc
from lgn_tf.data import baselines as baselines_module
from lgn_tf.measures import Series, VideoScores
from lgn_tf.normality import min_max, normality
from lgn_tf.results import Provenance, Results, ScoreResult, VideoResult

Labels = NDArray[np.uint8]
Masks = Callable[[str], NDArray[np.bool_] | None]

LAMBDAS = tuple(np.linspace(0, 1, 21).round(2).tolist())
"""The values of lambda of `Results.lambda_sweep` (Fig. 10)."""


@dataclasses.dataclass(frozen=True)
class _Rows:
    """What is kept of a video: its series, without the maps."""

    name: str
    psnr: Series
    distance: Series | None
    online: Series | None
    updated: int
    labels: Labels | None


class _Score(NamedTuple):
    """A score of all videos, high means abnormal.

    Attributes:
        series: of each video, (frames,).
        floor: the least it can be, and `floor` + 1 the largest; None for a
            score without bounds.
    """

    series: list[Series]
    floor: float | None


def evaluate(
    videos: Sequence[VideoScores],
    labels: Mapping[str, Labels] | None,
    provenance: Provenance,
    *,
    masks: Masks | None = None,
    baselines: Mapping[str, NDArray[np.float64]] | None = None,
    smoothing: float | None = None,
    gamma_sweep: Sequence[tuple[float, float]] = (),
) -> Results:
    """Evaluates the scores of all test videos.

    Args:
        videos: in order; each is asked for one at a time and may be read then
            (`measures.Folder`), since maps of all videos need not fit into
            memory.
        labels: for each video, the labels of *all* its frames; or None.
        provenance: lambda, and what else the numbers stand on.
        masks: returns the masks of *all* frames of a video, bool (frames,
            height, width), or None where a video has none.
        baselines: for each video, `baselines.score` of its scored frames,
            (3, frames); or None.
        smoothing: share of the newest frame in the causal moving average of
            `online smoothed`; None leaves that score out.
        gamma_sweep: (gamma, `paper_auc`) of repeated scoring (Fig. 9).

    Raises:
        ValueError: where there is no video or two of one name, where labels,
            masks or baselines do not fit a video, naming it, and for a
            smoothing out of bounds.
    """
    weight = provenance.normality_weight
    if smoothing is not None and not 0 < smoothing <= 1:
        raise ValueError(
            "`smoothing` must lie above 0 and at most at 1. "
            f"Received: smoothing={smoothing}"
        )
    rows = [_rows(one, labels) for one in videos]
    names = [row.name for row in rows]
    if not names or len(set(names)) != len(names):
        raise ValueError(
            "`videos` must hold at least one video, each name once. "
            f"Received: {', '.join(names) or 'none'}"
        )
    truth = _truth(rows)
    table = _scores(rows, weight, smoothing)
    places = localisation.evaluate(videos, masks) if masks else None
    return Results(
        provenance=provenance,
        scores={name: _measure(score, truth) for name, score in table.items()},
        baselines=_baselines(rows, truth, baselines),
        maps=places.maps if places else {},
        videos=tuple(
            _video(row, place, table) for place, row in enumerate(rows)
        ),
        scored_frames=sum(len(row.psnr) for row in rows),
        abnormal_frames=sum(int(one.sum()) for one in truth) if truth else None,
        one_class_videos=sum(bool(one.min() == one.max()) for one in truth),
        regions=places.regions if places else 0,
        tracks=places.tracks if places else 0,
        lambda_sweep=_lambda_sweep(rows, truth),
        gamma_sweep=tuple(gamma_sweep),
    )


def paper_auc(
    videos: Sequence[VideoScores], labels: Mapping[str, Labels], weight: float
) -> float | None:
    """Area under the ROC curve of the paper's score over all frames.

    Args:
        videos: the scores of each.
        labels: for each video, the labels of all its frames.
        weight: lambda.

    Returns:
        The area, or None where the labels hold one class.
    """
    rows = [_rows(one, labels) for one in videos]
    return _paper_auc(rows, _truth(rows), weight)


def _rows(scores: VideoScores, labels: Mapping[str, Labels] | None) -> _Rows:
    wanted = None
    if labels is not None:
        if scores.name not in labels:
            raise ValueError(
                f"`labels` must label every video. Received: no {scores.name}"
            )
        given = np.asarray(labels[scores.name])
        frames = scores.first + len(scores)
        if given.shape != (frames,) or not np.isin(given, (0, 1)).all():
            raise ValueError(
                f"{scores.name}: `labels` must hold 0 or 1 for each of the "
                f"{frames} frames of the video. Received: shape "
                f"{given.shape}, values {np.unique(given)[:5].tolist()}"
            )
        wanted = given[scores.first :].astype(np.uint8)
    return _Rows(
        scores.name,
        scores.psnr,
        scores.distance,
        scores.online,
        int(scores.updated.sum()),
        wanted,
    )


def _truth(rows: Sequence[_Rows]) -> list[Labels]:
    """The labels of each video; none where there are no labels."""
    return [row.labels for row in rows if row.labels is not None]


def _scores(
    rows: Sequence[_Rows], weight: float, smoothing: float | None
) -> dict[str, _Score]:
    table = {}
    # Normality counts downwards.
    paper = [-normality(row.psnr, row.distance, weight) for row in rows]
    table["paper"] = _Score(paper, -1.0)
    online = [row.online for row in rows if row.online is not None]
    if len(online) == len(rows):
        table["online"] = _Score(online, 0.0)
        if smoothing is not None:
            smoothed = [smooth(series, smoothing) for series in online]
            table["online smoothed"] = _Score(smoothed, 0.0)
    # A constant series counts as full normality, as in Eq. 17.
    quality = [-min_max(row.psnr, constant=1.0) for row in rows]
    table["psnr"] = _Score(quality, -1.0)
    table["psnr raw"] = _Score([-row.psnr for row in rows], None)
    distance = [row.distance for row in rows if row.distance is not None]
    if len(distance) == len(rows):
        scaled = [min_max(series, constant=0.0) for series in distance]
        table["distance"] = _Score(scaled, 0.0)
        table["distance raw"] = _Score(distance, None)
    return table


def smooth(series: Series, share: float) -> Series:
    """Exponential moving average of a video, from the past alone.

    Args:
        series: (frames,).
        share: of the newest frame; 1 smooths nothing.

    Returns:
        (frames,); the first frame stays as it is.
    """
    result = np.empty_like(series)
    level = series[0]
    for place, value in enumerate(series):
        level = share * value + (1 - share) * level
        result[place] = level
    return result


def _measure(score: _Score, truth: list[Labels]) -> ScoreResult:
    if not truth:
        return ScoreResult()
    wanted, found = np.concatenate(truth), np.concatenate(score.series)
    auc = roc.area(wanted, found)
    if auc is None:
        return ScoreResult()
    return ScoreResult(
        micro_auc=auc,
        macro_auc=None
        if score.floor is None
        else roc.macro_area(truth, score.series, score.floor),
        eer=roc.equal_error_rate(wanted, found),
        gap=float(found[wanted == 1].mean() - found[wanted == 0].mean()),
        curve=roc.curve(wanted, found),
    )


def _video(row: _Rows, place: int, table: Mapping[str, _Score]) -> VideoResult:
    def auc(name: str) -> float | None:
        if row.labels is None or name not in table:
            return None
        return roc.area(row.labels, table[name].series[place])

    return VideoResult(
        name=row.name,
        frames=len(row.psnr),
        abnormal=None if row.labels is None else int(row.labels.sum()),
        updated=row.updated,
        paper_auc=auc("paper"),
        online_auc=auc("online"),
    )


def _baselines(
    rows: Sequence[_Rows],
    truth: list[Labels],
    given: Mapping[str, NDArray[np.float64]] | None,
) -> dict[str, float]:
    if given is None or not truth:
        return {}
    for row in rows:
        shape = np.shape(given.get(row.name, ()))
        wanted = (len(baselines_module.BASELINES), len(row.psnr))
        if shape != wanted:
            raise ValueError(
                f"{row.name}: `baselines` must be {wanted}, a row each. "
                f"Received: {shape}"
            )
    scores = np.concatenate([given[row.name] for row in rows], axis=1)
    areas = {
        name: roc.area(np.concatenate(truth), series)
        for name, series in zip(baselines_module.BASELINES, scores, strict=True)
    }
    return {name: auc for name, auc in areas.items() if auc is not None}


def _paper_auc(
    rows: Sequence[_Rows], truth: list[Labels], weight: float
) -> float | None:
    if not truth:
        return None
    found: ArrayLike = np.concatenate(
        [-normality(row.psnr, row.distance, weight) for row in rows]
    )
    return roc.area(np.concatenate(truth), found)


def _lambda_sweep(
    rows: Sequence[_Rows], truth: list[Labels]
) -> tuple[tuple[float, float], ...]:
    with_distance = all(row.distance is not None for row in rows)
    sweep = []
    for weight in LAMBDAS if with_distance else ():
        auc = _paper_auc(rows, truth, weight)
        if auc is not None:
            sweep.append((weight, auc))
    return tuple(sweep)
