"""Scores of normal clips, and their calibration."""

import numpy as np

from lgn_tf.scores import fitting
from lgn_tf.scores.video_scores import VideoScores

SIZE = (40, 24)
"""Of the error maps; distance maps have 5 x 3 cells."""


def video(name, frames, seed, memory=True, **replaced):
    random = np.random.default_rng(seed)
    distances = random.gamma(2.0, 1e-3, (frames, 5, 3)).astype(np.float32)
    values = {
        "name": name,
        "first": 4,
        "psnr": random.normal(30, 2, frames),
        "distance": distances.mean(axis=(1, 2)) if memory else None,
        "regular_score": random.random(frames),
        "updated": np.zeros(frames, bool),
        "online": None,
        "error_map": random.gamma(2.0, 1e-2, (frames, *SIZE)),
        "distance_map": distances if memory else None,
    }
    return VideoScores(**(values | replaced))


VIDEOS = [video("a", 30, 1), video("b", 21, 2), video("c", 40, 3)]
BOTH = {"error": 1.0, "distance": 0.5, "motion": 0.25}


def fitted(videos=VIDEOS, in_sample=False, weights=BOTH, motion=None):
    return fitting.fit_calibration(
        videos, in_sample=in_sample, weights=weights, motion=motion
    )
