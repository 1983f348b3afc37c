"""The options, weights and rows that all parts of the benchmark share."""

import argparse
import contextlib
import gc
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import operations
from benchmarks.gpu.precision import significant
from benchmarks.peers.weights import draw_source
from lgn_tf.conversion import convert
from lgn_tf.model.lgn_net import LGNNet

MATRIX, CONVOLUTION = "matrix product", "convolution"
OURS = "LGNNet, JAX"
EAGER = "PyTorch eager"
COMPILED = "PyTorch compiled"
FAILED = "failed"

TRAINING_FACTOR = 3
"""Of a training step: the gradients cost twice what the way forward does."""


class NoNumberError(Exception):
    """There is no number, and why."""


class Bench:
    """Options, weights, time that is left, and rows that were found.

    Attributes:
        rows: dictionaries, as in the JSON line.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        """Draws the weights."""
        self.options = options
        self.rows: list[dict[str, Any]] = []
        self.end = time.monotonic() + options.seconds
        self.longest = 0.0
        self.gpu = torch.cuda.is_available()
        self.device = "cuda" if self.gpu else "cpu"
        model = self.bare_network("float32")
        self.source, self.items = draw_source(model)

    def bare_network(self, policy: str) -> LGNNet:
        """Returns a network of that dtype policy with weights of its own."""
        side = self.options.size
        model = LGNNet(
            image_size=(side, side),
            frames=self.options.inputs,
            width=self.options.width,
            dtype=policy,
        )
        model.build()
        return model

    def network(self, policy: str) -> LGNNet:
        """Returns a network with the drawn weights."""
        model = self.bare_network(policy)
        convert.assign(model, self.source, self.items, Path("drawn weights"))
        return model

    @property
    def least(self) -> float:
        """Operations of one window by itself, by direct convolution."""
        side = self.options.size
        return operations.window(
            (side, side),
            frames=self.options.inputs,
            width=self.options.width,
        )

    def clips(self, count: int) -> tuple[Any, Any]:
        """Draws clips (N, T, H, W, C) and the frames that follow."""
        random = np.random.default_rng(1)
        shape = (self.options.inputs + 1, *[self.options.size] * 2, 3)
        frames = random.random((count, *shape), np.float32) * 2 - 1
        return frames[:, :-1], frames[:, -1]

    def add(self, **row: Any) -> None:
        """Keeps a row, and prints it."""
        self.rows.append(row)
        print(", ".join(f"{k} {v}" for k, v in row.items()), flush=True)

    def attempt(self, build: Callable[[], Any], **row: Any) -> Any:
        """Returns what `build` returns, or None and a row that says why."""
        begin = time.monotonic()
        try:
            # The next may take as long to compile as the longest so far.
            if self.end - begin <= self.longest:
                raise NoNumberError("left out: no time")
            with explained():
                result = build()
        except NoNumberError as why:
            self.add(**row, missing=str(why))
            result = None
        self.longest = max(self.longest, time.monotonic() - begin)
        return result

    def rate(self, precision: str, what: str) -> float | None:
        """Returns the faster framework's operations a second, if measured."""
        rates = [
            row["tflops"] * 1e12
            for row in self.rows
            if row["part"] == "rates"
            and (row["precision"], row["what"]) == (precision, what)
            and "tflops" in row
        ]
        return max(rates, default=None)

    def shares(self, precision: str, achieved: float) -> dict[str, float]:
        """Returns achieved operations a second, and over both rates."""
        found = {"tflops": significant(achieved / 1e12)}
        for what in (MATRIX, CONVOLUTION):
            rate = self.rate(precision, what)
            if rate:
                found[f"of {what}"] = significant(achieved / rate)
        return found


def reason(error: BaseException, what: str) -> str:
    """Returns what stands in the place of a number."""
    text = str(error)
    if isinstance(error, MemoryError) or any(
        sign in text
        for sign in ("RESOURCE_EXHAUSTED", "out of memory", "ALLOC_FAILED")
    ):
        return "out of memory"
    return f"{what}: {text.strip().partition(chr(10))[0][:200]}"


@contextlib.contextmanager
def explained():
    """Turns what the frameworks raise into the reason of a `NoNumberError`."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        raise NoNumberError(reason(error, FAILED)) from error


def release() -> None:
    """Gives memory that nobody uses back to the card."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
