"""The network and its peers, with the same weights."""

import numpy as np
import tensorflow as tf
import torch

from benchmarks.cpu import timing
from benchmarks.peers.network import Checkout, Peer
from benchmarks.peers.weights import draw_source
from lgn_tf.backend import convolution
from lgn_tf.conversion import convert
from lgn_tf.model.lgn_net import LGNNet

PEER = "PyTorch eager, float32"
COMPILED = "PyTorch compiled, float32"
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}

ALLOWED = {"float32": 1e-4, "bfloat16": 3e-2}
"""Largest deviation of a prediction in [-1, 1]: more is another network."""


class Subjects:
    """The network in every precision, and the peer.

    Args:
        size: (height, width) in pixels.
        width: multiplier of every channel count.
        channels: of a frame.
        checkout: folder of the authors' code, or None for `Peer`.
        compiled: whether `torch.compile` is a candidate, too.

    Attributes:
        dtypes: precisions the processor has instructions for.
        models: `LGNNet` by precision.
        deviations: largest deviation of predictions from the peer's.

    Raises:
        ValueError: where the outputs of two candidates do not agree.
    """

    def __init__(
        self, size, *, width=1.0, channels=3, checkout=None, compiled=True
    ):
        """Builds all of them; compiles nothing yet."""
        self.size, self.width, self.channels = size, width, channels
        torch.set_num_threads(timing.threads())
        self.dtypes = ["float32"]
        if timing.has_half_instructions():
            self.dtypes.append("bfloat16")
        self.source = None
        self.models = {}
        for dtype in self.dtypes:
            self.models[dtype] = self.build(dtype)
        if checkout is None:
            self.peer = Peer(self.source, self.items)
            self.peer_name = (
                "plain PyTorch layers, `benchmarks/peers/network.py`"
            )
        else:
            self.peer = Checkout(checkout, self.source, self.items)
            self.peer_name = f"the authors' code in `{checkout.name}`"
        self.compiled = torch.compile(self.peer.predict) if compiled else None
        self.deviations = {}

    def build(self, dtype):
        """Returns an `LGNNet` of its own, with the weights of all."""
        model = LGNNet(
            image_size=self.size,
            channels=self.channels,
            width=self.width,
            dtype=POLICIES[dtype],
        )
        model.build()
        if self.source is None:
            self.source, self.items = draw_source(model)
        convert.assign(model, self.source, self.items, "drawn weights")
        return model

    def clips(self, count, seed=1):
        """Draws clips; returns (ours, theirs), channels last and first."""
        shape = (count, 4, *self.size, self.channels)
        clips = np.random.default_rng(seed).uniform(-1, 1, shape)
        clips = clips.astype(np.float32)
        return tf.constant(clips), torch.from_numpy(
            np.ascontiguousarray(np.moveaxis(clips, -1, 2))
        )

    def candidates(self, count):
        """Returns inference of a batch by name, the peer's first.

        Each returns predictions as an array, channels last.
        """
        ours, theirs = self.clips(count)

        def torch_step(predict):
            with torch.inference_mode():
                return np.moveaxis(predict(theirs)[0].numpy(), 1, -1)

        found = {PEER: lambda: torch_step(self.peer.predict)}
        if self.compiled is not None:
            found[COMPILED] = lambda: torch_step(self.compiled)
        for dtype, model in self.models.items():
            found[f"LGNNet, {dtype}"] = _graph(model, ours, "auto")
        found["LGNNet, float32, direct"] = _graph(
            self.models["float32"], ours, "direct"
        )
        return found

    def compare(self, candidates):
        """Compares what each candidate returns with the first one's."""
        expected = None
        for name, step in candidates.items():
            outputs = step()
            if expected is None:
                expected = outputs
                continue
            deviation = float(np.abs(outputs - expected).max())
            allowed = ALLOWED["bfloat16" if "bfloat16" in name else "float32"]
            if not deviation < allowed:
                raise ValueError(
                    f"{name} must predict what the peer predicts, within "
                    f"{allowed}. Found: {deviation:.1e}"
                )
            held = self.deviations.get(name, 0.0)
            self.deviations[name] = max(held, deviation)


def _graph(model, clips, algorithm):
    """Returns inference as one TensorFlow graph, traced on first use."""
    step = tf.function(
        lambda x: model(x, training=False).prediction, jit_compile=False
    )

    def run():
        with convolution.algorithm(algorithm):
            return step(clips).numpy()

    return run
