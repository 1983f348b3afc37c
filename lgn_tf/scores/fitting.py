"""Measures the calibration on normal clips."""

from collections.abc import Mapping, Sequence

import numpy as np

from lgn_tf.scores import cue_values, local_scales
from lgn_tf.scores.calibration import MEASURES, WEIGHTS, Calibration
from lgn_tf.scores.cue_values import DISTANCE, ERROR, MOTION
from lgn_tf.scores.evidence import LEVELS
from lgn_tf.scores.local_scales import Maps
from lgn_tf.scores.video_scores import VideoScores


def _scales(video: VideoScores, scale: Maps) -> dict[str, Maps]:
    """Returns the local scale of each cue; the distance has none."""
    size = video.error_map.shape[1:]
    found = {ERROR: local_scales.resized(scale, size), MOTION: scale}
    if video.distance_map is not None:
        found[DISTANCE] = np.ones(video.distance_map.shape[1:], np.float32)
    return found


def fit_calibration(
    videos: Sequence[VideoScores],
    *,
    in_sample: bool,
    weights: Mapping[str, float] = WEIGHTS,
    motion: Sequence[Maps] | None = None,
    scale: Maps | None = None,
) -> Calibration:
    """Measures normal clips.

    Args:
        videos: scores of normal clips, by a memory that stays as it is.
        in_sample: whether the model was fitted on these clips.
        weights: of the cues, by name.
        motion: for each clip, `optical_flow.Motion.cells` in its scored frames,
            (frames, rows, columns); or None.
        scale: how fast things usually move at each place, from
            `local_scales.measure_scale`; default that of `motion`, and the same
            everywhere without.

    Raises:
        ValueError: where there is not one scored frame, or some score is not
            finite.
    """
    if not videos:
        raise ValueError(
            "`videos` must hold scored frames of normal clips, each longer "
            "than the model's input. Received: no video"
        )
    if scale is None:
        scale = np.ones((1, 1), np.float32)
        if motion is not None:
            scale = local_scales.measure_scale(motion)
    scales = _scales(videos[0], scale)
    parts = [cue_values.map_cues(video, scales) for video in videos]
    values = {
        name: np.concatenate([part[name] for part in parts])
        for name in parts[0]
    }
    if motion is not None:
        values[MOTION] = np.array(
            [
                cue_values.strength(cells, scales[MOTION])
                for clip in motion
                for cells in clip
            ]
        )
    series = {
        name: np.concatenate([getattr(video, name) for video in videos])
        for name in MEASURES
        if getattr(videos[0], name) is not None
    }
    return Calibration(
        values,
        {name: scales[name] for name in values},
        {
            name: np.quantile(measured, np.linspace(0, 1, LEVELS))
            for name, measured in series.items()
        },
        tuple(video.name for video in videos),
        tuple(len(video) for video in videos),
        in_sample,
        weights,
    )
