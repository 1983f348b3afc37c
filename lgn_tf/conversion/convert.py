"""The authors' checkpoints, turned into an `LGNNet`, with proof.

`lgn_tf.conversion.mapping` says where each source tensor goes. The conversion
fails where a tensor is left over or a weight stays empty, and it compares what
the converted model gives with a NumPy computation on the source's tensors.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from lgn_tf.config.schema import Config, ModelConfig
from lgn_tf.conversion import files
from lgn_tf.conversion.mapping import UNUSED, rules
from lgn_tf.conversion.numpy_reference import Reference
from lgn_tf.model.lgn_net import build_model
from lgn_tf.runs import directory, model_files

Array = NDArray[np.float32]

TOLERANCE = 1e-4


@dataclasses.dataclass(frozen=True)
class Report:
    """The tensors that were converted, and how well the outputs agree."""

    out: Path
    tensors: int
    unused: tuple[str, ...]
    parameters: int
    deviations: Mapping[str, float]

    def __str__(self) -> str:
        """Returns a few lines for a person."""
        agreement = ", ".join(
            f"{name} {value:.1e}" for name, value in self.deviations.items()
        )
        return (
            f"{self.out}: {self.tensors} tensors, {self.parameters:,} numbers\n"
            f"never used by the authors' code, left out: "
            f"{', '.join(self.unused) or 'none'}\n"
            f"largest deviations from a NumPy computation with the source's "
            f"tensors: {agreement}"
        )


def convert(
    model_file: Path,
    items_file: Path,
    out: Path,
    image_size: tuple[int, int] = (256, 256),
) -> Report:
    """Converts a checkpoint into a run directory.

    Args:
        model_file: `model.pth`, or an .npz of the same names.
        items_file: `keys.pt`, or an .npz of one array.
        out: directory to write; must not exist.
        image_size: (height, width) that the model will be fed.

    Returns:
        What was done, with the measured deviations.

    Raises:
        ValueError: for a file that is no such checkpoint, a tensor that is
            missing, left over or of another shape, or outputs that disagree.
        FileExistsError: where `out` exists.
        BlockingIOError: where another process makes `out`.
    """
    with directory.alone(out):
        directory.refuse_existing(out)
        return _convert(model_file, items_file, out, image_size)


def _convert(
    model_file: Path, items_file: Path, out: Path, image_size: tuple[int, int]
) -> Report:
    weights = files.read_state(model_file)
    items = files.read_items(items_file)
    config = infer_config(weights, items, image_size, model_file)
    if items.shape[1] != weights["encoder.moduleConv4.3.weight"].shape[0]:
        raise ValueError(
            f"{items_file}: the items have {items.shape[1]} numbers, the "
            f"queries of {model_file} have "
            f"{weights['encoder.moduleConv4.3.weight'].shape[0]}"
        )
    model = build_model(config)
    tensors = assign(model, weights, items, model_file)
    deviations = compare(model, config, weights, items)
    model_files.save(out, config, model)
    unused = tuple(name for name in UNUSED if name in weights)
    return Report(out, tensors, unused, model.count_params(), deviations)


def assign(
    model: keras.Model, weights: Mapping[str, Array], items: Array, origin: Path
) -> int:
    """Fills a model's weights from source tensors.

    Args:
        model: a built `LGNNet`.
        weights: the state dict.
        items: (items, dim).
        origin: the file, for error messages.

    Returns:
        The number of source tensors that were used.

    Raises:
        ValueError: naming a tensor that is missing, of another shape or left
            over, or a weight that no tensor fills; and for a residual model.
    """
    if model.residual:
        raise ValueError(
            f"{origin}: the authors' network predicts the whole frame, so its "
            "weights do not fit a residual model. Received: residual=True"
        )
    targets = {v.path.split("/", 1)[1]: v for v in model.variables}
    left = set(weights) - set(UNUSED)
    # All is checked before anything is written.
    values = {"memory/items": items}
    for rule in rules():
        if rule.source not in weights:
            raise ValueError(f"{origin}: tensor {rule.source!r} is missing")
        left.discard(rule.source)
        values[rule.target] = rule.transform(weights[rule.source])
        expected = tuple(targets[rule.target].shape)
        if values[rule.target].shape != expected:
            raise ValueError(
                f"{origin}: tensor {rule.source!r} gives shape "
                f"{values[rule.target].shape} for {rule.target!r}, "
                f"which has {expected}"
            )
    if left:
        raise ValueError(
            f"{origin}: {len(left)} tensors belong nowhere, the first is "
            f"{min(left)!r}"
        )
    empty = set(targets) - set(values)
    if empty:
        raise ValueError(f"{origin}: nothing fills {min(empty)!r}")
    for path, value in values.items():
        targets[path].assign(value)
    return len(values)


def compare(
    model: keras.Model,
    config: Config,
    weights: Mapping[str, Array],
    items: Array,
) -> dict[str, float]:
    """Compares a converted model with NumPy on a small random clip.

    The weights do not depend on the image size, so 16 x 24 pixels suffice.

    Returns:
        The largest absolute deviation of each output.

    Raises:
        ValueError: where one exceeds `TOLERANCE`.
    """
    shape = dataclasses.replace(config.model, image_size=(16, 24))
    small = build_model(dataclasses.replace(config, model=shape))
    small.set_weights(model.get_weights())
    random = np.random.default_rng(0)
    clips = random.uniform(
        -1, 1, (2, shape.frames, shape.channels, *shape.image_size)
    ).astype(np.float32)
    reference = Reference(weights, items)
    queries = reference.queries(clips)
    output = small(np.moveaxis(clips, 2, -1), training=False)
    encoded = small.encode(np.moveaxis(clips, 2, -1)).queries
    pairs = {
        "prediction": (
            output.prediction,
            np.moveaxis(reference.predict(clips), 1, -1),
        ),
        "queries": (encoded, queries),
        "read weights": (
            output.readout.weights,
            reference.read_weights(queries),
        ),
        "updated items": (
            small.memory.updated(encoded, small.memory.items),
            reference.updated_items(queries),
        ),
    }
    deviations = {
        name: float(np.max(np.abs(keras.ops.convert_to_numpy(ours) - theirs)))
        for name, (ours, theirs) in pairs.items()
    }
    for name, value in deviations.items():
        if not value <= TOLERANCE:
            raise ValueError(
                f"The converted model's {name} deviates by {value:.2e} from "
                f"the source's, more than {TOLERANCE:.0e}"
            )
    return deviations


def infer_config(
    weights: Mapping[str, Array],
    items: Array,
    image_size: tuple[int, int],
    origin: Path,
) -> Config:
    """Reads width, channels, frames and items off the tensors' shapes.

    Raises:
        ValueError: where a tensor that says so is missing.
    """
    needed = (
        "pred.encoder.0.weight",
        "encoder.moduleConv1.0.weight",
        "encoder.moduleConv4.3.weight",
    )
    for name in needed:
        if name not in weights or weights[name].ndim != 4:
            raise ValueError(
                f"{origin}: no LGN-Net checkpoint, it has no kernel {name!r}"
            )
    units, channels = weights[needed[0]].shape[:2]
    stacked = weights[needed[1]].shape[1]
    model = ModelConfig(
        image_size=image_size,
        channels=channels,
        frames=stacked // channels,
        width=units / 64,
        memory_items=len(items),
    )
    return Config(model=model)
