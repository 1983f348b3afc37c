"""The protocol: scores the test videos of a data set, evaluates, stores.

    test videos -> VideoScorer -> evaluation/frames, maps, pictures
    test videos -> baselines.score: what needs no model
    labels, kinds, masks -> evaluation.evaluate -> evaluation/results.json

The folder appears whole, in the place of an older one, or not at all.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lgn_tf.alarms import alarms
from lgn_tf.config.schema import Config
from lgn_tf.data.datasets import kinds, masks
from lgn_tf.data.datasets import labels as labels_module
from lgn_tf.data.datasets.dataset import Dataset
from lgn_tf.data.video import footage as footage_module
from lgn_tf.data.video import preprocessing
from lgn_tf.data.video.footage import Footage
from lgn_tf.evaluation import baselines, frame_level, keyframes, results
from lgn_tf.evaluation.results import Results
from lgn_tf.files import atomic
from lgn_tf.inference.video_scorer import VideoScorer
from lgn_tf.runs import provenance
from lgn_tf.runs.provenance import Provenance
from lgn_tf.scores import motion_scores, video_scores
from lgn_tf.scores import smoothing as smoothing_module
from lgn_tf.scores.calibration import MOTION, Calibration
from lgn_tf.scores.normality import normality
from lgn_tf.scores.video_scores import VideoScores

Progress = Callable[[int, int], None]
Labels = Mapping[str, NDArray[np.uint8]]

SWEEP_LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
"""Quantiles of the regular score on normal clips: the sweep over gamma."""

_PIECE = 64  # Frames that are read at once where no model needs more.


@dataclasses.dataclass(frozen=True)
class Options:
    """What may differ from run to run of one protocol.

    Attributes:
        gamma: update threshold, or `auto` for a quantile of the
            calibration; None takes that of the configuration.
        reset_memory: whether each video starts with the trained items.
        gamma_sweep: whether other thresholds are scored in the same pass.
        labels: version of the frame labels; empty for the preferred one.
        smoothing: seconds of a causal average of the online scores, reported
            besides; None takes `smoothing.SECONDS` where there is a rate, 0
            leaves these scores out.
        frame_rate: frames a second of the videos; None takes the published
            one, and leaves events out where there is none.
        weights: which are scored with, in words.
    """

    gamma: float | str | None = None
    reset_memory: bool = False
    gamma_sweep: bool = True
    labels: str = ""
    smoothing: float | None = None
    frame_rate: float | None = None
    weights: str = provenance.LAST


def evaluate(
    model: Any,
    config: Config,
    footage: Footage,
    dataset: Dataset,
    out: Path,
    *,
    calibration: Calibration | None = None,
    options: Options = Options(),
    progress: Progress | None = None,
) -> Results:
    """Scores and evaluates the test videos.

    The paper's score is that of memory items which go on learning where gamma
    is above 0; the online score is always that of the trained items, as they
    are exported.

    Args:
        model: an `LGNNet`.
        config: of the run.
        footage: the test videos, at the model's size.
        dataset: their labels, kinds and masks.
        out: the evaluation folder; replaced where it exists.
        calibration: for the online score.
        options: of the protocol.
        progress: called with the frames that are done and their number, once
            by the model and once by what needs none.

    Returns:
        The results. Videos that are too short for a score are named there.

    Raises:
        ValueError: where no video is long enough, labels or kinds do not fit,
            or for a smoothing as in `smoothing.share_of_newest`.
        OSError: where no space is left; an older folder stays.
    """
    counts = dict(zip(footage.names, footage.frame_counts, strict=True))
    inputs = config.model.frames
    if max(counts.values(), default=0) <= inputs:
        raise ValueError(
            f"{dataset.root}: a test video must have at least {inputs + 1} "
            f"frames. Found there: at most {max(counts.values(), default=0)}"
        )
    truth, _ = read_labels(dataset, counts, options.labels)
    # What is damaged is said before anything is scored.
    kinds.find(dataset, counts, truth)
    smoothing_module.share_of_newest(
        options.smoothing, _rate(options.frame_rate, config.data.dataset)
    )
    gamma = provenance.threshold(config, calibration, options.gamma)
    gammas = gammas_of(model, gamma, calibration, options.gamma_sweep)
    scorer = VideoScorer(
        model,
        gammas=gammas,
        reset_memory=options.reset_memory,
        calibration=calibration,
        keep_predictions=True,
    )
    with atomic.folder(out) as folder:
        stand = provenance.describe(
            config,
            calibration,
            gamma,
            weights=options.weights,
            memory_reset=options.reset_memory,
        )
        series = score(
            scorer, footage, truth, folder, stand.normality_weight, progress
        )
        return conclude(
            folder,
            footage,
            dataset,
            stand,
            channels=config.model.channels,
            labels=options.labels,
            calibration=calibration,
            frame_rate=options.frame_rate,
            smoothing=options.smoothing,
            gamma_sweep=_sweep(gammas, series, truth, stand.normality_weight),
            progress=progress,
        )


def conclude(
    folder: Path,
    footage: Footage,
    dataset: Dataset,
    stand: Provenance,
    *,
    channels: int,
    labels: str = "",
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
        footage: the test videos, at the model's size.
        dataset: their originals, labels, kinds and masks.
        stand: what the scores stand on; the label version is filled in.
        channels: of the model's frames.
        labels: version of the frame labels; empty for the preferred one.
        calibration: of the online score; None leaves motion and events out.
        frame_rate: see `Options`.
        smoothing: see `Options`.
        gamma_sweep: (gamma, area) of repeated scoring.
        progress: called with the frames that are done and their number.

    Raises:
        ValueError: where labels, kinds or originals do not fit.
        FileNotFoundError: where scores are missing.
    """
    counts = dict(zip(footage.names, footage.frame_counts, strict=True))
    truth, version = read_labels(dataset, counts, labels)
    scores = video_scores.Folder(folder)
    inputs = scores[0].first
    rate = _rate(frame_rate, stand.dataset)
    opposing = _baselines(
        folder, footage, dataset, inputs, channels, calibration, progress
    )
    if calibration is not None:
        moved = {name: one.moved for name, one in opposing.items()}
        motion_scores.add(folder, calibration, moved)
    found = frame_level.evaluate(
        scores,
        truth,
        dataclasses.replace(stand, label_version=version),
        masks=read_masks(dataset),
        baselines=opposing,
        kinds=kinds.find(dataset, counts, truth),
        calibration=calibration,
        frame_rate=rate,
        smoothing=smoothing_module.share_of_newest(smoothing, rate),
        gamma_sweep=gamma_sweep,
    )
    skipped = tuple(name for name, count in counts.items() if count <= inputs)
    found = dataclasses.replace(found, skipped=skipped)
    results.write(found, folder)
    return found


