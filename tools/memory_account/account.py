"""Where the memory of a training step goes, by arithmetic.

    peak = weights + optimizer + gradients + clips + kept - released + working

The forward pass keeps, layer by layer, what the gradients need. The backward
pass goes through the layers in reverse, gives that back, and works on one
layer at a time. With rematerialisation a recurrent cell, or a block of
convolution, normalisation and ReLU, keeps only its inputs, and the rest of it
is computed when the backward pass comes to it.

Where there are two branches, gradients come to the global one from the losses
of the memory alone. So it can go back while the other still goes forward, and
at the peak, in the decoder, what it kept is released: in the order that was
measured most often, and not in every one.

Counted is what the operations keep on one device, each by itself as TensorFlow
runs them. What is left out stands in `UNCOUNTED`.
"""

import dataclasses
from collections.abc import Sequence

from lgn_tf.config.schema import Config
from tools.memory_account.layer_costs import FULL, HALF, Layer, branches

UNCOUNTED = (
    "the runtime: a process before its first step, the context of a GPU",
    "the workspace of convolutions, which their algorithms choose",
    "clips read ahead, and memory that the allocator holds in reserve",
)
"""Memory that no number of an account holds."""

FRAME_MAPS = 3
"""Frames that the loss keeps: the prediction, its target, their difference."""


@dataclasses.dataclass(frozen=True)
class Account:
    """The bytes of a training step.

    Attributes:
        weights: in full and, where layers compute in half precision, once more
            in that.
        optimizer: Adam's two moments.
        gradients: of all weights.
        clips: the batch, and frames that the loss keeps.
        kept: by part, what the forward pass keeps for the backward pass.
        released: of that, what is gone again at the peak.
        working: what the layer at the peak works on.
    """

    weights: float
    optimizer: float
    gradients: float
    clips: float
    kept: dict[str, float]
    released: float
    working: float

    @property
    def peak(self) -> float:
        """The sum of all."""
        fixed = self.weights + self.optimizer + self.gradients + self.clips
        return fixed + self.activations

    @property
    def activations(self) -> float:
        """Bytes that are kept and worked on at the peak."""
        return sum(self.kept.values()) - self.released + self.working


def account(config: Config) -> Account:
    """Returns where the bytes of a training step go.

    Args:
        config: says network, batch size, precision, and whether to
            rematerialise.
    """
    apart = branches(config)
    layers = [layer for branch in apart for layer in branch]
    kept: dict[str, float] = {}
    for layer in layers:
        kept[layer.part] = kept.get(layer.part, 0) + layer.kept
    there, working = max(map(_peak, apart), key=sum)
    weights = {(layer.part, layer.name): layer for layer in layers}.values()
    learned = sum(layer.learned for layer in weights)
    statistics = sum(layer.statistics for layer in weights)
    model, half = config.model, config.model.dtype != "float32"
    height, width = model.image_size
    frame = FULL * height * width * model.channels
    return Account(
        weights=FULL * (learned + statistics) + HALF * learned * half,
        optimizer=2 * FULL * learned,
        gradients=FULL * learned,
        clips=config.training.batch_size * frame * (model.frames + FRAME_MAPS),
        kept=kept,
        released=sum(kept.values()) - there,
        working=working,
    )


def _peak(layers: Sequence[Layer]) -> tuple[float, float]:
    """Returns what is kept and worked on where that is most."""
    peak = (0.0, 0.0)
    kept = 0.0
    # Of the layers that come after one, nothing is left when it goes back.
    for layer in layers:
        kept += layer.kept
        peak = max(peak, (kept, layer.working), key=sum)
    return peak
