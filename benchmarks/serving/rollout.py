"""What a rollout does to requests, and whether its memory comes back.

    python -m benchmarks.serving.rollout
    python -m benchmarks.serving.rollout --rollouts 3 --size 256 --width 1

A server answers requests that arrive at a steady pace, a share of what it can
do. Then a new version appears, is loaded and takes over. A time counts from
the moment at which the request was due. The 99 % time of the requests that
were due during the rollout is divided by that of those before it. After each
rollout, the memory of the server and all processes below it is added up. The
last line is JSON.
"""

import argparse
import json
import shutil
import statistics
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from benchmarks.serving import subject
from lgn_client import transport


class Load:
    """Asks at a steady pace, from threads, until it is stopped.

    Attributes:
        times: (moment at which a request was due, seconds until its answer).
    """

    def __init__(self, address: str, size: int) -> None:
        """Connects; see `start`."""
        self.times: list[tuple[float, float]] = []
        self._asked = subject.request(size, encoded=True)
        target = transport.Target("lgn_net", timeout=300, tries=1)
        self._server = transport.connect(address, target)
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(60)
        self._thread = threading.Thread()

    def seconds(self) -> float:
        """Returns the median seconds of a request that is alone."""
        spent = []
        for _ in range(21):
            self._ask(time.perf_counter())
            spent.append(self.times.pop()[1])
        return statistics.median(spent)

    def start(self, interval: float) -> None:
        """Sends a request every `interval` seconds from now on."""
        self._thread = threading.Thread(target=self._run, args=(interval,))
        self._thread.start()

    def _run(self, interval: float) -> None:
        due = time.perf_counter()
        while not self._ended.wait(max(0.0, due - time.perf_counter())):
            self._pool.submit(self._ask, due)
            due += interval

    def _ask(self, due: float) -> None:
        self._server.predict(*self._asked)
        self.times.append((due, time.perf_counter() - due))

    def between(self, start: float, end: float) -> list[float]:
        """Returns the seconds of the requests that were due in between."""
        # The last of them may not have been answered.
        time.sleep(0.5)
        self._pool.submit(int).result()
        return [spent for due, spent in self.times if start <= due < end]

    def stop(self) -> None:
        """Waits for the last answers."""
        self._ended.set()
        self._thread.join()
        self._pool.shutdown()
        self._server.close()


def main() -> None:
    """Exports, serves, rolls out again and again, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    subject.add_options(parser)
    parser.add_argument("--rollouts", type=int, default=30)
    parser.add_argument("--share", type=float, default=0.4)
    parser.add_argument("--before", type=float, default=20.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "lgn_net"
        subject.export(models, options.size, options.width)
        with subject.server(models) as (process, ports):
            load = Load(ports["http"], options.size)
            load.start(load.seconds() / options.share)
            rows = []
            try:
                for number in range(2, options.rollouts + 2):
                    row = _roll_out(
                        models, number, load, ports["http"], options
                    )
                    row["MiB"] = memory(process.pid) / 2**20
                    rows.append(row)
                    print(row, flush=True)
            finally:
                load.stop()
    _report(rows, options)


def _roll_out(
    models: Path,
    number: int,
    load: Load,
    address: str,
    options: argparse.Namespace,
) -> dict[str, Any]:
    """Adds a version, and waits until it alone is served."""
    quiet = time.perf_counter()
    time.sleep(options.before)
    start = time.perf_counter()
    shutil.copytree(models / str(number - 1), models / f".{number}")
    (models / f".{number}").rename(models / str(number))
    while _states(address) != {str(number): "AVAILABLE"}:
        time.sleep(0.1)
    end = time.perf_counter()
    shutil.rmtree(models / str(number - 1))
    during, usual = load.between(start, end), load.between(quiet, start)
    return {
        "seconds": end - start,
        "p99 ms before": 1000 * subject.p99(usual),
        "p99 ms during": 1000 * subject.p99(during),
        "worst ms during": 1000 * max(during),
        "ratio": subject.p99(during) / subject.p99(usual),
    }


def _states(address: str) -> dict[str, str]:
    """Returns the states of the versions that have not ended."""
    answer = httpx.get(f"{address}/v1/models/lgn_net", timeout=300).json()
    return {
        each["version"]: each["state"]
        for each in answer["model_version_status"]
        if each["state"] != "END"
    }


def memory(process: int) -> int:
    """Returns the resident bytes of a process and all below it."""
    root = Path(f"/proc/{process}")
    resident = int((root / "statm").read_text().split()[1]) * 4096
    for task in (root / "task").iterdir():
        for child in (task / "children").read_text().split():
            resident += memory(int(child))
    return resident


def _report(rows: list[dict[str, Any]], options: argparse.Namespace) -> None:
    ratios = sorted(row["ratio"] for row in rows)
    held = [row["MiB"] for row in rows]
    spent = [row["seconds"] for row in rows]
    print(
        f"{options.size} x {options.size}, width {options.width}, "
        f"{len(rows)} rollouts at {options.share:.0%} of the load that one "
        "connection brings\n"
        f"p99 during / before: {statistics.median(ratios):.2f} "
        f"({ratios[0]:.2f} to {ratios[-1]:.2f}); "
        f"worst request {max(row['worst ms during'] for row in rows):.0f} ms\n"
        f"seconds of a rollout: {statistics.median(spent):.1f}"
        f"\nMiB of all processes: {held[0]:.0f} after the first, "
        f"{held[-1]:.0f} after the last, {max(held):.0f} at most"
    )
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