def _rate(given: float | None, dataset: str) -> float | None:
    return given or alarms.FRAME_RATES.get(dataset)


def read_labels(
    dataset: Dataset, counts: Mapping[str, int], version: str
) -> tuple[Labels | None, str]:
    """Reads the labels of the test videos.

    Returns:
        The labels and their version; None and nothing where there are none.

    Raises:
        ValueError: where an asked version is not there, or does not fit.
    """
    if not dataset.truths and not version:
        return None, ""
    found = labels_module.read(dataset, counts, version)
    return found, version or dataset.truths[0].version


def gammas_of(
    model: Any, gamma: float, calibration: Calibration | None, sweep: bool
) -> tuple[float, ...]:
    """Returns what is scored in one pass: gamma first, 0 among the others.

    Args:
        model: an `LGNNet`.
        gamma: of the results.
        calibration: whose quantiles are swept over, where there is one.
        sweep: whether there is more than gamma and 0.
    """
    if not model.has_memory:
        return (0.0,)
    others = {0.0}
    if sweep and calibration is not None:
        others |= {calibration.update_threshold(p) for p in SWEEP_LEVELS}
    elif sweep and gamma > 0:
        others |= {0.25 * gamma, 0.5 * gamma, 2 * gamma}
    return gamma, *sorted(others - {gamma})


