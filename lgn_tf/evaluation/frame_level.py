"""From the scores of all test videos to the numbers that are reported.

Everywhere two scores stand beside each other. `paper` divides each video by
its own range, which no camera can know ahead; `online` is calibrated on normal
video and uses nothing but the past.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lgn_tf.alarms import events
from lgn_tf.data.datasets.kinds import Kinds
from lgn_tf.evaluation import baselines as baselines_module
from lgn_tf.evaluation import comparison, kind_areas, pixel_level, roc
from lgn_tf.evaluation.comparison import Score
from lgn_tf.evaluation.results import Results, VideoResult
from lgn_tf.runs.provenance import Provenance
from lgn_tf.scores import cue_values
from lgn_tf.scores.calibration import Calibration
from lgn_tf.scores.cue_values import CUES, IN_GRAPH, MOTION
from lgn_tf.scores.local_scales import Maps
from lgn_tf.scores.normality import min_max, normality
from lgn_tf.scores.smoothing import smooth
from lgn_tf.scores.video_scores import Series, VideoScores

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
    cues: Mapping[str, Series]


def evaluate(
    videos: Sequence[VideoScores],
    labels: Mapping[str, Labels] | None,
    provenance: Provenance,
    *,
    masks: Masks | None = None,
    baselines: Mapping[str, baselines_module.Scores] | None = None,
    kinds: Kinds | None = None,
    calibration: Calibration | None = None,
    frame_rate: float | None = None,
    smoothing: float | None = None,
    gamma_sweep: Sequence[tuple[float, float]] = (),
) -> Results:
    """Evaluates the scores of all test videos.

    Args:
        videos: in order; each is asked for one at a time and may be read then
            (`video_scores.Folder`), since maps of all videos need not fit into
            memory.
        labels: for each video, the labels of *all* its frames; or None.
        provenance: lambda, and what else the numbers stand on.
        masks: returns the masks of *all* frames of a video, bool (frames,
            height, width), or None where a video has none.
        baselines: what its frames score without a model, for each video; or
            None.
        kinds: of anomalies, for each video, as `data.kinds.read` returns them;
            or None.
        calibration: of the online score, to add the motion to it and to choose
            thresholds of alarms; None leaves both out.
        frame_rate: frames a second; None leaves events out.
        smoothing: share of the newest frame in a causal moving average of the
            online scores; None leaves these scores out.
        gamma_sweep: (gamma, `paper_auc`) of repeated scoring (Fig. 9).

    Raises:
        ValueError: where there is no video or two of one name, where labels,
            masks, baselines or kinds do not fit a video, naming it, and for a
            smoothing out of bounds.
    """
    weight = provenance.normality_weight
    if smoothing is not None and not 0 < smoothing <= 1:
        raise ValueError(
            "`smoothing` must lie above 0 and at most at 1. "
            f"Received: smoothing={smoothing}"
        )
    scales = calibration.scales if calibration else None
    rows = [_rows(one, labels, scales) for one in videos]
    names = [row.name for row in rows]
    if not names or len(set(names)) != len(names):
        raise ValueError(
            "`videos` must hold at least one video, each name once. "
            f"Received: {', '.join(names) or 'none'}"
        )
    truth = _truth(rows)
    opposing = _opposing(rows, baselines)
    if opposing:
        rows = [
            dataclasses.replace(row, cues={**row.cues, MOTION: one.moved})
            for row, one in zip(rows, opposing, strict=True)
        ]
    table = _scores(rows, weight, smoothing, calibration)
    places = pixel_level.evaluate(videos, masks) if masks else None
    contest = comparison.Contest(truth)
    comparisons = contest.compare(table, opposing)
    return Results(
        provenance=provenance,
        scores={name: contest.measure(one) for name, one in table.items()},
        baselines=contest.opponents(opposing),
        maps=places.maps if places else {},
        videos=tuple(
            _video(row, place, table) for place, row in enumerate(rows)
        ),
        scored_frames=sum(len(row.psnr) for row in rows),
        abnormal_frames=sum(int(one.sum()) for one in truth) if truth else None,
        one_class_videos=sum(bool(one.min() == one.max()) for one in truth),
        gain=comparison.gain([row.psnr for row in rows], opposing),
        comparisons=comparisons,
        draws=contest.draws,
        skipped_draws=contest.skipped_draws,
        events=_events(rows, table, calibration, frame_rate),
        frame_rate=frame_rate,
        regions=places.regions if places else 0,
        tracks=places.tracks if places else 0,
        lambda_sweep=_lambda_sweep(rows, truth),
        gamma_sweep=tuple(gamma_sweep),
        kinds=kind_areas.measure(
            kinds, names, truth, table, opposing, comparisons
        ),
        distance_variation=comparison.variation(table["distance raw"].series)
        if "distance raw" in table
        else None,
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


def _rows(
    scores: VideoScores,
    labels: Mapping[str, Labels] | None,
    scales: Mapping[str, Maps] | None = None,
) -> _Rows:
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
        cue_values.map_cues(scores, scales),
    )


def _truth(rows: Sequence[_Rows]) -> list[Labels]:
    """The labels of each video; none where there are no labels."""
    return [row.labels for row in rows if row.labels is not None]


def _scores(
    rows: Sequence[_Rows],
    weight: float,
    smoothing: float | None,
    calibration: Calibration | None,
) -> dict[str, Score]:
    table = {}
    # Normality counts downwards.
    paper = [-normality(row.psnr, row.distance, weight) for row in rows]
    table["paper"] = Score(paper, -1.0)
    online = [row.online for row in rows if row.online is not None]
    if len(online) == len(rows):
        table["online"] = Score(online, 0.0)
    moved = all(MOTION in row.cues for row in rows)
    if calibration is not None and calibration.moves and moved:
        moving = [calibration.score(row.cues, CUES) for row in rows]
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
    quality = [-min_max(row.psnr, constant=1.0) for row in rows]
    table["psnr"] = Score(quality, -1.0)
    table["psnr raw"] = Score([-row.psnr for row in rows], None)
    distance = [row.distance for row in rows if row.distance is not None]
    if len(distance) == len(rows):
        scaled = [min_max(series, constant=0.0) for series in distance]
        table["distance"] = Score(scaled, 0.0)
        table["distance raw"] = Score(distance, None)
    for name in CUES:
        if all(name in row.cues for row in rows):
            series = [row.cues[name] for row in rows]
            table[f"cue {name}"] = Score(series, None)
    return table


def _events(
    rows: Sequence[_Rows],
    table: Mapping[str, Score],
    calibration: Calibration | None,
    frame_rate: float | None,
) -> dict[str, tuple[events.EventResult, ...]]:
    """What is found by alarms, with thresholds from the calibration alone."""
    truth = _truth(rows)
    if calibration is None or frame_rate is None or not truth:
        return {}
    usual = {
        name: calibration.by_clip(calibration.score(calibration.cues, chosen))
        for name, chosen in (("online", IN_GRAPH), ("online motion", CUES))
        if name in table
    }
    return {
        name: events.evaluate(table[name].series, truth, clips, frame_rate)
        for name, clips in usual.items()
    }


def _video(row: _Rows, place: int, table: Mapping[str, Score]) -> VideoResult:
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


def _opposing(
    rows: Sequence[_Rows], given: Mapping[str, baselines_module.Scores] | None
) -> list[baselines_module.Scores]:
    """What was given, in the order of the videos; nothing where none was."""
    if given is None:
        return []
    for row in rows:
        frames = len(given[row.name].copying) if row.name in given else None
        if frames != len(row.psnr):
            raise ValueError(
                f"{row.name}: `baselines` must score the {len(row.psnr)} "
                f"scored frames. Received: {frames}"
            )
    return [given[row.name] for row in rows]


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
