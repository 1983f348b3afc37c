"""Where each tensor of the authors' checkpoint goes, as a table.

Names and layouts of the source are PyTorch's: convolution kernels are (out, in,
height, width), transposed ones (in, out, height, width).
"""

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from lgn_tf.model.recurrent_cells import H_GATES, M_GATES, X_GATES

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
