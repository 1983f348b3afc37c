"""The cues of the online score: error, distance and motion.

Each is the largest mean over a box of one map, divided by what is usual there.
"""

from collections.abc import Mapping

from lgn_tf.data.video import optical_flow
from lgn_tf.scores import grids, local_scales
from lgn_tf.scores.evidence import Array
from lgn_tf.scores.local_scales import Maps
from lgn_tf.scores.video_scores import VideoScores

ERROR, DISTANCE, MOTION = "error", "distance", "motion"
CUES = (ERROR, DISTANCE, MOTION)
"""Their names."""

IN_GRAPH = (ERROR, DISTANCE)
"""The cues that a graph computes, for the online score that is served."""


def map_cues(
    video: VideoScores, scales: Mapping[str, Maps] | None = None
) -> dict[str, Array]:
    """Returns the cues of a scored video that its maps hold, (frames,) each.

    Args:
        video: the scored video.
        scales: of the calibration, by cue; None divides by nothing.
    """
    found = {ERROR: (video.error_map, grids.ERROR_SHARE)}
    if video.distance_map is not None:
        found[DISTANCE] = video.distance_map, grids.DISTANCE_SHARE
    return {
        name: grids.largest(maps, share, scales[name] if scales else 1.0)
        for name, (maps, share) in found.items()
    }


def strength(cells: Maps, scale: Maps) -> float:
    """Returns the motion cue of a frame.

    Args:
        cells: float32 (rows, columns), `optical_flow.Motion.cells`.
        scale: how fast things usually move at each place, in any size.
    """
    return optical_flow.strength(
        cells, local_scales.resized(scale, cells.shape)
    )
