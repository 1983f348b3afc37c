"""Requests a second of the embedded server, by protocol, load and batching.

    python -m benchmarks.serving
    python -m benchmarks.serving --size 256 --width 1 --seconds 20

A model with random weights is exported and served in a process of its own;
another process asks, with as many connections as the load says. Each request
scores one window. The in-process rate is that of the same SavedModel, called
one window at a time without any protocol, in the same run. The last line is
JSON.
"""

import argparse
import dataclasses
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lgn_tf.runs import model_files
from lgn_tf.runs.run import Run

LOADS = (1, 4, 16)
ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "serving/deploy/batching.config"


@dataclasses.dataclass(frozen=True)
class Case:
    """How a request travels.

    Attributes:
        name: in the table.
        protocol: "http" or "grpc".
        encoded: whether as JPEG files or as raw numbers.
    """

    name: str
    protocol: str
    encoded: bool


CASES = (
    Case("REST, numbers as JSON", "http", False),
    Case("REST, JPEG as base64", "http", True),
    Case("gRPC, raw bytes", "grpc", False),
    Case("gRPC, JPEG", "grpc", True),
)


def main() -> None:
    """Exports, serves, asks, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--child", help="used by the benchmark itself")
    options = parser.parse_args()
    if options.child:
        print(json.dumps(_ask(json.loads(options.child))))
        return
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "lgn_net"
        rows = {"in process": _in_process(models, options)}
        for batching in (False, True):
            with _server(models, batching) as ports:
                rows |= _measure(ports, batching, options)
    _report(rows, options)


def _in_process(models: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Exports a model and measures it without a protocol, in one process."""
    code = (
        "import sys, json; from benchmarks import serving; "
        "print(json.dumps(serving.export_and_run(*json.loads(sys.argv[1]))))"
    )
    arguments = [str(models), options.size, options.width, options.seconds]
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def export_and_run(
    models: str, size: int, width: float, seconds: float
) -> dict[str, Any]:
    """Exports a model; returns what it does without a protocol."""
    from lgn_serving.models.servable import Servable
    from lgn_tf.config.schema import Config, ModelConfig
    from lgn_tf.exporting import saved_model
    from lgn_tf.model.lgn_net import build_model

    config = Config(ModelConfig(image_size=(size, size), width=width))
    run_dir = Path(models).parent / "run"
    model_files.save(run_dir, config, build_model(config))
    done = saved_model.export(Run(run_dir), Path(models))
    servable = Servable(done.path)
    frames = draw(size)
    single, video = {"frames": frames[None, :5]}, {"frames": frames[None]}
    windows = len(frames) - 4
    servable.run("", single)
    servable.run("score_video", video)
    times: list[float] = []
    along: list[float] = []
    while sum(times) < seconds:
        # In turns: what else the machine does slows both down.
        times += [_time(servable, "", single) for _ in range(8)]
        along.append(_time(servable, "score_video", video) / windows)
    result = _summary(times, sum(times))
    result["video, windows a second"] = 1 / statistics.median(along)
    result["video against single calls"] = statistics.median(
        times
    ) / statistics.median(along)
    return result


def _time(servable: Any, name: str, inputs: dict[str, np.ndarray]) -> float:
    start = time.perf_counter()
    servable.run(name, inputs)
    return time.perf_counter() - start


def draw(size: int) -> np.ndarray:
    """Returns a moving picture, uint8 (36, size, size, 3)."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (size // 8, size // 8, 3), dtype=np.uint8)
    still = cv2.resize(small, (size, size))
    return np.stack([np.roll(still, 3 * shift, axis=1) for shift in range(36)])


@contextmanager
def _server(models: Path, batching: bool) -> Iterator[dict[str, str]]:
    command = [sys.executable, "-m", "lgn_tf", "serve", str(models)]
    command += ["--rest-port", "0", "--grpc-port", "0"]
    if batching:
        command += ["--batching-parameters-file", str(SHIPPED)]
    server = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        words = str(server.stdout and server.stdout.readline()).split()
        rest = words[2].removesuffix("/v1/models,")
        yield {"http": rest, "grpc": f"grpc://{words[-1]}"}
    finally:
        server.terminate()
        server.wait()


def _measure(
    ports: dict[str, str], batching: bool, options: argparse.Namespace
) -> dict[str, Any]:
    rows = {}
    for case in CASES:
        for load in LOADS:
            asked = dataclasses.asdict(case) | {
                "address": ports[case.protocol],
                "size": options.size,
                "load": load,
                "seconds": options.seconds,
            }
            command = [sys.executable, "-m", "benchmarks.serving", "--child"]
            done = subprocess.run(
                [*command, json.dumps(asked)],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=True,
            )
            kind = "merged" if batching else "one by one"
            row = json.loads(done.stdout.splitlines()[-1])
            rows[f"{case.name} | {load} | {kind}"] = row
            print(case.name, load, kind, row, file=sys.stderr)
    return rows


def _ask(case: dict[str, Any]) -> dict[str, Any]:
    """Asks from several threads; each waits for its answer."""
    from lgn_client import transport

    frames = draw(case["size"])[:5]
    if case["encoded"]:
        files = [cv2.imencode(".jpg", each)[1].tobytes() for each in frames]
        asked = ("score_encoded", {"encoded_frames": np.array([files], object)})
    else:
        asked = ("serving_default", {"frames": frames[None]})
    target = transport.Target("lgn_net", tries=1)
    times: list[float] = []
    ended = threading.Event()

    def ask() -> None:
        with transport.connect(case["address"], target) as server:
            server.predict(*asked)
            ready.wait()
            while not ended.is_set():
                start = time.perf_counter()
                server.predict(*asked)
                times.append(time.perf_counter() - start)

    ready = threading.Barrier(case["load"] + 1)
    threads = [threading.Thread(target=ask) for _ in range(case["load"])]
    for thread in threads:
        thread.start()
    ready.wait()
    start = time.perf_counter()
    time.sleep(case["seconds"])
    ended.set()
    for thread in threads:
        thread.join()
    return _summary(times, time.perf_counter() - start)


def _summary(times: list[float], seconds: float) -> dict[str, Any]:
    slowest = np.quantile(times, 0.99)
    return {
        "requests a second": round(len(times) / seconds, 1),
        "p50 ms": round(1000 * statistics.median(times), 1),
        "p99 ms": round(1000 * float(slowest), 1),
    }


def _report(rows: dict[str, Any], options: argparse.Namespace) -> None:
    base = rows["in process"]["requests a second"]
    print(
        f"{options.size} x {options.size}, width {options.width}\n\n"
        "| | connections | batching | requests a second | of in process "
        "| p50 ms | p99 ms |\n|---|---|---|---|---|---|---|"
    )
    for name, row in rows.items():
        cells = name if "|" in name else f"{name} | 1 | one by one"
        rate = row["requests a second"]
        print(
            f"| {cells} | {rate} | {rate / base:.2f} | {row['p50 ms']} "
            f"| {row['p99 ms']} |"
        )
    video = rows["in process"]
    print(
        f"\n`score_video`, 36 frames: {video['video, windows a second']:.1f} "
        f"windows a second, {video['video against single calls']:.2f} times "
        "the rate of single calls"
    )
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
