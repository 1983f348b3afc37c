"""Evaluates the scores of all test videos: areas, comparisons, events."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lgn_tf.alarms import events
from lgn_tf.data.datasets.kinds import Kinds
from lgn_tf.evaluation import comparison, kind_areas, roc
from lgn_tf.evaluation.baselines import BaselineScores
from lgn_tf.evaluation.comparison import Score
from lgn_tf.evaluation.frame_level import (
    FrameSeries,
    Labels,
    labels_of,
    lambda_sweep,
    score_table,
    series_of,
)
from lgn_tf.evaluation.pixel_level import Localisation, evaluate_maps
from lgn_tf.evaluation.results import Results, VideoResult
from lgn_tf.runs.provenance import Provenance
from lgn_tf.scores.calibration import Calibration
from lgn_tf.scores.cue_values import CUES, IN_GRAPH, MOTION
from lgn_tf.scores.video_scores import VideoScores

Masks = Callable[[str], NDArray[np.bool_] | None]


def evaluate_scores(
    videos: Sequence[VideoScores],
    labels: Mapping[str, Labels] | None,
    provenance: Provenance,
    *,
    masks: Masks | None = None,
    baselines: Mapping[str, BaselineScores] | None = None,
    kinds: Kinds | None = None,
    calibration: Calibration | None = None,
    frame_rate: float | None = None,
    smoothing: float | None = None,
    gamma_sweep: Sequence[tuple[float, float]] = (),
) -> Results:
    """Evaluates the scores of all test videos.

    Args:
        videos: in order; each is asked for one at a time and may be read then
            (`video_scores.ScoreFolder`), since the maps of all videos need not
            fit into memory.
        labels: for each video, the labels of *all* its frames; or None.
        provenance: lambda, and where the scores come from.
        masks: returns the masks of *all* frames of a video, bool (frames,
            height, width), or None where a video has none.
        baselines: scores of its frames that need no model, for each video;
            or None.
        kinds: of anomalies, for each video, as `TestSet.kinds` holds them;
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
    if smoothing is not None and not 0 < smoothing <= 1:
        raise ValueError(
            "`smoothing` must lie above 0 and at most at 1. "
            f"Received: smoothing={smoothing}"
        )
    rows = _rows(videos, labels, calibration)
    opposing = _in_order(rows, baselines)
    if opposing:
        rows = [
            dataclasses.replace(row, cues={**row.cues, MOTION: one.moved})
            for row, one in zip(rows, opposing, strict=True)
        ]
    aligned, names = labels_of(rows), [row.name for row in rows]
    weight = provenance.normality_weight
    table = score_table(rows, weight, smoothing, calibration)
    places = evaluate_maps(videos, masks) if masks else Localisation()
    contest = comparison.Contest(aligned)
    compared = contest.compare(table, opposing)
    return Results(
        provenance=provenance,
        scores={name: contest.measure(one) for name, one in table.items()},
        baselines=contest.opponents(opposing),
        videos=tuple(_video(row, k, table) for k, row in enumerate(rows)),
        scored_frames=sum(len(row.psnr) for row in rows),
        abnormal_frames=sum(int(a.sum()) for a in aligned) if aligned else None,
        one_class_videos=sum(bool(a.min() == a.max()) for a in aligned),
        gain=comparison.gain([row.psnr for row in rows], opposing),
        comparisons=compared,
        draws=contest.draws,
        skipped_draws=contest.skipped_draws,
        events=_events(aligned, table, calibration, frame_rate),
        frame_rate=frame_rate,
        **vars(places),
        lambda_sweep=lambda_sweep(rows),
        gamma_sweep=tuple(gamma_sweep),
        kinds=kind_areas.measure_kinds(
            kinds, names, aligned, table, opposing, compared
        ),
        distance_variation=comparison.variation(table.get("distance raw")),
    )


def _rows(
    videos: Sequence[VideoScores],
    labels: Mapping[str, Labels] | None,
    calibration: Calibration | None,
) -> list[FrameSeries]:
    """Takes the series of each video, one video after the other."""
    scales = calibration.scales if calibration else None
    rows = [series_of(one, labels, scales) for one in videos]
    names = [row.name for row in rows]
    if not names or len(set(names)) != len(names):
        raise ValueError(
            "`videos` must hold at least one video, each name once. "
            f"Received: {', '.join(names) or 'none'}"
        )
    return rows


def _in_order(
    rows: Sequence[FrameSeries], given: Mapping[str, BaselineScores] | None
) -> list[BaselineScores]:
    """Returns the baselines in the order of the videos; none where none are."""
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


def _events(
    labels: Sequence[Labels],
    table: Mapping[str, Score],
    calibration: Calibration | None,
    frame_rate: float | None,
) -> dict[str, tuple[events.EventResult, ...]]:
    """Counts what alarms find, with thresholds from the calibration alone."""
    if calibration is None or frame_rate is None or not labels:
        return {}
    usual = {
        name: calibration.by_clip(calibration.score(calibration.cues, chosen))
        for name, chosen in (("online", IN_GRAPH), ("online motion", CUES))
        if name in table
    }
    return {
        name: events.evaluate_alarms(
            table[name].series, labels, clips, frame_rate
        )
        for name, clips in usual.items()
    }


def _video(
    row: FrameSeries, place: int, table: Mapping[str, Score]
) -> VideoResult:
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
