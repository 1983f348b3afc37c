"""The model that is served, the server, and a summary of times."""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "serving/deploy/batching.config"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the size of the model."""
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--width", type=float, default=0.25)


def export(models: Path, size: int, width: float) -> None:
    """Exports a model with random weights, in a process of its own."""
    code = (
        "import sys; from benchmarks.serving import subject; "
        "subject.export_here(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))"
    )
    command = [sys.executable, "-c", code, str(models), str(size), str(width)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)


def export_here(models: str, size: int, width: float) -> None:
    """Exports a model with random weights; see `export`."""
    from lgn_tf.config.schema import Config, ModelConfig
    from lgn_tf.exporting import saved_model
    from lgn_tf.model.lgn_net import build_model
    from lgn_tf.runs import model_files
    from lgn_tf.runs.run import Run

    config = Config(ModelConfig(image_size=(size, size), width=width))
    run_dir = Path(models).parent / "run"
    model_files.save(run_dir, config, build_model(config))
    saved_model.export(Run(run_dir), Path(models))


def draw(size: int, frames: int = 36) -> np.ndarray:
    """Returns a moving picture, uint8 (frames, size, size, 3)."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (size // 8, size // 8, 3), dtype=np.uint8)
    still = cv2.resize(small, (size, size))
    return np.stack(
        [np.roll(still, 3 * shift, axis=1) for shift in range(frames)]
    )


def request(size: int, encoded: bool) -> tuple[str, dict[str, np.ndarray]]:
    """Returns a signature and its inputs: one window."""
    frames = draw(size)[:5]
    if not encoded:
        return "serving_default", {"frames": frames[None]}
    files = [cv2.imencode(".jpg", each)[1].tobytes() for each in frames]
    return "score_encoded", {"encoded_frames": np.array([files], object)}


@contextmanager
def server(
    models: Path, *, batching: bool = False
) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """Yields a server that runs, and its address for each protocol."""
    command = [sys.executable, "-m", "lgn_tf", "serve", str(models)]
    command += ["--rest-port", "0", "--grpc-port", "0"]
    if batching:
        command += ["--batching-parameters-file", str(SHIPPED)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        words = str(process.stdout and process.stdout.readline()).split()
        rest = words[2].removesuffix("/v1/models,")
        yield process, {"http": rest, "grpc": f"grpc://{words[-1]}"}
    finally:
        process.terminate()
        process.wait()


def seconds_of(
    servable: Any, name: str, inputs: dict[str, np.ndarray]
) -> float:
    """Returns the seconds of one call of a model."""
    start = time.perf_counter()
    servable.run(name, inputs)
    return time.perf_counter() - start


def summary(times: list[float], seconds: float) -> dict[str, Any]:
    """Returns the rate of requests, and their times in milliseconds."""
    return {
        "requests a second": round(len(times) / seconds, 1),
        "p50 ms": round(1000 * statistics.median(times), 1),
        "p99 ms": round(1000 * p99(times), 1),
    }


def p99(times: list[float]) -> float:
    """Returns the time that 99 % of the requests keep."""
    return float(np.quantile(times, 0.99))
