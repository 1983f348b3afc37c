"""The configuration tree: read, override, validate, write.

A `Config` is frozen, holds plain values only and needs neither Keras nor
TensorFlow. `lgn_tf.data.datasets.presets` holds one for each data set.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec

from lgn_tf.config import settings
from lgn_tf.config.length import Length
from lgn_tf.config.model_arguments import Variant, validate_model_arguments
from lgn_tf.files import untrusted

Policy = Literal["float32", "mixed_bfloat16", "mixed_float16"]
POLICIES = get_args(Policy)
"""Keras dtype policies that the model is tested under."""

Schedule = Literal["epoch", "step"]
"""The moments at which the learning rate decays."""

Strategy = Literal["auto", "single", "mirrored", "data_parallel"]
STRATEGIES = get_args(Strategy)
"""Ways of devices to share the work, see `lgn_tf.backend.distribution`."""

MOST_BYTES = untrusted.MEBIBYTE
"""Of a file of settings."""

AUTO = "auto"
"""Instead of a threshold: one taken from the calibration."""


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """The videos, and their place on disk.

    Attributes:
        dataset: a registered data set: a benchmark, videos of one's own, or
            drawn ones.
        data_root: folder of the dataset, its layout is recognised; drawn
            videos need none.
        labels: version of the frame labels, such as avenue-masks, or a file
            of labels; the first version found where it is empty.
        holdout: number of training videos, chosen by the seed, that are not
            fitted on but calibrate the online score; the paper holds out none.
        stores: folder for decoded and resized frames.
        store: whether decoded frames are kept there; without, frames are
            decoded whenever they are read, for sets larger than the disk.
    """

    dataset: settings.Text = "ped2"
    data_root: settings.Text = ""
    labels: settings.Text = ""
    holdout: settings.Count = 0
    stores: settings.Text = "stores"
    store: bool = True

    def __post_init__(self) -> None:
        """Validates every value."""
        settings.check(self)


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The shape of the network.

    Attributes:
        variant: the whole model, or an ablation of the paper's table II.
        image_size: (height, width) in pixels, multiples of 8.
        channels: 3 (blue, green, red) or 1 (gray).
        frames: number of input frames; the next one is predicted.
        width: multiplier of every channel count; 1.0 is the paper's.
        memory_items: number of prototype items.
        residual: predict the change to the last input frame instead of the
            whole frame; the paper predicts the frame.
        dtype: precision of the layers; memory and scores are always float32.
    """

    variant: Variant = "lgn_net"
    image_size: tuple[int, int] = (256, 256)
    channels: int = 3
    frames: int = 4
    width: float = 1.0
    memory_items: int = 10
    residual: bool = False
    dtype: Policy = "float32"

    def __post_init__(self) -> None:
        """Validates; see `validate_model_arguments`."""
        settings.check(self)
        validate_model_arguments(
            self.image_size,
            self.channels,
            self.frames,
            self.width,
            self.variant,
            self.memory_items,
        )


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """The training of the network (paper IV-B).

    Attributes:
        epochs: passes over the training clips.
        steps: of the optimiser, instead of epochs; 0 trains whole epochs.
        batch_size: clips a step, over all replicas.
        learning_rate: at the start; it decays to 0 by half a cosine.
        schedule: decay once an epoch, as the paper does, or every step.
        compactness_weight: weight of the compactness loss (Eq. 10).
        separateness_weight: weight of the separateness loss (Eq. 11).
        seed: of the initial weights, the order of the clips, and the videos
            that are held out.
        strategy: auto and mirrored use all GPUs, single the first device;
            data_parallel is for several machines on the JAX backend.
        save_every: minutes between checkpoints inside an epoch.
        rematerialise: compute parts of the network twice, for less memory.
    """

    epochs: settings.AtLeastOne = 60
    steps: settings.Count = 0
    batch_size: Annotated[int, msgspec.Meta(ge=1, le=65_536)] = 8
    learning_rate: settings.Positive = 2e-4
    schedule: Schedule = "epoch"
    compactness_weight: settings.NotNegative = 10.0
    separateness_weight: settings.NotNegative = 5.0
    seed: settings.Seed = 0
    strategy: Strategy = "auto"
    save_every: settings.Positive = 10.0
    rematerialise: bool = False

    def __post_init__(self) -> None:
        """Validates every number."""
        settings.check(self)

    def length(self, steps_per_epoch: int) -> Length:
        """Returns how long the whole run is.

        Args:
            steps_per_epoch: batches that the training clips make.
        """
        total = self.steps or self.epochs * steps_per_epoch
        return Length(steps_per_epoch, total)


@dataclasses.dataclass(frozen=True)
class ScoringConfig:
    """The scoring of frames (paper III-E).

    Attributes:
        normality_weight: lambda of Eq. 17, the share of the PSNR in the score.
        update_threshold: gamma; a frame whose regular score is below it updates
            the memory at test time. 0 never updates; auto takes a quantile of
            the regular score on the calibration's videos.
        update_quantile: which quantile auto takes.
        error_weight: of the prediction's error in the online score; 0 leaves
            it out.
        distance_weight: of the distance to the prototypes in it, likewise.
        motion_weight: of the optical flow in it, likewise.
    """

    normality_weight: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.6
    update_threshold: settings.NotNegative | Literal["auto"] = 0.0
    update_quantile: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.9
    error_weight: settings.NotNegative = 1.0
    distance_weight: settings.NotNegative = 0.0
    motion_weight: settings.NotNegative = 1.0

    def __post_init__(self) -> None:
        """Validates every number."""
        settings.check(self)
        if not self.error_weight and not self.distance_weight:
            raise ValueError(
                "`error_weight` or `distance_weight` must be above 0: a served "
                "model sees no motion. Received: error_weight=0, "
                "distance_weight=0"
            )

    @property
    def cue_weights(self) -> dict[str, float]:
        """Weight of each cue in the online score, by the name of the cue."""
        return {
            "error": self.error_weight,
            "distance": self.distance_weight,
            "motion": self.motion_weight,
        }

    def weighed(self, cue_weights: Mapping[str, float]) -> "ScoringConfig":
        """Returns these settings with other weights of some cues, by name.

        Raises:
            ValueError: for weights that are out of bounds.
        """
        changes: dict[str, Any] = {
            f"{name}_weight": weight for name, weight in cue_weights.items()
        }
        return dataclasses.replace(self, **changes)


@dataclasses.dataclass(frozen=True)
class Config:
    """The whole configuration: model, training, scoring, data.

    It is frozen; `dataclasses.replace` changes a copy.

    Example:
        >>> model = lgn_tf.preset("ped2").model
        >>> lgn_tf.Config(model).training.epochs
        60
    """

    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    scoring: ScoringConfig = ScoringConfig()
    data: DataConfig = DataConfig()


def to_dict(config: Config) -> dict[str, Any]:
    """Returns nested plain dictionaries that `from_dict` reads back."""
    return dataclasses.asdict(config)


def from_dict(values: Mapping[str, Any]) -> Config:
    """Builds a `Config` from nested dictionaries; what is absent is default.

    Raises:
        ValueError: for a name that does not exist, a value of another type,
            or one out of bounds.
    """
    return settings.build(Config, values)


def read(path: Path) -> Config:
    """Reads the JSON file that `write` wrote.

    Raises:
        ValueError: naming the file, where it is no configuration.
    """
    values = untrusted.read_json(path, MOST_BYTES)
    try:
        return from_dict(values)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def write(config: Config, path: Path) -> None:
    """Writes every setting as JSON."""
    text = json.dumps(to_dict(config), indent=2)
    path.write_text(text + "\n", encoding="utf-8")