def score(
    scorer: VideoScorer,
    footage: Footage,
    truth: Labels | None,
    folder: Path,
    weight: float,
    progress: Progress | None = None,
) -> list[tuple[VideoScores, ...]]:
    """Writes scores and pictures of all test videos.

    Args:
        scorer: 0 must be among its gammas: the online score, and the maps that
            its cues come from, are those of the trained items.
        footage: the test videos.
        truth: their labels, or None.
        folder: an evaluation folder.
        weight: lambda.
        progress: called with the frames that are done and their number.

    Returns:
        For each video its series for every gamma, without their maps.
    """
    inputs, still = scorer.model.frames, scorer.gammas.index(0.0)
    places = {name: index for index, name in enumerate(footage.names)}
    kept = []
    for each in scorer.score_all(footage, progress):
        name = each[0].name
        main = dataclasses.replace(
            each[0],
            online=each[still].online,
            online_map=each[still].online_map,
            error_map=each[still].error_map,
            distance_map=each[still].distance_map,
        )
        aligned = labels_module.align(truth[name], inputs) if truth else None
        paper = normality(main.psnr, main.distance, weight)
        video_scores.write(main, folder, aligned, paper)
        _picture(scorer, footage, places[name], main, folder)
        kept.append(tuple(_without_maps(scores) for scores in each))
    return kept


def _picture(
    scorer: VideoScorer,
    footage: Footage,
    index: int,
    scores: VideoScores,
    folder: Path,
) -> None:
    abnormal = -scores.psnr if scores.online is None else scores.online
    if scorer.predictions is None:
        return
    for place in keyframes.choose(abnormal):
        frame = footage.read(
            index, scores.first + place, scores.first + place + 1
        )
        keyframes.write(
            folder,
            scores.name,
            scores.first + place,
            preprocessing.to_channels(frame[0], scorer.model.channels),
            scorer.predictions[place],
        )


def _without_maps(scores: VideoScores) -> VideoScores:
    """Keeps a corner of the map that must be there."""
    return dataclasses.replace(
        scores,
        error_map=scores.error_map[:, :1, :1].copy(),
        distance_map=None,
        online_map=None,
    )


def _sweep(
    gammas: tuple[float, ...],
    series: list[tuple[VideoScores, ...]],
    truth: Labels | None,
    weight: float,
) -> list[tuple[float, float]]:
    areas = []
    for gamma, videos in zip(gammas, zip(*series, strict=True), strict=True):
        if truth is not None and len(gammas) > 1:
            area = frame_level.paper_auc(videos, truth, weight)
            if area is not None:
                areas.append((gamma, area))
    return sorted(areas)


def read_masks(
    dataset: Dataset,
) -> Callable[[str], NDArray[np.bool_] | None] | None:
    """Returns what reads the masks of a test video; None where none has any."""
    videos = {video.name: video for video in dataset.split("test")}
    if all(video.mask is None for video in videos.values()):
        return None

    def read(name: str) -> NDArray[np.bool_] | None:
        video = videos[name]
        return None if video.mask is None else masks.read(video)

    return read


def _baselines(
    folder: Path,
    footage: Footage,
    dataset: Dataset,
    inputs: int,
    channels: int,
    calibration: Calibration | None,
    progress: Progress | None,
) -> dict[str, baselines.Scores]:
    originals = {video.name: video for video in dataset.split("test")}
    found, done, total = {}, 0, sum(footage.frame_counts)
    for index, (name, count) in enumerate(
        zip(footage.names, footage.frame_counts, strict=True)
    ):
        if count > inputs:
            read = footage_module.read_frames(originals[name])
            found[name] = baselines.score(
                name,
                footage.stream(index, _PIECE),
                footage_module.ahead(read),
                inputs=inputs,
                channels=channels,
                pictured=keyframes.places(folder, name),
                strength=calibration.strength
                if calibration is not None and MOTION in calibration.cues
                else None,
            )
            for place, cells in found[name].cells.items():
                keyframes.add_motion(folder, name, place, cells)
        done += count
        if progress is not None:
            progress(done, total)
    return found
