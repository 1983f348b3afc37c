"""The calibration of a run: normal clips scored and measured."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lgn_tf import calibration, checkpoints
from lgn_tf.calibration import Calibration
from lgn_tf.config import Config
from lgn_tf.data.footage import Footage
from lgn_tf.data.sources import Source
from lgn_tf.inference import VideoScorer
from lgn_tf.measures import VideoScores

Progress = Callable[[int, int], None]

MOST_FRAMES = 4000
"""Frames of clips that were fitted on, at most: maps are held in memory."""


def of_run(
    run_dir: Path,
    config: Config,
    model: Any,
    source: Source,
    progress: Progress | None = None,
    weights: str = checkpoints.WEIGHTS,
) -> Calibration:
    """Returns the calibration of a run; measured and kept where none is.

    Args:
        run_dir: of the run.
        config: of the run.
        model: with `weights`.
        source: the videos of the run.
        progress: called with the frames that are done and their number.
        weights: which the model has, `checkpoints.WEIGHTS` or `BEST`.

    Raises:
        ValueError: where no clip is long enough, or the file is damaged.
        OSError: where no space is left.
    """
    path = run_dir / checkpoints.calibration_of(weights)
    if path.is_file():
        return calibration.load(path)
    fitted, held_out = source.training(
        config.data.holdout, config.training.seed
    )
    found = calibrate(model, fitted, held_out, progress=progress)
    found.save(path)
    return found


def calibrate(
    model: Any,
    fitted: Footage | None,
    held_out: Footage | None,
    *,
    progress: Progress | None = None,
) -> Calibration:
    """Measures normal clips with the model's own items.

    Args:
        model: an `LGNNet`.
        fitted: clips that it was fitted on. They help to say what is usual at
            each place, `MOST_FRAMES` of them evenly spread.
        held_out: clips that it was not fitted on: the distributions are
            theirs. Where there are none, those of the fitted clips are taken,
            and marked in-sample.
        progress: called with the frames that are done and their number.

    Raises:
        ValueError: where no clip is long enough.
    """
    parts: list[tuple[Footage, list[int]]] = []
    if fitted is not None:
        parts.append((fitted, _spread(fitted)))
    if held_out is not None:
        parts.append((held_out, list(range(len(held_out.names)))))
    total = sum(part.frame_counts[i] for part, chosen in parts for i in chosen)
    scorer = VideoScorer(model)
    found: list[list[VideoScores]] = []
    done = 0
    for part, chosen in parts:
        found.append([])
        for index in chosen:
            done += part.frame_counts[index]
            if part.frame_counts[index] > model.frames:
                pieces = part.stream(index, scorer.chunk)
                found[-1] += scorer.score(part.names[index], pieces)
            if progress:
                progress(done, total)
    *others, videos = found
    return calibration.fit(
        videos,
        model.image_size,
        others=others[0] if others else (),
        in_sample=held_out is None,
    )


def _spread(footage: Footage) -> list[int]:
    """Chooses videos of all the footage, `MOST_FRAMES` of them or one."""
    counts = footage.frame_counts
    step = max(1, -(-sum(counts) // MOST_FRAMES))
    return list(range(0, len(counts), step))
