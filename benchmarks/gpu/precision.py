"""Precisions as each framework is told of them, and what may deviate."""

import contextlib
import dataclasses
from typing import Any

import jax
import numpy as np
import torch


@dataclasses.dataclass(frozen=True)
class Precision:
    """A precision, as each framework is told of it.

    Attributes:
        jax: `jax.default_matmul_precision`.
        policy: dtype policy of the network.
        tf32: whether PyTorch may compute float32 products in TF32.
        dtype: of PyTorch's kernels and inputs.
        bound: largest deviation from float32, norm of the difference over the
            norm.
    """

    jax: str
    policy: str
    tf32: bool
    dtype: torch.dtype
    bound: float


PRECISIONS = {
    "bfloat16": Precision(
        "default", "mixed_bfloat16", True, torch.bfloat16, 3e-2
    ),
    "tf32": Precision("tensorfloat32", "float32", True, torch.float32, 3e-3),
    "float32": Precision("highest", "float32", False, torch.float32, 1e-4),
}


@contextlib.contextmanager
def computing(precision: Precision):
    """Has both frameworks compute in a precision, until the end of a block."""
    matrix, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matrix.allow_tf32, cudnn.allow_tf32, cudnn.benchmark
    matrix.allow_tf32 = cudnn.allow_tf32 = precision.tf32
    # As XLA does: the fastest algorithm of each shape is looked for.
    cudnn.benchmark = True
    try:
        with jax.default_matmul_precision(precision.jax):
            yield
    finally:
        matrix.allow_tf32, cudnn.allow_tf32, cudnn.benchmark = before


def require_close(
    found: Any, expected: Any, name: str, precision: str
) -> dict[str, float]:
    """Returns the deviation of an output from the peer's in float32.

    Raises:
        ValueError: where it is beyond the bound of the precision.
    """
    found = np.asarray(found, np.float64)
    difference = found - expected
    deviation = float(np.linalg.norm(difference) / np.linalg.norm(expected))
    bound = PRECISIONS[precision].bound
    if not deviation <= bound:
        raise ValueError(
            f"{name} in {precision} must deviate from PyTorch in float32 by "
            f"{bound:.0e} at most, norm over norm. "
            f"Received: deviation={deviation:.1e}"
        )
    return {
        "deviation": significant(deviation),
        "largest": significant(float(np.abs(difference).max())),
    }


def significant(value: float) -> float:
    """Returns four digits of a number."""
    return float(f"{value:.4g}")
