"""Frame-level scores: the series of each test video, by every score.

Everywhere two scores stand beside each other. `paper` divides each video by
its own range, which no camera can know ahead; `online` is calibrated on normal
video and uses nothing but the past.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lgn_tf.evaluation import roc
from lgn_tf.evaluation.comparison import Score
from lgn_tf.scores import cue_values
from lgn_tf.scores.calibration import Calibration
from lgn_tf.scores.cue_values import CUES, MOTION
from lgn_tf.scores.local_scales import Maps
from lgn_tf.scores.normality import min_max, normality
from lgn_tf.scores.smoothing import smooth
from lgn_tf.scores.video_scores import Series, VideoScores

Labels = NDArray[np.uint8]

LAMBDAS = tuple(np.linspace(0, 1, 21).round(2).tolist())
"""The values of lambda of `Results.lambda_sweep` (Fig. 10)."""


@dataclasses.dataclass(frozen=True)
class FrameSeries:
    """The series of one video, without its maps.

    Attributes:
        name: of the video.
        psnr: float64 (frames,) in dB.
        distance: float64 (frames,), D of Eq. 14; None without a memory.
        online: float64 (frames,) in [0, 1]; None without a calibration.
        updated: number of frames that updated the memory.
        labels: uint8 (frames,) of the scored frames, 0 or 1; None without.
        cues: of the online score, float64 (frames,) each, by name.
    """

    name: str
    psnr: Series
    distance: Series | None
    online: Series | None
    updated: int
    labels: Labels | None
    cues: Mapping[str, Series]


def series_of(
    scores: VideoScores,
    labels: Mapping[str, Labels] | None,
    scales: Mapping[str, Maps] | None = None,
) -> FrameSeries:
    """Takes the series of a video, with the labels of its scored frames.

    Args:
        scores: of the video.
        labels: for each video, (frames,) of all its frames; or None.
        scales: of the calibration, by cue; see `cue_values.map_cues`.

    Raises:
        ValueError: naming the video, where it has no labels, or others than 0
            and 1 or not one a frame.
    """
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
    return FrameSeries(
        scores.name,
        scores.psnr,
        scores.distance,
        scores.online,
        int(scores.updated.sum()),
        wanted,
        cue_values.map_cues(scores, scales),
    )


def labels_of(videos: Sequence[FrameSeries]) -> list[Labels]:
    """Returns the labels of each video; none where there are no labels."""
    return [one.labels for one in videos if one.labels is not None]


def score_table(
    videos: Sequence[FrameSeries],
    weight: float,
    smoothing: float | None,
    calibration: Calibration | None,
) -> dict[str, Score]:
    """Returns every score that the series give; see `Results.scores`.

    Args:
        videos: the series of each.
        weight: lambda.
        smoothing: share of the newest frame in a causal average; or None.
        calibration: of the online score of all cues; or None.

    Returns:
        By name, those that all videos have.
    """
    table = {}
    # Normality counts downwards.
    paper = [-normality(row.psnr, row.distance, weight) for row in videos]
    table["paper"] = Score(paper, -1.0)
    online = [row.online for row in videos if row.online is not None]
    if len(online) == len(videos):
        table["online"] = Score(online, 0.0)
    moved = all(MOTION in row.cues for row in videos)
    if calibration is not None and calibration.moves and moved:
        moving = [calibration.score(row.cues, CUES) for row in videos]
        table["online motion"] = Score(moving, 0.0)
    if smoothing is not None:
        table |= {
            f"{name} smoothed": Score(
                [smooth(series, smoothing) for series in score.series], 0.0
            )
            for name, score in table.items()
            if name != "paper"
        }
    # A constant series counts as full normality, as in Eq. 17.
    quality = [-min_max(row.psnr, constant=1.0) for row in videos]
    table["psnr"] = Score(quality, -1.0)
    table["psnr raw"] = Score([-row.psnr for row in videos], None)
    distance = [row.distance for row in videos if row.distance is not None]
    if len(distance) == len(videos):
        scaled = [min_max(series, constant=0.0) for series in distance]
        table["distance"] = Score(scaled, 0.0)
        table["distance raw"] = Score(distance, None)
    for name in CUES:
        if all(name in row.cues for row in videos):
            series = [row.cues[name] for row in videos]
            table[f"cue {name}"] = Score(series, None)
    return table


def paper_auc(
    videos: Sequence[VideoScores], labels: Mapping[str, Labels], weight: float
) -> float | None:
    """Returns the area under the ROC curve of the paper's score.

    Args:
        videos: the scores of each.
        labels: for each video, the labels of all its frames.
        weight: lambda.

    Returns:
        The area, or None where the labels hold one class.
    """
    return _paper_auc([series_of(one, labels) for one in videos], weight)


def _paper_auc(videos: Sequence[FrameSeries], weight: float) -> float | None:
    labels = labels_of(videos)
    if not labels:
        return None
    found = [-normality(one.psnr, one.distance, weight) for one in videos]
    return roc.area(np.concatenate(labels), np.concatenate(found))


def lambda_sweep(
    videos: Sequence[FrameSeries],
) -> tuple[tuple[float, float], ...]:
    """Returns (lambda, area of the paper's score) for each of `LAMBDAS`.

    Empty for a model without memory, which has no lambda, and without areas.
    """
    if any(one.distance is None for one in videos):
        return ()
    areas = [(weight, _paper_auc(videos, weight)) for weight in LAMBDAS]
    return tuple((weight, area) for weight, area in areas if area is not None)
