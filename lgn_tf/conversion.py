"""The authors' checkpoints, turned into an `LGNNet`, with proof.

A checkpoint is a state dict (`model.pth`) and the memory items (`keys.pt`), or
two .npz files with the same names and layouts. The tables below say where each
source tensor goes; the loops over them fail where a tensor is left over or a
target stays empty. PyTorch is imported only to open its own files, and only
their tensors are loaded (`weights_only`).
"""

import dataclasses
import pickle
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from lgn_tf import checkpoints
from lgn_tf.config import Config, ModelConfig
from lgn_tf.model.lgn_net import build_model
from lgn_tf.model.st_lstm import H_GATES, M_GATES, X_GATES
from lgn_tf.reference import Reference

Array = NDArray[np.float32]

# Source convolution, its batch norm (None: it has none), target layer.
LAYERS: tuple[tuple[str, str | None, str], ...] = (
    ("pred.encoder.0", "pred.encoder.1", "frame_encoder/block_0"),
    ("pred.encoder.3", "pred.encoder.4", "frame_encoder/block_1"),
    ("pred.encoder.6", "pred.encoder.7", "frame_encoder/block_2"),
    ("pred.encoder.9", "pred.encoder.10", "frame_encoder/block_3"),
    ("st_decoder.0", "st_decoder.1", "upsampler/block_0"),
    ("st_decoder.3", "st_decoder.4", "upsampler/block_1"),
    *(
        (
            f"encoder.moduleConv{stage}.{place}",
            f"encoder.moduleConv{stage}.{place + 1}",
            f"global_encoder/block_{2 * stage - 2 + place // 3}",
        )
        for stage in (1, 2, 3)
        for place in (0, 3)
    ),
    (
        "encoder.moduleConv4.0",
        "encoder.moduleConv4.1",
        "global_encoder/block_6",
    ),
    ("encoder.moduleConv4.3", None, "global_encoder/last"),
    *(
        (
            f"decoder.{module}.{place}",
            f"decoder.{module}.{place + 1}",
            f"decoder/raise_{stage}_{index}",
        )
        for stage, modules in enumerate(
            (
                ("moduleConv", "moduleUpsample4"),
                ("moduleDeconv3", "moduleUpsample3"),
                ("moduleDeconv2", "moduleUpsample2"),
            )
        )
        for index, (module, place) in enumerate(
            ((modules[0], 0), (modules[0], 3), (modules[1], 0))
        )
    ),
    ("decoder.moduleDeconv1.0", "decoder.moduleDeconv1.1", "decoder/join_0"),
    ("decoder.moduleDeconv1.3", "decoder.moduleDeconv1.4", "decoder/join_1"),
    ("decoder.moduleDeconv1.6", None, "decoder/last"),
)

# Source batch norm tensor, target weight.
NORM = (
    ("weight", "gamma"),
    ("bias", "beta"),
    ("running_mean", "moving_mean"),
    ("running_var", "moving_variance"),
)

# Source kernel of a cell, target weight, order of the gates here and there.
SOURCE_X_GATES = ("i", "f", "g", "i'", "f'", "g'", "o")
CELL: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("conv_x.0", "x_kernel", X_GATES, SOURCE_X_GATES),
    ("conv_h.0", "h_kernel", H_GATES, ("i", "f", "g", "o")),
    ("conv_m.0", "m_kernel", M_GATES, ("i'", "f'", "g'")),
    ("conv_o.0", "o_kernel", (), ()),
    ("conv_last", "last_kernel", (), ()),
)
CELLS = 4

# Stored in each checkpoint, and read by no line of the authors' forward pass.
UNUSED = tuple(f"encoder.moduleBatchNorm.{source}" for source, _ in NORM)

COUNTER = "num_batches_tracked"
TOLERANCE = 1e-4


@dataclasses.dataclass(frozen=True)
class Rule:
    """Where one source tensor goes.

    Attributes:
        source: name in the state dict.
        target: path of the weight, without the model's name.
        transform: from the source's layout to Keras'.
    """

    source: str
    target: str
    transform: Callable[[Array], Array]


@dataclasses.dataclass(frozen=True)
class Report:
    """What a conversion did, and how well the outputs agree."""

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


