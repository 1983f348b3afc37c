"""Tries for speed: each measures a change against the code before it.

    python -m benchmarks.cpu.tries NAME [NAME ...] [--runs 7]

`docs/performance.md` says what each was expected to bring, what it brought and
whether it was kept. The candidates of a try take turns; the first is what the
ratios are held to.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from benchmarks.cpu import convolution_tries, timing
from lgn_tf.backend import convolution
from lgn_tf.data.video.footage import InMemory, pieces
from lgn_tf.inference.video_scorer import VideoScorer
from lgn_tf.model.lgn_net import LGNNet

ROOT = Path(__file__).parents[2]


def main():
    """Runs tries and prints their ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="+", choices=TRIES, metavar="NAME")
    parser.add_argument("--runs", type=int, default=7, help="counted rounds")
    parser.add_argument("--size", type=int, default=256, help="side in pixels")
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--child", action="store_true", help="used by itself")
    options = parser.parse_args()
    if options.child:
        in_jax = keras.backend.backend() == "jax"
        step = (_jax_window if in_jax else _window)(options)
        times = timing.in_turns({"": step}, options.runs)
        print(json.dumps(times[""]))
        return
    for name in options.names:
        times = TRIES[name](options)
        if not isinstance(next(iter(times.values())), list):
            times = timing.in_turns(times, options.runs)
        base = statistics.median(next(iter(times.values())))
        for candidate, seconds in times.items():
            median = statistics.median(seconds)
            print(
                f"{name}: {candidate}: {1e3 * median:.1f} ms "
                f"({1e3 * min(seconds):.1f} - {1e3 * max(seconds):.1f}), "
                f"ratio {base / median:.2f}",
                flush=True,
            )


def _model(options, dtype="float32"):
    model = LGNNet(
        image_size=(options.size, options.size),
        width=options.width,
        dtype=dtype,
    )
    model.build()
    return model


def _clips(options):
    shape = (1, 4, options.size, options.size, 3)
    clips = np.random.default_rng(0).uniform(-1, 1, shape)
    return clips.astype(np.float32)


def _jax_window(options):
    """Returns inference of one window under JAX, as the environment says."""
    import jax

    model, clips = _model(options), _clips(options)
    weights = [
        [variable.value for variable in variables]
        for variables in (
            model.trainable_variables,
            model.non_trainable_variables,
        )
    ]
    step = jax.jit(
        lambda x: (
            model.stateless_call(*weights, x, training=False)[0].prediction
        )
    )
    return lambda: step(clips).block_until_ready()


def _window(options, algorithm="auto", dtype="float32", jit_compile=False):
    """Returns inference of one window, traced with an algorithm."""
    model, clips = _model(options, dtype), tf.constant(_clips(options))
    graph = tf.function(
        lambda x: model(x, training=False).prediction, jit_compile=jit_compile
    )

    def run():
        with convolution.algorithm(algorithm):
            return graph(clips).numpy()

    return run


def _winograd(options):
    return {
        "direct": _window(options, "direct"),
        "Winograd where it pays": _window(options, "auto"),
    }


def _bfloat16(options):
    half = "mixed_bfloat16"
    return {
        "float32, direct": _window(options, "direct"),
        "float32, Winograd": _window(options, "auto"),
        "bfloat16, direct": _window(options, "direct", half),
        "bfloat16, Winograd": _window(options, "auto", half),
    }


def _xla(options):
    return {
        "graph": _window(options, "auto"),
        "XLA": _window(options, "auto", jit_compile=True),
        "XLA, direct": _window(options, "direct", jit_compile=True),
    }


def _least_channels(options):
    """Winograd's from fewer channels on, in the whole network."""

    def from_channels(count):
        step, own = _window(options, "auto"), convolution.LEAST_CHANNELS

        def run():
            convolution.LEAST_CHANNELS = count
            try:
                return step()
            finally:
                convolution.LEAST_CHANNELS = own

        return run

    return {f"from {n} channels": from_channels(n) for n in (128, 64, 256)}


def _chunk(options):
    """Windows of a video that are encoded at once."""
    shape = (20, options.size, options.size, 3)
    frames = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    source = InMemory(["video"], [frames])
    model = _model(options)

    def score(chunk):
        scorer = VideoScorer(model, chunk=chunk)
        return lambda: scorer.score("video", pieces(source, 0, chunk))

    return {f"{count} at once": score(count) for count in (16, 8, 4, 2, 1)}


def _recomputation(options):
    """Each frame's own part once a frame instead of once a window."""
    model = _model(options)
    shape = (12, options.size, options.size, 3)
    frames = np.random.default_rng(0).uniform(-1, 1, shape)
    frames = tf.constant(frames, tf.float32)
    windows = tf.stack([frames[place : place + 4] for place in range(9)])
    return {
        "once a window": _encoding(model.encode, windows),
        "once a frame": _encoding(model.encode_video, frames),
    }


def _encoding(encode, inputs):
    graph = tf.function(lambda x: encode(x)[0], jit_compile=False)
    return lambda: graph(inputs).numpy()


def _environment(**candidates):
    """Returns a try whose candidates differ in the environment alone."""

    def measure(options):
        times = {name.replace("_", " "): [] for name in candidates}
        # Processes in turns, too; each leaves out its own first round.
        for _ in range(2):
            for name, changed in candidates.items():
                times[name.replace("_", " ")] += _child(options, changed)
        return times

    return measure


def _child(options, changed):
    output = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "benchmarks.cpu.tries",
                "winograd",
                "--child",
            ),
            *("--runs", str(options.runs), "--size", str(options.size)),
            *("--width", str(options.width)),
        ],
        cwd=ROOT,
        env=os.environ | changed,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return json.loads(output.splitlines()[-1])


TRIES = {
    "winograd": _winograd,
    "least-channels": _least_channels,
    "bfloat16": _bfloat16,
    "xla": _xla,
    "chunk": _chunk,
    "recomputation": _recomputation,
    "inter-op": _environment(
        as_it_is={}, one_operation_at_a_time={"TF_NUM_INTEROP_THREADS": "1"}
    ),
    "onednn": _environment(
        with_oneDNN={}, without={"TF_ENABLE_ONEDNN_OPTS": "0"}
    ),
    "jax": _environment(
        direct={"KERAS_BACKEND": "jax", "LGN_CONVOLUTION": "direct"},
        Winograd_where_it_pays={"KERAS_BACKEND": "jax"},
    ),
    **convolution_tries.TRIES,
}

if __name__ == "__main__":
    main()
