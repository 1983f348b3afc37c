"""Forward time of one window against plain PyTorch layers, in one run.

    python -m benchmarks.forward [--runs 7] [--size 256]

Same weights, same input, same number of threads; the outputs are compared
before any time is taken. The candidates take turns, so that a machine that
slows down slows all of them. Printed are medians, and ratios of medians.
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
import torch

from benchmarks.peer import Peer
from lgn_tf import conversion, correspondence
from lgn_tf.model.lgn_net import LGNNet

LEAST_OPERATIONS = 380e9
"""Of one window at 256 x 256, after the exact savings: products and sums."""


def draw_source(model, seed=0):
    """Draws the state dict of an authors' checkpoint of the model's shape."""
    random = np.random.default_rng(seed)
    targets = {v.path.split("/", 1)[1]: v for v in model.variables}
    source = {}
    for rule in correspondence.rules():
        shape = tuple(targets[rule.target].shape)
        if len(shape) == 4:
            shape = (shape[3], shape[2], shape[0], shape[1])
        value = random.standard_normal(shape, dtype=np.float32)
        if len(shape) == 4:
            value /= np.sqrt(np.prod(shape[1:]))
        elif rule.source.endswith("running_var"):
            value = 0.5 + np.abs(value)
        else:
            value = 0.1 * value + rule.target.endswith("gamma")
        source[rule.source] = value.astype(np.float32)
    items = random.standard_normal(model.memory.items.shape, dtype=np.float32)
    return source, items / np.linalg.norm(items, axis=1, keepdims=True)


def compiled(model):
    """Returns the inference step as one TensorFlow graph."""
    return tf.function(
        lambda clips: model(clips, training=False).prediction, jit_compile=False
    )


def measure(candidates, runs):
    """Runs the candidates in turns; returns the seconds of each."""
    times = {name: [] for name in candidates}
    for run in range(runs + 2):
        for name, step in candidates.items():
            start = time.perf_counter()
            step()
            # The first two rounds trace, and warm the caches.
            if run >= 2:
                times[name].append(time.perf_counter() - start)
    return times


def convolution_rate(dtype):
    """Measures a convolution of the ST-LSTM's shape; returns operations/s."""
    side, inputs, outputs, repeats = 64, 128, 896, 8
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

    def step():
        return [value.numpy() for value in convolve(image, kernels)]

    seconds = statistics.median(measure({"rate": step}, 9)["rate"])
    return repeats * 2 * side**2 * inputs * outputs * 9 / seconds


def main():
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=7, help="counted rounds")
    parser.add_argument("--size", type=int, default=256, help="side in pixels")
    options = parser.parse_args()
    size = options.size
    torch.set_num_threads(os.cpu_count())
    model = LGNNet(image_size=(size, size))
    model.build()
    source, items = draw_source(model)
    conversion.assign(model, source, items, "drawn weights")
    half = LGNNet(image_size=(size, size), dtype="mixed_bfloat16")
    half.build()
    half.set_weights(model.get_weights())
    peer = Peer(source, items)
    clip = np.random.default_rng(1).uniform(-1, 1, (1, 4, 3, size, size))
    theirs = torch.from_numpy(clip.astype(np.float32))
    ours = tf.constant(np.moveaxis(clip, 2, -1), tf.float32)
    steps = {"float32": compiled(model), "bfloat16": compiled(half)}

    with torch.inference_mode():
        expected = np.moveaxis(peer(theirs).numpy(), 1, -1)
        for name, step in steps.items():
            deviation = np.abs(step(ours).numpy() - expected)
            print(
                f"{name}: deviation from PyTorch, largest "
                f"{deviation.max():.1e}, mean {deviation.mean():.1e}"
            )
        times = measure(
            {"PyTorch eager float32": lambda: peer(theirs)}
            | {
                f"LGNNet {name}": lambda step=step: step(ours).numpy()
                for name, step in steps.items()
            },
            options.runs,
        )
    medians = {name: statistics.median(row) for name, row in times.items()}
    base = medians["PyTorch eager float32"]
    print(f"one window of {size} x {size}, {os.cpu_count()} threads")
    for name, seconds in medians.items():
        spread = f"{min(times[name]):.3f} - {max(times[name]):.3f}"
        print(
            f"{name:24} {seconds:.3f} s ({spread})  ratio {base / seconds:.2f}"
        )
    least = LEAST_OPERATIONS * (size / 256) ** 2
    for name in steps:
        rate = convolution_rate(name)
        print(
            f"ceiling in {name}: {rate / 1e9:.0f} GFLOP/s in a large "
            f"convolution, {least / 1e9:.0f} GFLOP, {least / rate:.3f} s, "
            f"ratio {base * rate / least:.2f}"
        )


if __name__ == "__main__":
    main()
