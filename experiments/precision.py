"""The effect of precision and Winograd's convolution on scores.

    python -m experiments.precision runs/NAME [--data-root PATH]

Scores the test videos of a trained run in float32 and bfloat16, each with
direct convolutions, with Winograd's where `auto` takes them in a network of the
full width, and with Winograd's everywhere; and compares with float32 and
direct: the area under the curve, and the largest and mean deviation of the PSNR
and of the online score. Nothing is stored in the run.
"""

import argparse
import dataclasses
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from benchmarks import sections
from lgn_tf.backend import convolution
from lgn_tf.evaluation import frame_level
from lgn_tf.inference import video_scorer
from lgn_tf.model.lgn_net import build_model
from lgn_tf.runs.run import Run

CASES = (
    ("float32", "direct"),
    ("float32", "auto"),
    ("mixed_bfloat16", "direct"),
    ("mixed_bfloat16", "auto"),
    ("mixed_bfloat16", "winograd"),
)


def main():
    """Scores, compares and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("run_dir", type=Path, metavar="RUN")
    parser.add_argument("--data-root")
    options = parser.parse_args()
    run = Run(options.run_dir).changed(data_root=options.data_root)
    test_set = run.test_set()
    if test_set.labels is None:
        raise SystemExit(
            f"{test_set.dataset.root}: has no labels to compare by"
        )
    lines = _compare(run, test_set)
    heads = (
        "dtype",
        "convolution",
        "AUC",
        "PSNR: largest, dB",
        "mean",
        "online score: largest",
        "mean",
        "seconds",
    )
    print(sections.table(heads, lines))


def _compare(run, test_set):
    """Scores with each precision and algorithm; returns the rows."""
    config = run.config
    # A narrow network is rounded where a wide one would be.
    convolution.LEAST_CHANNELS = convolution.LEAST_TILES = 1
    lines, reference = [], None
    for policy, algorithm in CASES:
        changed = dataclasses.replace(config.model, dtype=policy)
        candidate = build_model(dataclasses.replace(config, model=changed))
        candidate.set_weights(run.model.get_weights())
        start = time.perf_counter()
        with convolution.algorithm(algorithm):
            scorer = video_scorer.VideoScorer(
                candidate, calibration=run.calibration
            )
            found = [scores for (scores,) in scorer.score_all(test_set.footage)]
        seconds = time.perf_counter() - start
        reference = reference or found
        weight = config.scoring.normality_weight
        area = frame_level.paper_auc(found, test_set.labels, weight)
        lines.append(
            [
                policy,
                algorithm,
                f"{100 * area:.2f}",
                *_deviations(found, reference, "psnr"),
                *_deviations(found, reference, "online"),
                f"{seconds:.0f}",
            ]
        )
        print(" | ".join(lines[-1]), flush=True)
    return lines


def _deviations(found, reference, name):
    """Returns the largest and the mean deviation as texts."""
    pairs = [
        (getattr(ours, name), getattr(theirs, name))
        for ours, theirs in zip(found, reference, strict=True)
    ]
    if any(ours is None for ours, _ in pairs):
        return "", ""
    off = np.concatenate([np.abs(ours - theirs) for ours, theirs in pairs])
    return f"{off.max():.5f}", f"{off.mean():.5f}"


if __name__ == "__main__":
    main()
