"""Scores of drawn videos, for the tests of what stands on them."""

import numpy as np

from lgn_tf.evaluation import baselines
from lgn_tf.scores.video_scores import VideoScores


def draw(name, labels, *, seed=0, first=4, memory=True, online=True, side=8):
    """Scores that know something of the labels, with maps.

    Args:
        name: of the video.
        labels: of all its frames.
        seed: of the noise.
        first: frames without a score.
        memory: whether there are distances.
        online: whether there is an online score.
        side: height of the maps; they are twice as wide.
    """
    numbers = np.random.default_rng([seed, *name.encode()])
    marks = np.asarray(labels)[first:]
    frames = len(marks)
    coarse = (frames, side // 2, side)
    return VideoScores(
        name=name,
        first=first,
        psnr=numbers.normal(35 - 4 * marks, 2),
        distance=numbers.normal(1e-3 + 2e-4 * marks, 2e-4) if memory else None,
        regular_score=numbers.uniform(0, 0.02, frames),
        updated=numbers.uniform(size=frames) < 0.4,
        online=np.clip(numbers.normal(0.3 + 0.3 * marks, 0.2), 0, 1)
        if online
        else None,
        error_map=numbers.gamma(1, 1e-3, (frames, side, 2 * side)),
        distance_map=numbers.gamma(2, 5e-4, coarse) if memory else None,
        online_map=numbers.normal(0, 1, coarse) if online else None,
    )


def opposition(frames, labels=None, *, seed=0, strength=None, copying=36.0):
    """What frames score without a model: noise, and what is known of labels.

    Args:
        frames: that are scored.
        labels: of them; none are normal.
        seed: of the noise.
        strength: by name, by how much abnormal frames score higher, where
            noise has a deviation of 1.
        copying: mean PSNR of copying, in dB.
    """
    numbers = np.random.default_rng([seed, frames])
    marks = np.zeros(frames) if labels is None else np.asarray(labels)
    strong = strength or {}
    series = {}
    for name, kind in baselines.BASELINES.items():
        values = numbers.normal(strong.get(name, 0.0) * marks, 1)
        if kind.floor is not None:
            values = kind.floor + 1 / (1 + np.exp(-values))
        series[name] = values
    copied = numbers.normal(copying, 1, frames)
    return baselines.BaselineScores(
        series=series,
        copying=copied,
        frames=frames + 4,
        seconds={name: 0.01 * (frames + 4) for name in series},
        # Another series than the opponent's.
        moved=numbers.normal(strong.get(baselines.FLOW, 0.0) * marks, 1),
    )
