"""What it costs that a version is a process of its own.

    python -m benchmarks.serving.process
    python -m benchmarks.serving.process --size 256 --width 1

The same version is loaded in this process and in one of its own, without any
protocol. Both are called in turns, in another order each time. A ratio is the
median over the rounds of the seconds in the version's process divided by those
in this one. The last line is JSON.
"""

import argparse
import json
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.serving import subject

THREADS = 16


def main() -> None:
    """Exports, loads twice, calls, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    subject.add_options(parser)
    parser.set_defaults(size=32, width=0.0625)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "lgn_net"
        subject.export(models, options.size, options.width)
        rows = _measure(models / "1", options.rounds)
    print(
        f"{options.size} x {options.size}, width {options.width}\n\n"
        "| | ms in one process | ratio with a process of its own |\n"
        "|---|---|---|"
    )
    for name, row in rows.items():
        low, middle, high = row["ratio"]
        print(
            f"| {name} | {row['ms']:.1f} "
            f"| {middle:.2f} ({low:.2f} to {high:.2f}) |"
        )
    print(json.dumps(rows))


def _measure(version: Path, rounds: int) -> dict[str, Any]:
    from lgn_serving.models.graph_session import GraphSession
    from lgn_serving.models.processes import Processes
    from lgn_serving.models.servable import Servable

    processes = Processes()
    both = (GraphSession(version), Servable(version, processes))
    small, large = subject.draw(32), subject.draw(256, 256)
    cases = {
        "5 frames of 32 x 32": ("", small[None, :5], 1),
        f"the same, {THREADS} at once": ("", small[None, :5], THREADS),
        "5 frames of 256 x 256": ("", large[None, :5], 1),
        "a video of 256 frames of 256 x 256": ("score_video", large[None], 1),
    }
    try:
        return {name: _row(both, case, rounds) for name, case in cases.items()}
    finally:
        processes.close()


def _row(both: tuple[Any, Any], case: Any, rounds: int) -> dict[str, Any]:
    name, frames, at_once = case
    alone: list[float] = []
    ratios: list[float] = []
    for number in range(rounds + 1):
        order = (0, 1) if number % 2 else (1, 0)
        spent = {
            which: _seconds(both[which], name, frames, at_once)
            for which in order
        }
        # The first round prepares the graphs.
        if number:
            alone.append(spent[0])
            ratios.append(spent[1] / spent[0])
    low, middle, high = statistics.quantiles(ratios, n=4)
    return {"ms": 1000 * statistics.median(alone), "ratio": (low, middle, high)}


def _seconds(servable: Any, name: str, frames: Any, at_once: int) -> float:
    """Returns the seconds of a call, or of some that run at once."""
    start = time.perf_counter()
    if at_once == 1:
        servable.run(name, {"frames": frames})
    else:
        with ThreadPoolExecutor(at_once) as pool:
            for _ in range(2 * at_once):
                pool.submit(servable.run, name, {"frames": frames})
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
