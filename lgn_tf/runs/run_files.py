"""The files of a run directory, read when they are first asked for.

A `RunFiles` needs no Keras until its model is used.
"""

import dataclasses
import functools
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from lgn_tf.config.schema import Config, ModelConfig
from lgn_tf.runs import directory, environment, epoch_table, provenance
from lgn_tf.runs.provenance import Provenance
from lgn_tf.scores import grids
from lgn_tf.scores.calibration import Calibration
from lgn_tf.scores.cue_values import DISTANCE, ERROR, MOTION

if TYPE_CHECKING:
    from lgn_tf.model.lgn_net import LGNNet

Weights = Literal["last", "best"]
"""Those of the last epoch, or of the one with the least held-out loss."""


class RunFiles:
    """Configuration, model, calibration and log of a run.

    Args:
        folder: the run directory.
        weights: `last`, or `best` by held-out videos.
        config: instead of the configuration that lies in the folder; see
            `changed`.

    Raises:
        ValueError: for other weights.
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
        self._stamp = directory.stamp(self.folder / self.weights_file)

    def __repr__(self) -> str:
        """Returns the call that opens the run."""
        name = type(self).__name__
        return f"{name}({str(self.folder)!r}, weights={self.weights!r})"

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
        store: bool | None = None,
        cue_weights: dict[str, float] | None = None,
    ) -> Self:
        """Returns the run with other settings; the folder stays as it is.

        Args:
            data_root: where the data set lies on this machine.
            labels: version of the frame labels, or a file of labels.
            store: whether decoded frames are kept on disk.
            cue_weights: of some cues in the online score, by name: `error`,
                `distance`, `motion`.

        Raises:
            ValueError: for values out of bounds.
        """
        given = {"data_root": data_root, "labels": labels, "store": store}
        data: dict[str, Any] = {
            name: value for name, value in given.items() if value is not None
        }
        config = dataclasses.replace(
            self.config,
            data=dataclasses.replace(self.config.data, **data),
            scoring=self.config.scoring.weighed(cue_weights or {}),
        )
        changed = type(self)(self.folder, self.weights, config)
        changed._stamp = self._stamp
        return changed

    def require_unchanged(self) -> None:
        """Refuses to go on where the weights are others by now.

        Scores of the former ones would be kept as those of the new.

        Raises:
            ValueError: where they were replaced since the run was opened.
        """
        path = self.folder / self.weights_file
        if self._stamp and directory.stamp(path) != self._stamp:
            raise ValueError(
                f"{path}: was replaced while it was worked with; start again"
            )

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
            ValueError: naming the file that cannot be read, or that was
                replaced since the run was opened.
        """
        from lgn_tf.runs import model_files

        model = model_files.load(self.folder, self.weights_file)[1]
        self.require_unchanged()
        return model

    @functools.cached_property
    def calibration(self) -> Calibration | None:
        """The calibration of these weights; None where none was measured.

        Raises:
            ValueError: where the file cannot be read; as `OutdatedError` where
                an earlier version wrote it.
        """
        if not self.calibration_file.is_file():
            return None
        found = Calibration.load(
            self.calibration_file, self.config.scoring.cue_weights
        )
        _require_fit(found, self.config.model, self.calibration_file)
        return found

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
        return epoch_table.read(self.folder / directory.LOG)

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


def _require_fit(found: Calibration, model: ModelConfig, path: Path) -> None:
    """Refuses the calibration of another model: a graph could not use it."""
    sides = {ERROR: grids.factor(model.image_size)}
    if model.variant != "loc_net":
        sides[DISTANCE] = grids.CELL
    height, width = model.image_size
    wanted = {
        name: (height // side, width // side) for name, side in sides.items()
    }
    shapes = {name: scale.shape for name, scale in found.scales.items()}
    shapes.pop(MOTION, None)
    if shapes != wanted:
        raise ValueError(
            f"{path}: must be the calibration of the model that "
            f"{directory.CONFIG} describes, with scales of {wanted}. "
            f"Found there: {shapes}"
        )
