"""Measures the calibration of a run on normal clips."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from lgn_tf.config.schema import Config
from lgn_tf.data.datasets.dataset import Video
from lgn_tf.data.sources import Source
from lgn_tf.data.video import optical_flow
from lgn_tf.data.video.footage import Footage, ahead, read_frames
from lgn_tf.files.spool import Spool
from lgn_tf.inference.video_scorer import VideoScorer
from lgn_tf.scores import fitting, local_scales
from lgn_tf.scores.calibration import WEIGHTS, Calibration
from lgn_tf.scores.video_scores import VideoScores

Progress = Callable[[int, int], None]

MOST_FRAMES = 4000
"""Frames of clips that were fitted on, at most."""


def of_source(
    model: Any,
    config: Config,
    source: Source,
    progress: Progress | None = None,
) -> Calibration:
    """Measures the validation videos of a run, or else its training videos.

    Args:
        model: an `LGNNet` with the weights that will score.
        config: of the run.
        source: the videos of the run.
        progress: called with the frames that are done and their number.

    Raises:
        ValueError: where no clip is long enough.
    """
    fitted, held_out = source.training(
        config.data.holdout, config.training.seed
    )
    return calibrate(
        model,
        fitted if held_out is None else held_out,
        others=None if held_out is None else fitted,
        in_sample=held_out is None,
        weights=config.scoring.cue_weights,
        originals={
            video.name: video for video in source.dataset.split("train")
        },
        progress=progress,
    )


def calibrate(
    model: Any,
    footage: Footage,
    *,
    in_sample: bool,
    others: Footage | None = None,
    weights: Mapping[str, float] = WEIGHTS,
    originals: Mapping[str, Video] | None = None,
    progress: Progress | None = None,
) -> Calibration:
    """Measures normal clips with the model's own items.

    Args:
        model: an `LGNNet`.
        footage: the clips.
        in_sample: whether the model was fitted on them; then `MOST_FRAMES` of
            them, evenly spread, are enough.
        others: more normal clips, whose motion alone is measured: they help to
            tell how fast things usually move at each place. `MOST_FRAMES` of
            them, evenly spread, are enough, or so many of one long clip; or
            None.
        weights: of the cues.
        originals: the same clips on disk, by name, where they can be read in
            their own size, which is what the motion is measured in; or None.
        progress: called with the frames that are done and their number.

    Raises:
        ValueError: where no clip is long enough.
    """
    chosen = _spread(footage) if in_sample else range(len(footage.names))
    total = sum(footage.frame_counts[index] for index in chosen)
    scorer = VideoScorer(model)
    found: list[VideoScores] = []
    done = 0
    for index in chosen:
        done += footage.frame_counts[index]
        if footage.frame_counts[index] > model.frames:
            pieces = footage.stream(index, scorer.chunk)
            found += scorer.score(footage.names[index], pieces)
        if progress:
            progress(done, total)
    moved = _motion([one.name for one in found], originals, model.frames)
    scale = None
    if moved and others is not None:
        names = [others.names[index] for index in _spread(others)]
        scale = local_scales.measure_scale(
            moved + (_motion(names, originals, 0, MOST_FRAMES) or [])
        )
    return fitting.fit_calibration(
        found,
        in_sample=in_sample,
        weights=weights,
        motion=moved,
        scale=scale,
    )


def _motion(
    names: Sequence[str],
    originals: Mapping[str, Video] | None,
    first: int,
    most: int | None = None,
) -> list[NDArray[Any]] | None:
    """Returns the cells of the motion in each clip, from frame `first` on."""
    if originals is None or not all(name in originals for name in names):
        return None
    return [_cells(originals[name], first, most) for name in names]


def _cells(video: Video, first: int, most: int | None) -> NDArray[Any]:
    rows = Spool()
    read = ahead(read_frames(video))
    for moved in itertools.islice(optical_flow.measured(read), first, most):
        rows.append(moved.cells[None])
    return rows.array()


def _spread(footage: Footage) -> list[int]:
    """Chooses videos evenly: about `MOST_FRAMES` frames, or one video."""
    counts = footage.frame_counts
    step = max(1, -(-sum(counts) // MOST_FRAMES))
    return list(range(0, len(counts), step))
