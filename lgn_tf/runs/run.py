"""A run directory as an object: what training left, and what is done with it.

The actions (scoring, evaluation, export, report) lie in rooms above this one;
a method imports its room when it is called.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lgn_tf.data import sources
from lgn_tf.data.datasets import layouts
from lgn_tf.data.test_set import TestSet
from lgn_tf.runs import directory
from lgn_tf.runs.run_files import RunFiles, Weights
from lgn_tf.scores.calibration import Calibration
from lgn_tf.scores.calibration_files import OutdatedError

if TYPE_CHECKING:
    from lgn_tf.evaluation.protocol import Options
    from lgn_tf.evaluation.results import Results
    from lgn_tf.exporting.saved_model import Exported
    from lgn_tf.inference.video_scorer import VideoScorer
    from lgn_tf.scores.video_scores import VideoScores

Progress = Callable[[int, int], None]
"""Called with what is done and how much there is."""


class Run(RunFiles):
    """One run directory.

    Args:
        folder: the run directory.
        weights: `last`, or `best` by held-out videos.
        config: instead of the configuration that lies in the folder; see
            `changed`.

    Raises:
        ValueError: for other weights.

    Example:
        >>> run = lgn_tf.load("runs/demo")
        >>> run.config.model.channels, run.weights_in_words
        (3, 'last epoch')
        >>> type(run.model).__name__
        'LGNNet'
        >>> run.results.scored_frames
        40
    """

    @property
    def results(self) -> "Results | None":
        """The results of the last evaluation; None where there was none.

        Raises:
            ValueError: where the file is damaged.
        """
        from lgn_tf.evaluation import results

        folder = self.folder / directory.EVALUATION
        if not (folder / results.FILE).is_file():
            return None
        return results.read_results(folder)

    def source(self, progress: Progress | None = None) -> sources.Source:
        """Opens the training and test videos; decodes what is not yet stored.

        Raises:
            FileNotFoundError: where there is no such folder.
            ValueError: where no data set is recognised, or a video is damaged.
        """
        return sources.open_source(self.config, progress)

    def test_set(self, progress: Progress | None = None) -> TestSet:
        """Opens the test videos with their ground truth; see `source`."""
        return self.source(progress).test_set(sources.version(self.config))

    def calibrate(
        self,
        source: sources.Source | None = None,
        progress: Progress | None = None,
    ) -> Calibration:
        """Returns the calibration; it is measured and kept where none is.

        Of a run that another process trains it is not kept: it belongs to
        weights that will change.

        Args:
            source: the videos of the run; opened where it is None.
            progress: called with the frames that are done and their number.

        Raises:
            ValueError: where no clip is long enough, or the file is damaged.
            OSError: where no space is left.
        """
        try:
            found = self.calibration
        except OutdatedError:
            found = None
        if found is None:
            from lgn_tf.inference import calibrate

            found = calibrate.of_source(
                self.model, self.config, source or self.source(), progress
            )
            self._keep(found)
            self.__dict__["calibration"] = found
        return found

    def _keep(self, found: Calibration) -> None:
        """Writes a calibration, unless the weights may be changing."""
        with contextlib.suppress(BlockingIOError), directory.alone(self.folder):
            self.require_unchanged()
            found.save(self.calibration_file)

    def scorer(
        self, gamma: float | str | None = None, reset_memory: bool = False
    ) -> "VideoScorer":
        """Returns a scorer of whole videos, with the online score.

        Args:
            gamma: the update threshold, `auto`, or None for the run's own.
            reset_memory: whether each video begins with the trained items.
        """
        from lgn_tf.inference.video_scorer import VideoScorer

        return VideoScorer(
            self.model,
            gammas=(self.gamma(gamma),),
            reset_memory=reset_memory,
            calibration=self.calibration,
        )

    def score(
        self,
        *paths: Path | str,
        gamma: float | str | None = None,
        reset_memory: bool = False,
    ) -> Iterator["VideoScores"]:
        """Scores videos, one after the other.

        Args:
            *paths: each a video file, a folder of frames, or a folder of
                either.
            gamma: see `scorer`.
            reset_memory: see `scorer`.

        Yields:
            The scores of each video. Numbers are those of `lgn score`.

        Example:
            >>> run = lgn_tf.load("runs/demo")
            >>> for scores in run.score("videos/Test/Test001"):
            ...     print(scores.name, scores.online.shape)
            Test001 (20,)

        Raises:
            FileNotFoundError: where a path is not there.
            ValueError: where a video is damaged or too short.
        """
        from lgn_tf.inference import run_scorer

        scoring = run_scorer.scoring_of(self, gamma, reset_memory)
        scorer = run_scorer.RunScorer(self, scoring)
        for video in layouts.videos_at(*paths):
            yield scorer.score_video(video)

    def evaluate(
        self,
        test_set: TestSet | None = None,
        out: Path | str | None = None,
        options: "Options | None" = None,
        progress: Progress | None = None,
    ) -> "Results":
        """Scores and evaluates test videos.

        Args:
            test_set: the videos with their labels; default those of the run's
                data set.
            out: folder of the evaluation, where an older evaluation is
                replaced; default `evaluation` in the run directory.
            options: of the protocol.
            progress: called with the frames that are done and their number.

        Returns:
            The results, which also lie in the folder.

        Example:
            >>> results = lgn_tf.load("runs/demo").evaluate(out="evaluation")
            >>> 0 <= results.scores["online"].micro_auc <= 1
            True

        Raises:
            ValueError: where labels do not fit, or no video is long enough.
            FileExistsError: where `out` holds anything but an older
                evaluation.
            OSError: where no space is left; an older evaluation stays.
        """
        from lgn_tf.evaluation import protocol

        out = Path(out or self.folder / directory.EVALUATION)
        # What cannot be written is said before anything is read.
        protocol.require_replaceable(out)
        if test_set is None:
            # Opened once: it may check every file.
            source = self.source()
            self.calibrate(source)
            test_set = source.test_set(sources.version(self.config))
        self.calibrate()
        return protocol.evaluate_run(
            self,
            test_set,
            out,
            options=options or protocol.Options(),
            progress=progress,
        )

    def export(
        self,
        out: Path | str,
        *,
        version: int | None = None,
        dtype: str | None = None,
        warm_up_batches: Sequence[int] = (1, 8),
        max_video_frames: int = 256,
        max_rows: int = 64,
        max_pixels_m: int = 700,
    ) -> "Exported":
        """Writes a new version of a model for TensorFlow Serving.

        Args:
            out: the folder of the versions; made where it is not there.
            version: its number; default one more than the largest there.
            dtype: precision of the layers, instead of the run's.
            warm_up_batches: rows of the warm-up requests; none where empty.
            max_video_frames: most frames of one video in a request.
            max_rows: most rows of a request.
            max_pixels_m: most pixels of all frames of a request, in millions.

        Raises:
            FileExistsError: where the version is there.
            ValueError: for values out of bounds.
            OSError: where it cannot be written.

        Example:
            >>> run = lgn_tf.load("runs/demo")
            >>> run.export("models/lgn_net", warm_up_batches=()).path.name
            '1'
        """
        from lgn_tf.exporting import saved_model

        return saved_model.export(
            self,
            Path(out),
            version=version,
            dtype=dtype,
            warm_up_batches=warm_up_batches,
            max_video_frames=max_video_frames,
            max_rows=max_rows,
            max_pixels_m=max_pixels_m,
        )

    def report(self, out: Path | str | None = None) -> Path:
        """Writes the run as one page of HTML, and returns its path."""
        from lgn_tf.report import page

        return page.write_report(self.folder, Path(out) if out else None)


def load(folder: Path | str, weights: Weights = "last") -> Run:
    """Opens a run directory.

    Args:
        folder: the run directory.
        weights: `last`, or `best` by held-out videos.

    Raises:
        FileNotFoundError: where this is no run directory.
        ValueError: for other weights, or a configuration that cannot be read.

    Example:
        >>> lgn_tf.load("runs/demo")
        Run('runs/demo', weights='last')
    """
    run = Run(folder, weights)
    _ = run.config
    return run
