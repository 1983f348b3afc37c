"""Four drawn test videos with labels, a calibration and baselines."""

import numpy as np

from lgn_tf.runs.provenance import Provenance
from lgn_tf.scores import fitting
from tests.helpers.drawn_scores import draw, opposition

SPANS = {"01": (20, 40), "02": (5, 12), "03": (0, 0), "04": (4, 50)}
LABELS = {
    name: np.array([start <= k < end for k in range(50)], np.uint8)
    for name, (start, end) in SPANS.items()
}
VIDEOS = [draw(name, labels) for name, labels in LABELS.items()]
ORIGIN = Provenance(dataset="drawn", normality_weight=0.6)


def pairs(labels, scores):
    """The area by counting: how often an abnormal frame scores higher."""
    labels, scores = np.asarray(labels), np.asarray(scores)
    high, low = scores[labels == 1][:, None], scores[labels == 0][None]
    return np.mean((high > low) + 0.5 * (high == low))


def calibrated(weights, motion=True):
    """A calibration on drawn normal videos of 46 frames each."""
    normal = [draw(f"n{k}", np.zeros(50)) for k in range(3)]
    random = np.random.default_rng(3)
    flow = [random.gamma(2.0, 1e-3, (46, 6, 8)) for _ in normal]
    return fitting.fit_calibration(
        normal,
        in_sample=False,
        weights=weights,
        motion=flow if motion else None,
    )


OPPOSITION = {name: opposition(46, seed=k) for k, name in enumerate(LABELS)}
