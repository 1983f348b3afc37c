"""Scores all test videos: by the model, and by what needs no model."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from lgn_tf.data.datasets.labels import align
from lgn_tf.data.test_set import TestSet
from lgn_tf.data.video import preprocessing
from lgn_tf.data.video.footage import Footage, ahead, read_frames
from lgn_tf.evaluation import baselines, keyframes
from lgn_tf.inference.video_scorer import VideoScorer
from lgn_tf.scores import video_scores
from lgn_tf.scores.calibration import Calibration
from lgn_tf.scores.cue_values import MOTION
from lgn_tf.scores.normality import normality
from lgn_tf.scores.video_scores import VideoScores

Progress = Callable[[int, int], None]
"""Called with the frames that are done and their number."""

_PIECE = 64  # Frames that are read at once where no model needs more.


def score_test_set(
    scorer: VideoScorer,
    test_set: TestSet,
    folder: Path,
    weight: float,
    progress: Progress | None = None,
) -> list[tuple[VideoScores, ...]]:
    """Writes scores and pictures of all test videos.

    Args:
        scorer: 0 must be among its gammas: the online score, and the maps that
            its cues come from, are those of the trained items.
        test_set: the videos; their tables get the labels.
        folder: an evaluation folder.
        weight: lambda.
        progress: called with the frames that are done and their number.

    Returns:
        For each video its series for every gamma, without their maps.
    """
    inputs, still = scorer.model.frames, scorer.gammas.index(0.0)
    footage, given = test_set.footage, test_set.labels
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
        aligned = align(given[name], inputs) if given else None
        paper = normality(main.psnr, main.distance, weight)
        video_scores.write_scores(main, folder, aligned, paper)
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
        keyframes.write_keyframe(
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


def score_baselines(
    test_set: TestSet,
    folder: Path,
    *,
    inputs: int,
    channels: int,
    calibration: Calibration | None = None,
    progress: Progress | None = None,
) -> dict[str, baselines.BaselineScores]:
    """Scores all test videos without a model; adds the motion to pictures.

    Args:
        test_set: the videos.
        folder: an evaluation folder, with the pictures of the videos.
        inputs: n; the first n frames of a video are not scored.
        channels: of the model's frames.
        calibration: of the online score; its motion cue is measured, too.
        progress: called with the frames that are done and their number.

    Returns:
        By video, those that are long enough.

    Raises:
        ValueError: where originals do not fit; see
            `baselines.score_without_model`.
    """
    found, done, total = {}, 0, sum(test_set.frame_counts.values())
    strength = None
    if calibration is not None and MOTION in calibration.cues:
        strength = calibration.strength
    for index, (name, count) in enumerate(test_set.frame_counts.items()):
        if count > inputs:
            found[name] = baselines.score_without_model(
                name,
                test_set.footage.stream(index, _PIECE),
                ahead(read_frames(test_set.videos[name])),
                inputs=inputs,
                channels=channels,
                pictured=keyframes.places(folder, name),
                strength=strength,
            )
            for place, cells in found[name].cells.items():
                keyframes.add_motion(folder, name, place, cells)
        done += count
        if progress is not None:
            progress(done, total)
    return found
