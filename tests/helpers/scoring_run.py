"""Scores of two videos that all backends must share.

Also a program, with TensorFlow blocked:

python -m tests.helpers.scoring_run OUT.npz
"""

import sys

import numpy as np


def scores():
    """Returns every measure of two gammas, by name."""
    from lgn_tf.data.video.footage import InMemory
    from lgn_tf.inference.video_scorer import VideoScorer
    from tests.conformance import training_run

    random = np.random.default_rng(4)
    footage = InMemory(
        ["a", "b"],
        [
            random.integers(0, 256, (length, 16, 24, 1), np.uint8)
            for length in (9, 6)
        ],
    )
    model = training_run.make()
    ((first,), _) = VideoScorer(model).score_all(footage)
    gamma = float(np.median(first.regular_score))
    scorer = VideoScorer(model, gammas=(gamma, 0.0), chunk=4)
    found = {}
    for each in scorer.score_all(footage):
        for gamma, one in zip(("moved", "still"), each, strict=True):
            for name in ("psnr", "distance", "updated", "distance_map"):
                key = f"{one.name} {gamma} {name}"
                found[key] = np.asarray(getattr(one, name), np.float64)
    return found


if __name__ == "__main__":
    sys.modules["tensorflow"] = None  # Not importable.
    np.savez(sys.argv[1], **scores())
