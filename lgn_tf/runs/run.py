"""A run directory as an object: what training left, and what is done with it.

Nothing is read before it is asked for, so that a `Run` needs no Keras until its
model is used. What works on a run (scoring, evaluation, export, report) lies in
rooms above this one; those methods import it when they are called.
"""

import csv
import dataclasses
import functools
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lgn_tf.config.schema import Config
from lgn_tf.data import sources
from lgn_tf.data.datasets import dataset, layouts
from lgn_tf.data.test_set import TestSet
from lgn_tf.runs import directory, environment, provenance
from lgn_tf.runs.provenance import Provenance
from lgn_tf.scores.calibration import Calibration, OutdatedError

if TYPE_CHECKING:
    from lgn_tf.evaluation.protocol import Options
    from lgn_tf.evaluation.results import Results
    from lgn_tf.exporting.saved_model import Exported
    from lgn_tf.inference.video_scorer import VideoScorer
    from lgn_tf.model.lgn_net import LGNNet
    from lgn_tf.scores.video_scores import VideoScores

Progress = Callable[[int, int], None]
"""Called with what is done and how much there is."""

Weights = Literal["last", "best"]
"""Those of the last epoch, or of the one with the least held-out loss."""


class Run:
    """One run directory.

    Args:
        folder: the run directory.
        weights: `last`, or `best` by held-out videos.
        config: instead of the configuration that lies in the folder; see
            `changed`.

    Raises:
        ValueError: for other weights.

    Example:
        >>> import lgn_tf
        >>> run = lgn_tf.load("runs/demo")  # doctest: +SKIP
        >>> run.config.model.image_size  # doctest: +SKIP
        (64, 96)
        >>> run.evaluate().scores["online motion"].micro_auc  # doctest: +SKIP
        0.937
    """

    def __init__(
        self,
        folder: Path | str,
        weights: Weights = "last",
        config: Config | None = None,
    ) -> None:
        """Reads nothing yet."""
        if weights not in typing.get_args(Weights):
            raise ValueError(
                f"`weights` must be last or best. Received: weights={weights!r}"
            )
        self.folder = Path(folder)
        self.weights = weights
        self._config = config

    def __repr__(self) -> str:
        """Returns the call that opens the run."""
        return f"Run({str(self.folder)!r}, weights={self.weights!r})"

    @functools.cached_property
    def config(self) -> Config:
        """The configuration.

        Raises:
            FileNotFoundError: where `folder` is no run directory.
            ValueError: where the file cannot be read.
        """
        return self._config or directory.read_config(self.folder)

    def changed(
        self,
        *,
        data_root: str | None = None,
        labels: str | None = None,
        cue_weights: dict[str, float] | None = None,
    ) -> "Run":
        """Returns the run with other settings; the folder stays as it is.

        Args:
            data_root: where the data set lies on this machine.
            labels: version of the frame labels, or a file of labels.
            cue_weights: of some cues in the online score, by name: `error`,
                `distance`, `motion`.

        Raises:
            ValueError: for values out of bounds.
        """
        given = {"data_root": data_root, "labels": labels}
        data: dict[str, Any] = {
            name: value for name, value in given.items() if value is not None
        }
        config = dataclasses.replace(
            self.config,
            data=dataclasses.replace(self.config.data, **data),
            scoring=self.config.scoring.weighed(cue_weights or {}),
        )
        return Run(self.folder, self.weights, config)

    @property
    def weights_file(self) -> str:
        """Name of the file with the weights."""
        best = self.weights == "best"
        return directory.BEST if best else directory.WEIGHTS

    @property
    def weights_in_words(self) -> str:
        """Which weights these are, such as `last epoch`."""
        if self.weights == "best":
            return provenance.BEST
        path = self.folder / directory.ENVIRONMENT
        return environment.weights(path, provenance.LAST)

    @functools.cached_property
    def model(self) -> "LGNNet":
        """The model with its weights.

        Raises:
            FileNotFoundError: naming the file that is missing.
            ValueError: naming the file that cannot be read.
        """
        from lgn_tf.runs import model_files

        return model_files.load(self.folder, self.weights_file)[1]

    @functools.cached_property
    def calibration(self) -> Calibration | None:
        """The calibration of these weights; None where none was measured.

        Raises:
            ValueError: where the file cannot be read; as `OutdatedError` where
                an earlier version wrote it.
        """
        if not self.calibration_file.is_file():
            return None
        cue_weights = self.config.scoring.cue_weights
        return Calibration.load(self.calibration_file, cue_weights)

    @property
    def calibration_file(self) -> Path:
        """Path of the calibration, whether it is there or not."""
        return self.folder / directory.calibration_of(self.weights_file)

    @property
    def log(self) -> list[dict[str, float]]:
        """Losses and other measures of each epoch; empty without a log.

        Raises:
            ValueError: where the file is no table of numbers.
        """
        path = self.folder / directory.LOG
        if not path.is_file():
            return []
        try:
            with path.open(newline="", encoding="utf-8") as file:
                return [
                    {name: float(value) for name, value in row.items() if value}
                    for row in csv.DictReader(file)
                ]
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{path}: must be a table of numbers. Found there: {error}"
            ) from error

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
            found.save(self.calibration_file)
            self.__dict__["calibration"] = found
        return found

    def gamma(self, given: float | str | None = None) -> float:
        """Returns the update threshold; see `provenance.threshold`."""
        return provenance.threshold(self.config, self.calibration, given)

    def provenance(
        self, gamma: float | str | None = None, memory_reset: bool = False
    ) -> Provenance:
        """Returns where scores of this run come from.

        Args:
            gamma: the update threshold, `auto`, or None for the run's own.
            memory_reset: whether each video begins with the trained items.
        """
        return provenance.describe(
            self.config,
            self.calibration,
            self.gamma(gamma),
            weights=self.weights_in_words,
            memory_reset=memory_reset,
        )

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

        Raises:
            FileNotFoundError: where a path is not there.
            ValueError: where a video is damaged or too short.
        """
        from lgn_tf.inference import run_scorer

        scoring = run_scorer.scoring_of(self, gamma, reset_memory)
        scorer = run_scorer.RunScorer(self, scoring)
        for video in videos(*paths):
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
            out: folder of the evaluation, replaced where it exists; default
                `evaluation` in the run directory.
            options: of the protocol.
            progress: called with the frames that are done and their number.

        Returns:
            The results, which also lie in the folder.

        Raises:
            ValueError: where labels do not fit, or no video is long enough.
            OSError: where no space is left; an older evaluation stays.
        """
        from lgn_tf.evaluation import protocol

        self.calibrate()
        return protocol.evaluate_run(
            self,
            test_set or self.test_set(),
            Path(out or self.folder / directory.EVALUATION),
            options=options or protocol.Options(),
            progress=progress,
        )

    def export(self, out: Path | str, **options: Any) -> "Exported":
        """Writes a new version of a served model; see `saved_model.export`."""
        from lgn_tf.exporting import saved_model

        return saved_model.export(self, Path(out), **options)

    def report(self, out: Path | str | None = None) -> Path:
        """Writes the run as one page of HTML, and returns its path."""
        from lgn_tf.report import page

        return page.write_report(self.folder, Path(out) if out else None)


def videos(*paths: Path | str) -> list[dataset.Video]:
    """Returns the videos that lie at some places.

    Args:
        *paths: each a video file, a folder of frames, or a folder of either.

    Raises:
        FileNotFoundError: where there is nothing.
        ValueError: where no video is recognised, or two have one name.
    """
    found = [
        video
        for path in paths
        for video in layouts.recognise(Path(path)).videos
    ]
    dataset.require_distinct((video.name, video.source) for video in found)
    return found
