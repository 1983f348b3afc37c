"""Speed against plain PyTorch and against the machine, in one run.

    python -m benchmarks.cpu
    python -m benchmarks.cpu --only "one window" training --runs 7
    python -m benchmarks.cpu --peer PATH   # a checkout of the authors' code

Same weights, inputs and number of threads; outputs are compared before any
time is taken. The candidates of a case take turns, so that a machine that
slows down slows all of them; what is printed are medians and their ratios.

The ceiling of a ratio is what direct convolution could reach: the least
operations of the network at the rate of a large convolution of the ST-LSTM's
shape, measured in the same run in the same precision. Efficiency is the share
of that rate; Winograd's convolution needs a quarter of the products, so it can
pass 1.
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from benchmarks import sections
from benchmarks.cpu import cases, timing
from benchmarks.cpu.subjects import Subjects

SECTION = "speed"


def main():
    """Measures, prints and stores."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--size", type=int, default=256, help="side in pixels")
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--runs", type=int, default=5, help="counted rounds")
    parser.add_argument("--windows", type=int, default=16, help="of a video")
    parser.add_argument("--peer", type=Path, metavar="PATH")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--only", nargs="+", choices=cases.ALL, metavar="CASE")
    parser.add_argument(
        "--no-store", action="store_true", help="leave results.md as it is"
    )
    options = parser.parse_args()
    start = time.perf_counter()
    subjects = Subjects(
        (options.size, options.size),
        width=options.width,
        checkout=options.peer,
        compiled=not options.no_compile,
    )
    rates = {dtype: timing.convolution_rate(dtype) for dtype in subjects.dtypes}
    for dtype, rate in rates.items():
        print(f"a large convolution in {dtype}: {rate / 1e9:.0f} GFLOP/s")
    found = []
    for name in options.only or cases.ALL:
        rows = cases.run(name, subjects, rates, options)
        for row in rows:
            print(" | ".join(_cells(row)), flush=True)
        found += rows
    minutes = (time.perf_counter() - start) / 60
    text = _section(found, rates, subjects, options, minutes)
    print(text)
    print(json.dumps({f"{r.case}, {r.candidate}": r.ratio for r in found}))
    if not (options.no_store or options.only):
        sections.store(SECTION, text)


def _cells(row):
    spread = f"{min(row.seconds):.3f} - {max(row.seconds):.3f}"
    return [
        row.case,
        row.candidate,
        f"{row.median:.3f} ({spread})",
        f"{row.work / row.median:.2f}",
        f"{row.ratio:.2f}",
        "" if row.ceiling is None else f"{row.ceiling:.2f}",
        "" if row.efficiency is None else f"{row.efficiency:.2f}",
    ]


def _section(found, rates, subjects, options, minutes):
    heads = (
        "case",
        "candidate",
        "seconds (lowest - highest)",
        "a second",
        "ratio",
        "ceiling of direct convolution",
        "efficiency",
    )
    measured = "; ".join(
        f"{rate / 1e9:.0f} GFLOP/s in {dtype}" for dtype, rate in rates.items()
    )
    deviations = "; ".join(
        f"{name} {value:.1e}" for name, value in subjects.deviations.items()
    )
    return "\n".join(
        [
            "## Against PyTorch, and against the machine",
            "",
            f"`python -m benchmarks.cpu` in {minutes:.1f} minutes on "
            f"{sections.machine()} {timing.threads()} threads each.",
            f"Frames of {options.size} x {options.size}, width "
            f"{options.width:g}. Peer: {subjects.peer_name}. A large "
            f"convolution: {measured}. Largest deviations from the peer: "
            f"{deviations}.",
            "",
            sections.table(heads, [_cells(row) for row in found]),
        ]
    )


if __name__ == "__main__":
    main()
