"""Scores single videos with a run, and writes their files.

`lgn score` and `lgn bulk-score` share this code, so that the files of a video
hold the same bytes, whichever process scored it.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lgn_tf.data.datasets.dataset import Video
from lgn_tf.data.video import footage, optical_flow
from lgn_tf.inference import video_scorer
from lgn_tf.runs import directory
from lgn_tf.runs.run import Run
from lgn_tf.scores import motion_scores, video_scores
from lgn_tf.scores.normality import normality
from lgn_tf.scores.video_scores import VideoScores

RUN_FILES = (directory.CONFIG, directory.WEIGHTS, directory.CALIBRATION)
"""Files that scoring with a run needs; the last one may be absent."""

_SMALL = 64 * 64
"""Pixels of a frame, times the width squared, of a small model at most."""


@dataclasses.dataclass(frozen=True)
class Scoring:
    """The settings that a command scores videos with.

    Attributes:
        gamma: the update threshold.
        normality_weight: lambda of the paper's normality.
        reset_memory: whether every video starts with the trained items.
        image_size: (height, width) that frames must have.
        frames: of a video that come before its first score.
        in_sample: whether the calibration's clips were fitted on; None for a
            run without calibration.
        small: whether the model leaves cores idle, so that several processes
            score more than one does.
        moves: whether the motion has a part in the online score of all cues.
    """

    gamma: float
    normality_weight: float
    reset_memory: bool
    image_size: tuple[int, int]
    frames: int
    in_sample: bool | None
    small: bool
    moves: bool

    @property
    def independent(self) -> bool:
        """True where the scores of a video do not depend on other videos."""
        return self.gamma == 0 or self.reset_memory


def scoring_of(
    run: Run, gamma: float | str | None, reset_memory: bool
) -> Scoring:
    """Returns the settings that a run is scored with; loads no model.

    Args:
        run: the run.
        gamma: a number, `auto`, or None for the configuration's.
        reset_memory: whether every video starts with the trained items.

    Raises:
        FileNotFoundError: where this is no run directory.
        ValueError: for a file that cannot be read, or `auto` without a
            calibration.
    """
    model, provenance = run.config.model, run.provenance(gamma)
    height, width = model.image_size
    return Scoring(
        gamma=provenance.update_threshold,
        normality_weight=provenance.normality_weight,
        reset_memory=reset_memory,
        image_size=model.image_size,
        frames=model.frames,
        in_sample=provenance.in_sample,
        small=height * width * model.width**2 <= _SMALL,
        moves=run.calibration is not None and run.calibration.moves,
    )


class RunScorer:
    """A run that scores one video after the other.

    Args:
        run: the run; its folder is not read again later.
        scoring: from `scoring_of`.

    Attributes:
        image_size: (height, width) that frames must have.
        chunk: frames that are best read at once.
        moves: whether the motion of frames is asked for.

    Raises:
        FileNotFoundError: naming the file that is missing.
        ValueError: for weights or a calibration that cannot be used.
    """

    def __init__(self, run: Run, scoring: Scoring) -> None:
        """Loads the model."""
        self._weight = scoring.normality_weight
        self._scorer = run.scorer(scoring.gamma, scoring.reset_memory)
        self._calibration = run.calibration
        self.image_size = scoring.image_size
        self.chunk = self._scorer.chunk
        self.moves = scoring.moves

    def strength(self, cells: NDArray[np.float32]) -> float:
        """Returns the motion cue of a frame; see `Calibration.strength`.

        Raises:
            ValueError: where the run has no calibration.
        """
        if self._calibration is None:
            raise ValueError("The run must have a calibration. Received: none")
        return self._calibration.strength(cells)

    def score(
        self,
        name: str,
        pieces: Iterable[NDArray[Any]],
        motion: Sequence[float] | None = None,
    ) -> VideoScores:
        """Scores one video.

        Args:
            name: of the video.
            pieces: its frames in order; see `VideoScorer.score`.
            motion: `strength` of every frame, complete once the pieces are
                read; None leaves `online_motion` out.

        Raises:
            TooShortError: where no frame has enough frames before it.
            ValueError: for frames of another size, or scores that are not
                finite, naming video and frame.
        """
        (scores,) = self._scorer.score(name, pieces)
        if not (self._calibration and self.moves) or motion is None:
            return scores
        series = motion_scores.score_with_motion(
            scores, self._calibration, motion[scores.first :]
        )
        return dataclasses.replace(scores, online_motion=series)

    def score_video(
        self, video: Video, report: Callable[[int], None] = lambda _: None
    ) -> VideoScores:
        """Scores a video on disk; see `score`.

        Args:
            video: where it lies.
            report: called with the number of frames of each piece.

        Raises:
            ValueError: also where the video is damaged.
        """
        strengths: list[float] = []

        def pieces() -> Iterator[NDArray[Any]]:
            read = footage.read_frames(video)
            if self.moves:
                read = optical_flow.watched(
                    read,
                    lambda one: strengths.append(self.strength(one.cells)),
                )
            for piece in footage.resized(read, self.image_size, self.chunk):
                yield piece
                report(len(piece))

        return self.score(video.name, pieces(), strengths)

    def write(self, scores: VideoScores, folder: Path) -> None:
        """Writes the table and the maps of a video; see `video_scores`.

        Raises:
            OSError: naming the file that could not be written.
        """
        paper = normality(scores.psnr, scores.distance, self._weight)
        video_scores.write_scores(scores, folder, normality=paper)


@dataclasses.dataclass(frozen=True)
class Work:
    """Scores videos on disk, in this process or in one of several.

    Attributes:
        run_dir: of the run.
        scoring: from `scoring_of`.
        out: folder that the files are written to.
    """

    run_dir: Path
    scoring: Scoring
    out: Path

    def start(self) -> Callable[[Video, Callable[[int], None]], str | None]:
        """Loads the run, once in a process.

        Returns:
            A function that scores a video. It takes the video and a function
            that is called with the number of frames that are done. It returns
            the reason why the video was skipped, or None.
        """
        scorer = RunScorer(Run(self.run_dir), self.scoring)

        def score(video: Video, report: Callable[[int], None]) -> str | None:
            try:
                scores = scorer.score_video(video, report)
            except video_scorer.TooShortError as error:
                return str(error)
            scorer.write(scores, self.out)
            return None

        return score
