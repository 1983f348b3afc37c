"""Speed on a GPU: LGNNet on JAX against plain PyTorch, on one card in one run.

    python -m benchmarks.gpu --out accelerator.md

Needs JAX, PyTorch, Keras, NumPy, SciPy and OpenCV, and no TensorFlow. Weights
and inputs are drawn by chance and the same for all. What each computes is
compared with the peer in float32 before any time is taken; a deviation beyond
the bound of the precision ends the run. The candidates of a row take turns.

Each precision goes through all parts, bfloat16 first. What compiling leaves no
time for, within `--seconds`, is named as left out: a second run with `--only`,
`--precisions` or `--batches` gets to it, and compiles less where
JAX_COMPILATION_CACHE_DIR and TORCHINDUCTOR_CACHE_DIR name folders of the first.
No setting of the card is changed. Without a GPU it is a dry run:

    python -m benchmarks.gpu --size 32 --width 0.125 --batches 1 2 \
        --training-batches 2 --runs 2 --latency-runs 5 --frames 36 \
        --precisions bfloat16 --no-compile

(`--no-compile` leaves out `torch.compile`, which needs a C++ compiler there.)
"""

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

# Before Keras and JAX are imported. JAX would take most of the card's memory
# for itself at once.
os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
import torch

from benchmarks.gpu.bench import FAILED, Bench
from benchmarks.gpu.inference import forward, score
from benchmarks.gpu.precision import PRECISIONS, computing
from benchmarks.gpu.rates import rates
from benchmarks.gpu.report import section
from benchmarks.gpu.training import train
from lgn_tf.inference import video_scorer
from lgn_tf.runs import environment

PARTS = {
    "rates": rates,
    "forward": forward,
    "scoring": score,
    "training": train,
}
"""The parts that are measured in each precision, in this order."""


def main(arguments: list[str] | None = None) -> int:
    """Measures and prints.

    Returns:
        0; 1 where something failed for another reason than memory or time; 2
        where an output deviates, or the machine will not do.
    """
    options = parse(sys.argv[1:] if arguments is None else arguments)
    try:
        if options.out:
            options.out.parent.mkdir(parents=True, exist_ok=True)
        found = machine()
        print(json.dumps(found), flush=True)
        bench = Bench(options)
        if not bench.gpu:
            # Threads of two frameworks would wait for each other.
            torch.set_num_threads(1)
        for name in options.precisions:
            for part, measure in PARTS.items():
                if part not in options.only:
                    continue
                with computing(PRECISIONS[name]):
                    measure(bench, name)
                if options.out:
                    options.out.write_text(section(bench, found))
    except (ValueError, OSError) as error:
        print(f"accelerator: {error}", file=sys.stderr)
        return 2
    print(section(bench, found), end="")
    failures = [
        r for r in bench.rows if r.get("missing", "").startswith(FAILED)
    ]
    return 1 if failures else 0


def parse(arguments: list[str]) -> argparse.Namespace:
    """Returns the options."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--size", type=int, default=256, help="side in pixels, times of 8")
    add("--width", type=float, default=1.0, help="multiplier of channels")
    add("--inputs", type=int, default=4, help="frames of a window")
    add("--batches", type=int, nargs="+", default=[1, 64, 8])
    add("--training-batches", type=int, nargs="+", default=[8, 4])
    add("--precisions", nargs="+", choices=PRECISIONS, default=[*PRECISIONS])
    add("--only", nargs="+", choices=PARTS, default=[*PARTS])
    add("--runs", type=int, default=7, help="turns that count")
    add("--latency-runs", type=int, default=300, help="single windows")
    add("--frames", type=int, default=260, help="of the video that is scored")
    add(
        "--chunk", type=int, default=video_scorer.CHUNK, help="windows, scoring"
    )
    add("--no-compile", action="store_true", help="no torch.compile")
    add("--compile-mode", default="reduce-overhead", help="of torch.compile")
    add("--seconds", type=float, default=540.0, help="no more is begun after")
    add("--out", type=Path, help="file for what is printed at the end")
    options = parser.parse_args(arguments)
    options.typed = arguments
    return options


def machine() -> dict[str, Any]:
    """Returns the card, what drives it, versions and the date.

    Raises:
        ValueError: where one framework sees a GPU and the other none.
    """
    gpu, backend = torch.cuda.is_available(), jax.default_backend()
    if gpu != (backend in ("gpu", "cuda")):
        raise ValueError(
            "JAX and PyTorch must run on the same card. Received: JAX on "
            f"{backend}, PyTorch on {'gpu' if gpu else 'cpu'}"
        )
    versions = environment.versions() | {
        name: importlib.metadata.version(name) for name in ("jaxlib", "torch")
    }
    # Beside the one that is used here, it may be installed.
    versions.pop("tensorflow", None)
    found = {
        "card": f"{environment.processor()}, no GPU: a dry run",
        "date": datetime.now(UTC).date().isoformat(),
        "versions": versions,
        "revision": environment.revision(),
    }
    if gpu:
        found |= {
            "card": torch.cuda.get_device_name(),
            "driver": driver(),
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
        }
    return found


def driver() -> str | None:
    """Returns the version of the card's driver, where it can be read."""
    command = [
        "nvidia-smi",
        "--query-gpu=driver_version",
        "--format=csv,noheader",
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.partition("\n")[0].strip() or None


if __name__ == "__main__":
    sys.exit(main())
