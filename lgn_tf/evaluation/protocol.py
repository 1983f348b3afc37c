"""The protocol: scores the test videos of a data set, evaluates, stores.

    test videos -> scoring.score_test_set -> evaluation/frames, maps, pictures
    test videos -> scoring.score_baselines: what needs no model
    labels, kinds, masks -> evaluate.evaluate_scores -> evaluation/results.json

The folder appears whole, in the place of an older one, or not at all.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lgn_tf.data.datasets import registry
from lgn_tf.data.test_set import TestSet
from lgn_tf.evaluation import keyframes, results
from lgn_tf.evaluation.evaluate import evaluate_scores
from lgn_tf.evaluation.frame_level import paper_auc
from lgn_tf.evaluation.results import Results
from lgn_tf.evaluation.scoring import (
    Progress,
    score_baselines,
    score_test_set,
)
from lgn_tf.files import ownership
from lgn_tf.inference.video_scorer import VideoScorer
from lgn_tf.runs.provenance import Provenance
from lgn_tf.runs.run import Run
from lgn_tf.scores import motion_scores, video_scores
from lgn_tf.scores.calibration import Calibration
from lgn_tf.scores.smoothing import share_of_newest
from lgn_tf.scores.video_scores import VideoScores

Labels = Mapping[str, NDArray[np.uint8]]

KIND = "evaluation"
"""What an evaluation folder is marked with."""

SWEEP_LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
"""Quantiles of the regular score on normal clips: the sweep over gamma."""


@dataclasses.dataclass(frozen=True)
class Options:
    """Choices of an evaluation.

    Attributes:
        gamma: update threshold, or `auto` for a quantile of the
            calibration; None takes that of the configuration.
        reset_memory: whether each video starts with the trained items.
        gamma_sweep: whether other thresholds are scored in the same pass.
        smoothing: seconds of a causal average of the online scores, reported
            besides; None takes `smoothing.SECONDS` where there is a rate, 0
            leaves these scores out.
        frame_rate: frames a second of the videos; None takes the published
            one, and leaves events out where there is none.
    """

    gamma: float | str | None = None
    reset_memory: bool = False
    gamma_sweep: bool = True
    smoothing: float | None = None
    frame_rate: float | None = None


def evaluate_run(
    run: Run,
    test_set: TestSet,
    out: Path,
    *,
    options: Options = Options(),
    progress: Progress | None = None,
) -> Results:
    """Scores and evaluates the test videos.

    The paper's score is that of memory items which go on learning where gamma
    is above 0; the online score is always that of the trained items, as they
    are exported.

    Args:
        run: what scores; its calibration adds the online score.
        test_set: the videos and their ground truth.
        out: the evaluation folder; an older evaluation there is replaced.
        options: of the protocol.
        progress: called with the frames that are done and their number, once
            by the model and once by what needs none.

    Returns:
        The results. Videos that are too short for a score are named there.

    Raises:
        ValueError: where no video is long enough, labels or kinds do not fit,
            or for a smoothing as in `smoothing.share_of_newest`.
        FileExistsError: where `out` holds anything but an older evaluation.
        OSError: where no space is left; an older folder stays.
    """
    _require_long_enough(test_set, run.config.model.frames)
    # What is damaged is said before anything is scored.
    _ = test_set.labels, test_set.kinds
    share_of_newest(
        options.smoothing, _rate(options.frame_rate, run.config.data.dataset)
    )
    provenance = run.provenance(options.gamma, options.reset_memory)
    gammas = gammas_of(run, provenance.update_threshold, options.gamma_sweep)
    scorer = VideoScorer(
        run.model,
        gammas=gammas,
        reset_memory=options.reset_memory,
        calibration=run.calibration,
        keep_predictions=True,
    )
    with ownership.folder(out, KIND, _before_marks(out)) as folder:
        weight = provenance.normality_weight
        series = score_test_set(scorer, test_set, folder, weight, progress)
        found = evaluate_folder(
            folder,
            test_set,
            provenance,
            channels=run.config.model.channels,
            calibration=run.calibration,
            frame_rate=options.frame_rate,
            smoothing=options.smoothing,
            gamma_sweep=_sweep(gammas, series, test_set.labels, weight),
            progress=progress,
        )
        run.require_unchanged()
        return found


def require_replaceable(out: Path) -> None:
    """Refuses a folder that an evaluation must not take the place of.

    Raises:
        FileExistsError: naming the folder, and what was found there.
    """
    ownership.require(out, KIND, _before_marks(out))


def _before_marks(out: Path) -> set[str]:
    """Returns the names of the files of an evaluation that has no mark.

    Its results can be read, and the other files are of the videos in them.
    """
    try:
        videos = [video.name for video in results.read_results(out).videos]
    except (ValueError, OSError):
        return set()
    names = {results.FILE}
    for video in videos:
        names |= {
            f"{video_scores.FRAMES}/{video}.csv",
            f"{video_scores.MAPS}/{video}.npz",
        }
        pictures = (out / keyframes.FOLDER / video).glob("*.npz")
        names |= {path.relative_to(out).as_posix() for path in pictures}
    return names


def _require_long_enough(test_set: TestSet, inputs: int) -> None:
    longest = max(test_set.frame_counts.values(), default=0)
    if longest <= inputs:
        raise ValueError(
            f"{test_set.dataset.root}: a test video must have at least "
            f"{inputs + 1} frames. Found there: at most {longest}"
        )


def evaluate_folder(
    folder: Path,
    test_set: TestSet,
    provenance: Provenance,
    *,
    channels: int,
    calibration: Calibration | None = None,
    frame_rate: float | None = None,
    smoothing: float | None = None,
    gamma_sweep: Sequence[tuple[float, float]] = (),
    progress: Progress | None = None,
) -> Results:
    """Evaluates scores that lie in a folder, and writes the results there.

    The tables of the videos get the online score of all cues.

    Args:
        folder: an evaluation folder, `frames/` and `maps/` of all videos that
            are long enough; to their `pictures/` the motion is added.
        test_set: the videos and their ground truth.
        provenance: where the scores come from; the label version is filled in.
        channels: of the model's frames.
        calibration: of the online score; None leaves motion and events out.
        frame_rate: see `Options`.
        smoothing: see `Options`.
        gamma_sweep: (gamma, area) of repeated scoring.
        progress: called with the frames that are done and their number.

    Raises:
        ValueError: where labels, kinds or originals do not fit.
        FileNotFoundError: where scores are missing.
    """
    scores = video_scores.ScoreFolder(folder)
    inputs = scores[0].first
    rate = _rate(frame_rate, provenance.dataset)
    opposing = score_baselines(
        test_set,
        folder,
        inputs=inputs,
        channels=channels,
        calibration=calibration,
        progress=progress,
    )
    if calibration is not None:
        moved = {name: one.moved for name, one in opposing.items()}
        motion_scores.add_motion_scores(folder, calibration, moved)
    found = evaluate_scores(
        scores,
        test_set.labels,
        dataclasses.replace(provenance, label_version=test_set.label_version),
        masks=test_set.masks if test_set.has_masks else None,
        baselines=opposing,
        kinds=test_set.kinds,
        calibration=calibration,
        frame_rate=rate,
        smoothing=share_of_newest(smoothing, rate),
        gamma_sweep=gamma_sweep,
    )
    counts = test_set.frame_counts.items()
    skipped = tuple(name for name, count in counts if count <= inputs)
    found = dataclasses.replace(found, skipped=skipped)
    results.write_results(found, folder)
    return found


def _rate(given: float | None, dataset: str) -> float | None:
    return given or registry.frame_rate(dataset)


def gammas_of(run: Run, gamma: float, sweep: bool) -> tuple[float, ...]:
    """Returns the gammas of one pass: that of the results first, then others.

    Args:
        run: what scores; the quantiles of its calibration are swept over.
        gamma: of the results.
        sweep: whether there is more than gamma and 0.

    Returns:
        Thresholds without repetition; 0 is one of them.
    """
    if not run.model.has_memory:
        return (0.0,)
    others = {0.0}
    if sweep and run.calibration is not None:
        others |= {run.calibration.update_threshold(p) for p in SWEEP_LEVELS}
    elif sweep and gamma > 0:
        others |= {0.25 * gamma, 0.5 * gamma, 2 * gamma}
    return gamma, *sorted(others - {gamma})


def _sweep(
    gammas: tuple[float, ...],
    series: list[tuple[VideoScores, ...]],
    labels: Labels | None,
    weight: float,
) -> list[tuple[float, float]]:
    areas = []
    for gamma, videos in zip(gammas, zip(*series, strict=True), strict=True):
        if labels is not None and len(gammas) > 1:
            area = paper_auc(videos, labels, weight)
            if area is not None:
                areas.append((gamma, area))
    return sorted(areas)
