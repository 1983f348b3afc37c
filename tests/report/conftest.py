"""Runs with a drawn evaluation."""

import types

import numpy as np
import pytest

from lgn_tf.evaluation import keyframes, results
from lgn_tf.evaluation.evaluate import evaluate_scores
from lgn_tf.runs.provenance import Provenance
from lgn_tf.scores import video_scores
from tests.helpers.drawn_scores import draw, opposition
from tests.report.parsed_page import LABELS, NAMES, NUMBERS


def write_picture(folder, name, moved):
    """Writes the frame 12 of a video, with or without motion."""
    frames = NUMBERS.integers(0, 255, (2, 16, 32, 1), np.uint8)
    keyframes.write_keyframe(folder, name, 12, *frames)
    if moved:
        cells = NUMBERS.uniform(0, 1e-2, (30, 60))
        keyframes.add_motion(folder, name, 12, cells)


def baselines_of(copying):
    """Scores without a model, where copying has such a PSNR."""
    return {
        name: opposition(26, LABELS[4:], seed=place, copying=copying)
        for place, name in enumerate(NAMES)
    }


@pytest.fixture
def evaluated(tmp_path):
    """Writes an evaluation, and returns the run directory."""

    def make(
        *,
        labels=True,
        masks=True,
        shown=True,
        moved=True,
        copying=30.0,
        weights=types.MappingProxyType({"error": 1.0, "distance": 0.0}),
        **kinds,
    ):
        run_dir = tmp_path / "run <1>"
        folder = run_dir / "evaluation"
        for name in NAMES:
            video = draw(name, LABELS, **kinds)
            video_scores.write_scores(
                video, folder, LABELS[4:] if labels else None
            )
            if shown:
                write_picture(folder, name, moved)
        marks = np.zeros((30, 8, 16), bool)
        marks[10:20, 2:4, 3:9] = True
        found = evaluate_scores(
            video_scores.ScoreFolder(folder),
            dict.fromkeys(NAMES, LABELS) if labels else None,
            Provenance(
                dataset="ped2",
                label_version="ucsd <1>",
                normality_weight=0.6 if kinds.get("memory", True) else 1.0,
                in_sample=True,
                holdout=2,
                cue_weights=dict(weights),
            ),
            masks=(lambda _: marks) if masks else None,
            baselines=baselines_of(copying),
        )
        results.write_results(found, folder)
        return run_dir

    return make
