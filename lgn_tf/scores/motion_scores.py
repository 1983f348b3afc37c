"""The online score of all cues with motion, which no graph computes.

It is made from the maps of a scored video, and from the motion that OpenCV
measured in its frames.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from lgn_tf.scores import cue_values, video_scores
from lgn_tf.scores.calibration import Calibration
from lgn_tf.scores.cue_values import CUES, MOTION
from lgn_tf.scores.video_scores import Series, VideoScores


def score_with_motion(
    scores: VideoScores, calibration: Calibration, motion: ArrayLike
) -> Series:
    """Returns the online score of all cues of a video.

    Args:
        scores: of the video, with their maps.
        calibration: of the online score; `moves` must hold.
        motion: (frames,), `Calibration.strength` of each scored frame.

    Returns:
        float64 (frames,) in [0, 1], high means abnormal.

    Raises:
        ValueError: where there is not one number a scored frame, naming the
            video.
    """
    if np.shape(motion) != (len(scores),):
        raise ValueError(
            f"{scores.name}: `motion` must be one number for each of the "
            f"{len(scores)} scored frames. Received: shape {np.shape(motion)}"
        )
    cues = cue_values.map_cues(scores, calibration.scales)
    cues[MOTION] = np.asarray(motion, np.float64)
    return calibration.score(cues, CUES)


def add_motion_scores(
    folder: Path, calibration: Calibration, motion: Mapping[str, ArrayLike]
) -> None:
    """Adds `online_motion` to the tables of all videos of a folder.

    Args:
        folder: an evaluation folder.
        calibration: of the online score; where not `moves`, nothing is added.
        motion: by video, see `score_with_motion`.

    Raises:
        ValueError: where a video has no online score, or not as many frames.
        OSError: naming the file that could not be written.
    """
    if not calibration.moves:
        return
    for scores in video_scores.ScoreFolder(folder):
        series = score_with_motion(scores, calibration, motion[scores.name])
        video_scores.add_online_motion(folder, scores.name, series)
