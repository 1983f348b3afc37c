"""The section for `results.md`: tables, words, goals, a line of JSON."""

import json
from typing import Any

from benchmarks import sections
from benchmarks.gpu.bench import (
    CONVOLUTION,
    MATRIX,
    OURS,
    TRAINING_FACTOR,
    Bench,
)
from benchmarks.gpu.precision import PRECISIONS

PRODUCT, DIRECT = f"of {MATRIX}", f"of {CONVOLUTION}"
SHARES = {
    "TFLOP/s": "tflops",
    "of the matrix rate": PRODUCT,
    "of the convolution rate": DIRECT,
    "deviation": "deviation",
}
TABLES: dict[str, tuple[str, dict[str, str]]] = {
    "rates": (
        "Rates of large products",
        {"precision": "precision", "product": "what", "by": "by"}
        | {"TFLOP/s": "tflops"},
    ),
    "forward": (
        "Windows a second",
        {"precision": "precision", "batch": "batch", "": "by"}
        | {"format": "format", "windows/s": "per_second", "ratio": "ratio"}
        | SHARES
        | {"largest deviation": "largest"},
    ),
    "latency": (
        "Latency of one window",
        {"precision": "precision", "": "by", "median ms": "ms"}
        | {"99th percentile ms": "p99_ms"},
    ),
    "scoring": (
        "Scoring a whole video",
        {"precision": "precision", "memory": "memory", "chunk": "chunk"}
        | {"frames/s": "per_second"}
        | SHARES,
    ),
    "training": (
        "Training steps",
        {"precision": "precision", "batch": "batch", "": "by"}
        | {"format": "format", "clips/s": "per_second", "ms a step": "ms"}
        | {"ratio": "ratio"}
        | SHARES,
    ),
}
"""Title of each part, and where each column comes from."""

TEXTS = frozenset({"precision", "batch", "by", "what", "format", "memory"})

LATENCY_GOAL, RATE_GOAL = 5.0, 1000.0
"""In bfloat16 on an H200: ms for one window, windows a second in batches."""


def section(bench: Bench, found: dict[str, Any]) -> str:
    """Returns the section for `results.md`, its last line JSON."""
    parts = [f"## JAX and PyTorch on {found['card']}", *words(bench, found)]
    order = [*PRECISIONS]
    for part, (title, columns) in TABLES.items():
        rows = [row for row in bench.rows if row["part"] == part]
        rows.sort(
            key=lambda row: (order.index(row["precision"]), row.get("batch", 0))
        )
        if rows:
            parts += [f"### {title}", table(rows, columns)]
    parts.append("\n".join(f"- {x}" for x in goals(bench, found["card"])))
    settings = {k: v for k, v in vars(bench.options).items() if k != "out"}
    parts.append(json.dumps(found | {"options": settings, "rows": bench.rows}))
    return "\n\n".join(parts) + "\n"


def words(bench: Bench, found: dict[str, Any]) -> list[str]:
    """Returns the paragraphs that say how the numbers came about."""
    options = bench.options
    stack = [f"{name} {version}" for name, version in found["versions"].items()]
    for name in ("driver", "CUDA", "cuDNN"):
        if found.get(name.lower()):
            stack.append(f"{name} {found[name.lower()]}")
    command = " ".join(["python -m benchmarks.gpu", *options.typed])
    return [
        f"`{command}` on {found['date']}; {', '.join(stack)}.",
        f"Windows of {options.inputs} frames of {options.size} x "
        f"{options.size}, width {options.width:g}; medians of up to "
        f"{options.runs} turns. `ratio` is to PyTorch eager in the same "
        "precision at the same batch, in the faster of two memory formats. "
        "PyTorch's bfloat16 is bfloat16 kernels and inputs in inference, "
        "`torch.autocast` in training. Operations are those of direct "
        f"convolution, {bench.least / 1e9:.4g} GFLOP for a window by itself "
        f"and {TRAINING_FACTOR} times that in training; shares are of the "
        "faster framework's rate in the same run. `deviation` is from PyTorch "
        "in float32, norm over norm: of frames, of PSNR in scoring, of the "
        "first loss in training.",
    ]


def table(rows: list[dict[str, Any]], columns: dict[str, str]) -> str:
    """Returns a Markdown table."""
    lines = []
    for row in rows:
        cells, missing = [], row.get("missing")
        for key in columns.values():
            value = row.get(key)
            if value is None and key not in TEXTS | {"chunk"} and missing:
                # In the place of the first number.
                value, missing = missing, None
            cells.append(cell(key, value))
        lines.append(cells)
    return sections.table([*columns], lines)


def cell(key: str, value: Any) -> str:
    """Returns a number in the form that its column has."""
    if value is None:
        return ""
    if isinstance(value, str) or key in TEXTS:
        return str(value)
    if key in (PRODUCT, DIRECT):
        return f"{100 * value:.0f} %"
    if key in ("deviation", "largest"):
        return f"{value:.1e}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def goals(bench: Bench, card: str) -> list[str]:
    """Returns a line for each goal, from what was measured."""
    options = bench.options
    whole = (options.size, options.inputs, options.width) == (256, 4, 1)
    ours = [
        row
        for row in bench.rows
        if row.get("by") == OURS
        and row["precision"] == "bfloat16"
        and "missing" not in row
        and whole
    ]
    single = [row for row in ours if row["part"] == "latency"]
    batches = [row for row in ours if row["part"] == "forward"]
    found = "not measured at 256 x 256 and full width"
    if single:
        found = ", ".join(
            f"{word} {row[key]:.2f} ms "
            f"({'reached' if row[key] < LATENCY_GOAL else 'missed'})"
            for row in single
            for word, key in (("median", "ms"), ("99th percentile", "p99_ms"))
        )
    lines = [f"one window under {LATENCY_GOAL:g} ms: {found}"]
    found = "not measured at 256 x 256 and full width"
    if batches:
        best = max(batches, key=lambda row: row["per_second"])
        reached = best["per_second"] >= RATE_GOAL
        found = (
            f"{best['per_second']:,.0f} at batch {best['batch']} "
            f"({'reached' if reached else 'missed'})"
        )
    lines.append(f"{RATE_GOAL:,.0f} windows a second in batches: {found}")
    return [f"Goal in bfloat16 on an H200, {x}; on {card}." for x in lines]