def rules() -> Iterator[Rule]:
    """Yields one rule for each source tensor that the network uses."""
    for conv, norm, target in LAYERS:
        inner = target if norm is None else f"{target}/conv"
        # Both (out, in, h, w) and the transposed (in, out, h, w) keep their
        # two channel axes swapped in Keras.
        yield Rule(f"{conv}.weight", f"{inner}/kernel", _kernel)
        yield Rule(f"{conv}.bias", f"{inner}/bias", _same)
        if norm is not None:
            for source, weight in NORM:
                yield Rule(f"{norm}.{source}", f"{target}/norm/{weight}", _same)
    for layer in range(CELLS):
        for kernel, weight, here, there in CELL:
            yield Rule(
                f"pred.convlstm_list.{layer}.{kernel}.weight",
                f"stp_net/cell_{layer}/{weight}",
                _gates(here, there),
            )


def _same(tensor: Array) -> Array:
    return tensor


def _kernel(tensor: Array) -> Array:
    return np.transpose(tensor, (2, 3, 1, 0))


def _gates(
    here: tuple[str, ...], there: tuple[str, ...]
) -> Callable[[Array], Array]:
    if not here:
        return _kernel

    def transform(tensor: Array) -> Array:
        parts = dict(zip(there, np.split(tensor, len(there)), strict=True))
        return _kernel(np.concatenate([parts[gate] for gate in here]))

    return transform


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
    """
    checkpoints.refuse_existing(out)
    weights = read_state(model_file)
    items = read_items(items_file)
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
    checkpoints.save(out, config, model)
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
            over, or a weight that no tensor fills.
    """
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


def read_state(path: Path) -> dict[str, Array]:
    """Reads a state dict; batch counters are dropped.

    Names may carry the prefix `module.` that data parallel training adds.

    Raises:
        ValueError: naming the file, where it holds no state dict.
    """
    if path.suffix == ".npz":
        tensors = _read_npz(path)
    else:
        loaded = _read_torch(path)
        if not isinstance(loaded, Mapping):
            raise ValueError(
                f"{path}: expected a state dict of tensors, found "
                f"{type(loaded).__name__}"
            )
        tensors = {
            name: _to_numpy(tensor, path) for name, tensor in loaded.items()
        }
    return {
        name.removeprefix("module."): tensor.astype(np.float32)
        for name, tensor in tensors.items()
        if not name.endswith(COUNTER)
    }


def read_items(path: Path) -> Array:
    """Reads the memory items, float32 (items, dim) of unit rows.

    Raises:
        ValueError: naming the file, where it holds no such array.
    """
    if path.suffix == ".npz":
        arrays = list(_read_npz(path).values())
        if len(arrays) != 1:
            raise ValueError(
                f"{path}: expected one array of items, found {len(arrays)}"
            )
        items = arrays[0]
    else:
        items = _to_numpy(_read_torch(path), path)
    if items.ndim != 2 or not np.isfinite(items).all():
        raise ValueError(
            f"{path}: items must be finite numbers of shape (items, dim), "
            f"found shape {items.shape}"
        )
    norms = np.linalg.norm(items, axis=1)
    if not np.allclose(norms, 1, atol=1e-3):
        raise ValueError(
            f"{path}: items must be unit vectors, found norms from "
            f"{norms.min():.3g} to {norms.max():.3g}"
        )
    return items.astype(np.float32)


def _read_npz(path: Path) -> dict[str, Array]:
    try:
        # Opened here, so that it is closed where numpy gives up half way.
        with (
            path.open("rb") as stream,
            np.load(stream, allow_pickle=False) as archive,
        ):
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: not a readable .npz file: {error}") from None


def _read_torch(path: Path) -> object:
    try:
        import torch
    except ImportError:
        raise ValueError(
            f"{path}: PyTorch is needed to open this file: "
            "pip install 'lgn-tf[torch]'"
        ) from None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except (
        RuntimeError,
        OSError,
        EOFError,
        ValueError,
        pickle.UnpicklingError,
    ) as error:
        first_line = str(error).partition("\n")[0]
        raise ValueError(
            f"{path}: not a readable PyTorch file of tensors alone: "
            f"{first_line}"
        ) from None


def _to_numpy(tensor: object, path: Path) -> Array:
    if not hasattr(tensor, "detach"):
        raise ValueError(
            f"{path}: expected tensors, found {type(tensor).__name__}. A whole "
            "pickled model cannot be opened safely: save its `state_dict()`"
        )
    return np.asarray(tensor.detach().float().numpy())
