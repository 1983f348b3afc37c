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
from pathlib import Path
from typing import Any

from benchmarks.serving import subject

LOADS = (1, 4, 16)


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
    subject.add_options(parser)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--child", help="used by the benchmark itself")
    options = parser.parse_args()
    if options.child:
        print(json.dumps(_ask(json.loads(options.child))))
        return
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "lgn_net"
        subject.export(models, options.size, options.width)
        rows = {"in process": _in_process(models, options)}
        for batching in (False, True):
            with subject.server(models, batching=batching) as (_, ports):
                rows |= _measure(ports, batching, options)
    _report(rows, options)


def _child(value: dict[str, Any]) -> dict[str, Any]:
    """Runs `_ask` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.serving", "--child"]
    done = subprocess.run(
        [*command, json.dumps(value)],
        cwd=subject.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _in_process(models: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Returns what the model does without a protocol, in one process."""
    return _child(
        {
            "version": str(models / "1"),
            "size": options.size,
            "seconds": options.seconds,
        }
    )


def _call(case: dict[str, Any]) -> dict[str, Any]:
    """Calls a version one window at a time, and with a video."""
    from lgn_serving.models.graph_session import GraphSession

    servable = GraphSession(Path(case["version"]))
    frames = subject.draw(case["size"])
    single, video = {"frames": frames[None, :5]}, {"frames": frames[None]}
    windows = len(frames) - 4
    servable.run("", single)
    servable.run("score_video", video)
    times: list[float] = []
    along: list[float] = []
    while sum(times) < case["seconds"]:
        # In turns: what else the machine does slows both down.
        times += [subject.seconds_of(servable, "", single) for _ in range(8)]
        spent = subject.seconds_of(servable, "score_video", video)
        along.append(spent / windows)
    result = subject.summary(times, sum(times))
    result["video, windows a second"] = 1 / statistics.median(along)
    result["video against single calls"] = statistics.median(
        times
    ) / statistics.median(along)
    return result


def _measure(
    ports: dict[str, str], batching: bool, options: argparse.Namespace
) -> dict[str, Any]:
    rows = {}
    for case in CASES:
        for load in LOADS:
            row = _child(
                dataclasses.asdict(case)
                | {
                    "address": ports[case.protocol],
                    "size": options.size,
                    "load": load,
                    "seconds": options.seconds,
                }
            )
            kind = "merged" if batching else "one by one"
            rows[f"{case.name} | {load} | {kind}"] = row
            print(case.name, load, kind, row, file=sys.stderr)
    return rows


def _ask(case: dict[str, Any]) -> dict[str, Any]:
    """Asks from several threads; each waits for its answer."""
    if "version" in case:
        return _call(case)
    from lgn_client import transport

    asked = subject.request(case["size"], case["encoded"])
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
    return subject.summary(times, time.perf_counter() - start)


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
