"""The configuration tree: read, override, validate, write.

A `Config` is frozen, holds plain values only and needs neither Keras nor
TensorFlow. Each preset carries the hyper-parameters of the paper for one
dataset (section IV-B and figures 9 and 10).

Reference:
    LGN-Net, arXiv 2211.07454.
"""

import dataclasses
import json
import math
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lgn_tf import settings

VARIANTS = ("lgn_net", "lgn_st", "glo_net", "loc_net")
"""Table II of the paper: the whole model and its three ablations."""

POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")
"""Keras dtype policies that the model is tested under."""


def size_multiple(variant: str) -> int:
    """Returns the number that image height and width must be multiples of.

    The local branch halves the frame twice, the global branch three times.
    """
    return 4 if variant == "loc_net" else 8


def validate_model_arguments(
    image_size: tuple[int, int],
    channels: int,
    frames: int,
    width: float,
    variant: str,
    memory_items: int,
) -> None:
    """Checks the arguments that decide the shapes of the network.

    Raises:
        ValueError: naming the argument, the rule and what was received.
    """
    if variant not in VARIANTS:
        raise ValueError(
            f"`variant` must be one of {', '.join(VARIANTS)}. "
            f"Received: variant={variant!r}"
        )
    multiple = size_multiple(variant)
    if len(image_size) != 2 or any(
        side < multiple or side % multiple for side in image_size
    ):
        raise ValueError(
            "`image_size` must be (height, width), both positive multiples "
            f"of {multiple} for variant {variant!r}. "
            f"Received: image_size={tuple(image_size)}"
        )
    if channels not in (1, 3):
        raise ValueError(
            f"`channels` must be 1 or 3. Received: channels={channels!r}"
        )
    if frames < 2:
        raise ValueError(
            "`frames`, the number of input frames, must be at least 2. "
            f"Received: frames={frames!r}"
        )
    if not (math.isfinite(width) and width > 0):
        raise ValueError(
            "`width`, the multiplier of every channel count, must be "
            f"positive. Received: width={width!r}"
        )
    if memory_items < 2:
        raise ValueError(
            "`memory_items` must be at least 2: separateness compares the "
            "nearest item with the second nearest. "
            f"Received: memory_items={memory_items!r}"
        )


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """What the network looks like.

    Attributes:
        variant: one of `VARIANTS`.
        image_size: (height, width) in pixels.
        channels: 3 (blue, green, red) or 1 (gray).
        frames: number of input frames; the next one is predicted.
        width: multiplier of every channel count; 1.0 is the paper's.
        memory_items: number of prototype items.
        dtype: one of `POLICIES`.
    """

    variant: str = "lgn_net"
    image_size: tuple[int, int] = (256, 256)
    channels: int = 3
    frames: int = 4
    width: float = 1.0
    memory_items: int = 10
    dtype: str = "float32"

    def __post_init__(self) -> None:
        """Validates; see `validate_model_arguments`."""
        settings.check_types(self)
        validate_model_arguments(
            self.image_size,
            self.channels,
            self.frames,
            self.width,
            self.variant,
            self.memory_items,
        )
        if self.dtype not in POLICIES:
            raise ValueError(
                f"`dtype` must be one of {', '.join(POLICIES)}. "
                f"Received: dtype={self.dtype!r}"
            )


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """How the network is trained (paper IV-B).

    Attributes:
        epochs: passes over the training clips.
        batch_size: clips a step, over all replicas.
        learning_rate: at the start; it decays by half a cosine, once an epoch.
        compactness_weight: weight of the compactness loss (Eq. 10).
        separateness_weight: weight of the separateness loss (Eq. 11).
        seed: of the initial weights and of the order of the clips.
    """

    epochs: int = 60
    batch_size: int = 8
    learning_rate: float = 2e-4
    compactness_weight: float = 10.0
    separateness_weight: float = 5.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Validates every number."""
        settings.check_types(self)
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"`{name}` must be at least 1. "
                    f"Received: {name}={getattr(self, name)!r}"
                )
        settings.require_positive(self, "learning_rate")
        for name in ("compactness_weight", "separateness_weight"):
            settings.require_not_negative(self, name)
        if self.seed < 0:
            raise ValueError(
                f"`seed` must not be negative. Received: seed={self.seed!r}"
            )


@dataclasses.dataclass(frozen=True)
class ScoringConfig:
    """How frames are scored (paper III-E).

    Attributes:
        normality_weight: lambda of Eq. 17, the share of the PSNR in the score.
        update_threshold: gamma; a frame whose regular score is below it updates
            the memory at test time. 0 never updates.
    """

    normality_weight: float = 0.6
    update_threshold: float = 0.0

    def __post_init__(self) -> None:
        """Validates every number."""
        settings.check_types(self)
        if not 0 <= self.normality_weight <= 1:
            raise ValueError(
                "`normality_weight` must lie between 0 and 1. "
                f"Received: normality_weight={self.normality_weight!r}"
            )
        settings.require_not_negative(self, "update_threshold")


@dataclasses.dataclass(frozen=True)
class Config:
    """The whole configuration: model, training, scoring."""

    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    scoring: ScoringConfig = ScoringConfig()


PRESETS: Mapping[str, Config] = types.MappingProxyType(
    {
        "ped2": Config(
            ModelConfig(memory_items=10),
            TrainingConfig(compactness_weight=10, separateness_weight=5),
            ScoringConfig(normality_weight=0.6, update_threshold=0.009),
        ),
        "avenue": Config(
            ModelConfig(memory_items=10),
            TrainingConfig(compactness_weight=10, separateness_weight=2),
            ScoringConfig(normality_weight=0.5, update_threshold=0.006),
        ),
        "shanghaitech": Config(
            ModelConfig(memory_items=200),
            TrainingConfig(compactness_weight=1, separateness_weight=1),
            ScoringConfig(normality_weight=0.8, update_threshold=0.0135),
        ),
    }
)
"""The hyper-parameters of the paper, by dataset."""


def to_dict(config: Config) -> dict[str, Any]:
    """Returns nested plain dictionaries that `from_dict` reads back."""
    return dataclasses.asdict(config)


def from_dict(values: Mapping[str, Any]) -> Config:
    """Builds a `Config` from nested dictionaries; what is absent is default.

    Raises:
        ValueError: for a name that does not exist or a value out of bounds.
        TypeError: for a value of another type.
    """
    result = settings.build(Config, values, "")
    if not isinstance(result, Config):
        raise TypeError(f"Expected a Config. Received: {result!r}")
    return result


def read(path: Path) -> Config:
    """Reads the JSON file that `write` wrote.

    Raises:
        ValueError: naming the file, where it is no configuration.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise TypeError("the file must hold one JSON object")
        return from_dict(values)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not a JSON file: {error}") from error
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error


def write(config: Config, path: Path) -> None:
    """Writes every setting as JSON."""
    text = json.dumps(to_dict(config), indent=2)
    path.write_text(text + "\n", encoding="utf-8")
