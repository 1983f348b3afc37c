"""Scores that need no model: what any detector has to beat."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lgn_tf.data import clips, labels

BASELINES = ("position in the clip", "closeness to its middle", "difference")
"""Their names, in the order of `score`."""


def score(video: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Scores every frame of a video three times; high means abnormal.

    Args:
        video: uint8 (frames, height, width, channels).

    Returns:
        (3, frames): position in [0, 1], closeness to the middle in [0, 1], and
        the mean absolute difference to the frame before, in gray levels.
    """
    count = len(video)
    position = np.linspace(0.0, 1.0, count)
    # Counted from both ends, so that frames equally far are exactly equal.
    places = np.arange(count)
    middle = np.minimum(places, places[::-1]) / max(1.0, (count - 1) / 2)
    difference = np.zeros(count)
    for place in range(1, count):
        before = video[place - 1].astype(np.int16)
        difference[place] = np.abs(video[place] - before).mean()
    return np.stack([position, middle, difference])


def evaluate(
    videos: Sequence[NDArray[np.uint8]],
    truth: Sequence[NDArray[np.uint8]],
    inputs: int = 4,
) -> dict[str, float]:
    """Returns the frame AUC of each baseline over all videos (micro).

    Args:
        videos: for each, uint8 (frames, height, width, channels).
        truth: for each, its labels (frames,).
        inputs: n; the first n frames of a video are left out, as for a model.

    Raises:
        ValueError: where the labels hold one class only.
    """
    wanted = np.concatenate([labels.align(one, inputs) for one in truth])
    if len(np.unique(wanted)) != 2:
        raise ValueError(
            "An AUC takes normal and abnormal frames. "
            f"Received: {len(wanted)} frames, {int(wanted.sum())} abnormal"
        )
    # Imported late: a machine that scores, and evaluates not, may lack it.
    from sklearn.metrics import roc_auc_score

    scores = np.concatenate(
        [
            score(video)[:, list(clips.scored(len(video), inputs))]
            for video in videos
        ],
        axis=1,
    )
    return {
        name: float(roc_auc_score(wanted, values))
        for name, values in zip(BASELINES, scores, strict=True)
    }
