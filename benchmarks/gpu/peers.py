"""The PyTorch peer on a GPU: placed in a precision, eager and compiled."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmarks.gpu.bench import (
    COMPILED,
    EAGER,
    Bench,
    NoNumberError,
    reason,
    release,
)
from benchmarks.gpu.precision import PRECISIONS, computing, require_close
from benchmarks.gpu.timing import Contestant, faster, repeated, wait_for_torch
from benchmarks.peers.network import Peer
from benchmarks.peers.training import STATISTICS

FORMATS = {
    "channels first": torch.contiguous_format,
    "channels last": torch.channels_last,
}


class PlacedPeer(Peer):
    """The peer on a device, at its best in a precision.

    In bfloat16 kernels, biases and features are bfloat16. Batch norms keep
    their own numbers in float32, and the memory is read in float32: both cost
    next to nothing.
    """

    def __init__(
        self, bench: Bench, dtype: torch.dtype, memory_format: Any
    ) -> None:
        """Places the weights."""
        super().__init__(bench.source, bench.items)
        self.dtype = dtype
        self.place(bench.device, memory_format)
        norms = {
            name.removesuffix(f".{STATISTICS[0]}")
            for name in self.weights
            if name.endswith(STATISTICS[0])
        }
        for name, tensor in self.weights.items():
            if name.rpartition(".")[0] not in norms:
                self.weights[name] = tensor.to(dtype)

    def _read(self, queries: torch.Tensor) -> torch.Tensor:
        return super()._read(queries).to(self.dtype)


def channels_first(values: Any, bench: Bench) -> torch.Tensor:
    """Returns frames (..., H, W, C) as a tensor (..., C, H, W)."""
    tensor = torch.from_numpy(np.ascontiguousarray(np.moveaxis(values, -1, -3)))
    return tensor.to(bench.device)


def expected_frames(bench: Bench, clips: Any) -> Any:
    """Returns what the peer predicts in float32, (N, H, W, C)."""
    precision = PRECISIONS["float32"]
    with computing(precision), torch.inference_mode():
        peer = PlacedPeer(bench, precision.dtype, torch.contiguous_format)
        parts = [
            peer(channels_first(clips[start : start + 4], bench)).cpu().numpy()
            for start in range(0, len(clips), 4)
        ]
    release()
    return np.moveaxis(np.concatenate(parts), 1, -1)


def eager(
    bench: Bench, clips: Any, expected: Any, precision: str
) -> Contestant:
    """Returns the peer, compared, in the memory format it is faster in."""
    dtype, found = PRECISIONS[precision].dtype, []
    images = channels_first(clips, bench).to(dtype)
    for key, memory_format in FORMATS.items():
        peer = PlacedPeer(bench, dtype, memory_format)
        found.append(peer_contestant(EAGER, peer, images, expected, precision))
        found[-1].facts["format"] = key
    return faster(found)


def compiled(
    bench: Bench, clips: Any, expected: Any, precision: str
) -> Contestant:
    """Returns the peer through `torch.compile`, compared.

    Inductor lays the features out as it sees fit.
    """
    # Whatever was compiled for another batch counts towards a limit.
    torch.compiler.reset()
    dtype = PRECISIONS[precision].dtype
    peer = PlacedPeer(bench, dtype, torch.contiguous_format)
    for tensor in (*peer.weights.values(), peer.items):
        # It stays where it is: graphs of the card need not copy it.
        torch._dynamo.mark_static_address(tensor)
    step = torch.compile(
        peer, dynamic=False, fullgraph=True, mode=bench.options.compile_mode
    )
    images = channels_first(clips, bench).to(dtype)
    try:
        return peer_contestant(COMPILED, step, images, expected, precision)
    except ValueError:
        raise
    except Exception as error:
        # What a compiler raises, or the one it calls, has no common name.
        raise NoNumberError(reason(error, "torch.compile failed")) from error


def peer_contestant(
    name: str,
    peer: Callable[[Any], torch.Tensor],
    images: torch.Tensor,
    expected: Any,
    precision: str,
) -> Contestant:
    """Returns the peer, warm and compared."""

    def step() -> torch.Tensor:
        with torch.inference_mode():
            return peer(images)

    found = np.moveaxis(step().float().cpu().numpy(), 1, -1)
    facts = require_close(found, expected, name, precision)
    run = repeated(step, wait_for_torch)
    run(2)
    return Contestant(name, run, facts)
