"""Fair times: candidates in turns, medians, and the machine's own limit."""

import dataclasses
import os
import statistics
import time
from pathlib import Path

import tensorflow as tf
import torch


@dataclasses.dataclass(frozen=True)
class Row:
    """One candidate of one case.

    Attributes:
        case: what was done.
        candidate: who did it.
        seconds: of each counted run.
        work: how many windows or clips a run does.
        ratio: of the seconds of the first candidate to those of this one.
        ceiling: the ratio that the least operations would give at the rate of
            a large convolution; None where nobody computes directly.
        efficiency: share of that rate that was reached.
    """

    case: str
    candidate: str
    seconds: tuple[float, ...]
    work: int
    ratio: float
    ceiling: float | None = None
    efficiency: float | None = None

    @property
    def median(self):
        """Seconds of a run."""
        return statistics.median(self.seconds)


def in_turns(candidates, runs, warm=1):
    """Runs the candidates in turns, so that a slow minute slows them all.

    Args:
        candidates: functions by name.
        runs: rounds that are counted.
        warm: rounds before, which trace graphs and warm caches.

    Returns:
        The seconds of each, by name.
    """
    times = {name: [] for name in candidates}
    for turn in range(runs + warm):
        for name, step in candidates.items():
            start = time.perf_counter()
            step()
            if turn >= warm:
                times[name].append(time.perf_counter() - start)
    return times


def rows(case, times, work, limits=None):
    """Makes rows of `in_turns`; the first candidate is what others are held to.

    Args:
        case: its name.
        times: seconds by candidate.
        work: windows or clips a run.
        limits: for some candidates (least operations of a run, operations a
            second of a large convolution in their precision).
    """
    base = statistics.median(next(iter(times.values())))
    found = []
    for name, seconds in times.items():
        median = statistics.median(seconds)
        ceiling = efficiency = None
        if limits and name in limits:
            operations, rate = limits[name]
            ceiling = base * rate / operations
            efficiency = operations / (median * rate)
        found.append(
            Row(
                case,
                name,
                tuple(seconds),
                work,
                base / median,
                ceiling,
                efficiency,
            )
        )
    return found


def convolution_rate(dtype, runs=7):
    """Measures large convolutions of the ST-LSTM's shape.

    Args:
        dtype: "float32" or "bfloat16".
        runs: rounds that are counted.

    Returns:
        Operations a second of the faster of both frameworks.
    """
    side, inputs, outputs, repeats = 64, 128, 896, 8
    operations = repeats * 2 * side**2 * inputs * outputs * 9
    times = in_turns(
        {
            "TensorFlow": _tensorflow(dtype, side, inputs, outputs, repeats),
            "PyTorch": _pytorch(dtype, side, inputs, outputs, repeats),
        },
        runs,
        warm=2,
    )
    return operations / min(statistics.median(one) for one in times.values())


def _tensorflow(dtype, side, inputs, outputs, repeats):
    image = tf.cast(tf.random.normal((1, side, side, inputs)), dtype)
    kernels = [
        tf.cast(tf.random.normal((3, 3, inputs, outputs)), dtype)
        for _ in range(repeats)
    ]

    @tf.function
    def convolve(image, kernels):
        # One number of each result: all are computed, little else is.
        return [
            tf.nn.conv2d(image, kernel, 1, "SAME")[0, 0, 0, 0]
            for kernel in kernels
        ]

    return lambda: [value.numpy() for value in convolve(image, kernels)]


def _pytorch(dtype, side, inputs, outputs, repeats):
    dtype = getattr(torch, dtype)
    image = torch.randn(1, inputs, side, side).to(dtype)
    kernels = [
        torch.randn(outputs, inputs, 3, 3).to(dtype) for _ in range(repeats)
    ]

    @torch.inference_mode()
    def convolve():
        for kernel in kernels:
            torch.nn.functional.conv2d(image, kernel, padding=1)

    return convolve


def has_half_instructions():
    """Returns whether the processor multiplies bfloat16 in hardware."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii")
    except OSError:
        return False
    return "avx512_bf16" in text or "amx_bf16" in text


def threads():
    """Returns how many threads both frameworks are given."""
    return len(os.sched_getaffinity(0))
