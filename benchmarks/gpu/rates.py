"""The card's own limit: rates of large products in each framework."""

import statistics
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import torch
from jax import numpy as jnp

from benchmarks.gpu.bench import CONVOLUTION, MATRIX, Bench, release
from benchmarks.gpu.peers import FORMATS
from benchmarks.gpu.precision import PRECISIONS, significant
from benchmarks.gpu.timing import (
    Contestant,
    repeated,
    seconds_a_step,
    wait_for_torch,
)

LAYOUT = ("NHWC", "HWIO", "NHWC")


def rates(bench: Bench, name: str) -> None:
    """Measures a large matrix product, and a convolution of the ST-LSTM's."""
    side, images = (8192, 64) if bench.gpu else (256, 1)
    edge = bench.options.size // 4
    inputs = max(1, round(128 * bench.options.width))
    shapes = {
        MATRIX: ((side, side), (side, side)),
        CONVOLUTION: ((images, edge, edge, inputs), (3, 3, inputs, 7 * inputs)),
    }
    amounts = {
        MATRIX: 2 * side**3,
        CONVOLUTION: 2 * images * edge**2 * 9 * 7 * inputs**2,
    }
    for what, (one, other) in shapes.items():
        row = {"part": "rates", "precision": name, "what": what}
        contestants = bench.attempt(
            lambda what=what, one=one, other=other: products(
                bench, name, what, one, other
            ),
            **row,
        )
        for by, times in seconds_a_step(contestants or [], bench).items():
            if isinstance(times, str):
                bench.add(**row, by=by, missing=times)
                continue
            rate = amounts[what] / statistics.median(times)
            bench.add(**row, by=by, tflops=significant(rate / 1e12))
        del contestants
        release()


def products(
    bench: Bench, name: str, what: str, *shapes: tuple[int, ...]
) -> list[Contestant]:
    """Returns the same product by each framework, warm."""
    dtype, random = PRECISIONS[name].dtype, np.random.default_rng(2)
    half = jnp.bfloat16 if dtype == torch.bfloat16 else jnp.float32
    drawn = [random.standard_normal(shape, np.float32) for shape in shapes]
    ours = [jnp.asarray(values, half) for values in drawn]
    theirs = [torch.from_numpy(v).to(bench.device, dtype) for v in drawn]
    if what == MATRIX:
        product = jax.jit(jnp.matmul)
        steps = {"PyTorch": lambda: theirs[0] @ theirs[1]}
    else:
        product = jax.jit(
            lambda x, kernel: jax.lax.conv_general_dilated(
                x, kernel, (1, 1), "SAME", dimension_numbers=LAYOUT
            )
        )
        steps = {
            f"PyTorch, {key}": convolution(*theirs, memory_format)
            for key, memory_format in FORMATS.items()
        }
    found = [
        Contestant(k, repeated(s, wait_for_torch)) for k, s in steps.items()
    ]
    run = repeated(lambda: product(*ours), jax.block_until_ready)
    found.append(Contestant("JAX", run))
    for contestant in found:
        contestant.run(2)
    return found


def convolution(
    image: torch.Tensor, kernel: torch.Tensor, memory_format: Any
) -> Callable[[], torch.Tensor]:
    """Returns PyTorch's convolution of (N, H, W, C) by (h, w, in, out)."""
    image = image.permute(0, 3, 1, 2).contiguous(memory_format=memory_format)
    kernel = kernel.permute(3, 2, 0, 1).contiguous(memory_format=memory_format)
    return lambda: torch.nn.functional.conv2d(image, kernel, padding=1)
