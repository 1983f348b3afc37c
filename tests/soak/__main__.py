"""Runs the themes and prints their table; see `docs/reliability.md`."""

import argparse
import gc
import importlib
import logging
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("COLUMNS", "200")

from tests.soak import bench as benches
from tests.soak import outcome
from tests.soak.bench import Bench
from tests.soak.outcome import Outcome

HEAVY = (
    *("keras", "tensorflow", "tensorflow_io", "cv2", "sklearn.metrics"),
    *("matplotlib.pyplot", "h5py", "rich.progress", "rich.table"),
    *(
        "lgn_tf.cli.train",
        "lgn_tf.training.train",
        "lgn_tf.evaluation.protocol",
    ),
    *("lgn_tf.exporting.saved_model", "lgn_tf.parallel.bulk_score"),
    *("lgn_tf.report.page", "lgn_tf.conversion.convert"),
    *("lgn_tf.cli.data", "lgn_tf.cli.evaluate", "lgn_tf.cli.bulk"),
    *("lgn_tf.cli.score", "lgn_tf.cli.export", "lgn_tf.cli.report"),
    *("lgn_tf.cli.convert", "tensorflow_serving.apis.predict_pb2"),
    *("apache_beam", "lgn_tf.parallel.beam_pipeline"),
)
"""Imported before the first fork, so that no fork has to."""

THEMES = {
    "training-kills": "training_kills",
    "kills": "kills",
    "disk": "full_disk",
    "read-only": "read_only",
    "pairs": "pairs",
    "hostile": "hostile",
    "requests": "serving.malformed",
    "connections": "serving.connections",
    "pictures": "serving.pictures",
    "rollouts": "serving.rollouts",
    "ending": "serving.ending",
    "endurance": "serving.endurance",
}
"""The module of each theme, in the order of the table."""

GROUPS = {
    "server": [
        n for n, module in THEMES.items() if module.startswith("serving")
    ]
}
"""Several themes by one name."""


def main() -> int:
    """Runs, prints the table, and returns the exit status."""
    arguments = _parser().parse_args()
    names = _names(arguments.only)
    began = time.monotonic()
    for module in HEAVY:
        _import(module)
    # What is there now is not looked at again: forks share its memory.
    gc.collect()
    gc.freeze()
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="lgn-soak-"))
    folder = folder.resolve() / f"seed-{arguments.seed}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # What commands leave in a temporary folder goes with the rest.
    os.environ["TMPDIR"] = str(folder / "temporary")
    Path(os.environ["TMPDIR"]).mkdir()
    bench = Bench(
        folder, arguments.seed, arguments.scale, arguments.keep is not None
    )
    rows: list[Outcome] = []
    try:
        benches.make_material(bench)
        for name in names:
            for row in _theme(name)(bench):
                rows.append(row)
                print(" | ".join(outcome.cells(row)), file=sys.stderr)
    finally:
        text = _text(arguments, names, rows, time.monotonic() - began)
        print(text)
        if arguments.out is not None:
            arguments.out.write_text(text + "\n", encoding="utf-8")
        if arguments.keep is None:
            shutil.rmtree(folder.parent, ignore_errors=True)
    return int(not all(row.good or row.skipped for row in rows))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak", description=__doc__
    )
    parser.add_argument(
        "--only",
        default=",".join(THEMES),
        help="some themes, with commas between: "
        + ", ".join([*THEMES, *GROUPS]),
    )
    parser.add_argument("--seed", type=int, default=0, help="of every choice")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="share of the cases"
    )
    parser.add_argument("--out", type=Path, help="file for the table")
    parser.add_argument(
        "--keep",
        type=Path,
        help="folder that keeps the first bad case of each row",
    )
    return parser


def _names(only: str) -> list[str]:
    names = [
        name for each in only.split(",") for name in GROUPS.get(each, [each])
    ]
    unknown = [name for name in names if name not in THEMES]
    if unknown:
        raise SystemExit(f"no theme {', '.join(unknown)}")
    return names


def _import(module: str) -> None:
    # Beam warns of each cloud that it finds no client for.
    logging.disable(logging.WARNING)
    try:
        importlib.import_module(module)
    except ImportError as error:
        print(f"not installed: {error.name}", file=sys.stderr)
    finally:
        logging.disable(logging.NOTSET)


def _theme(name: str) -> Callable[[Bench], Iterator[Outcome]]:
    module = importlib.import_module(f"tests.soak.{THEMES[name]}")
    found: Callable[[Bench], Iterator[Outcome]] = module.run
    return found


def _text(
    arguments: argparse.Namespace,
    names: list[str],
    rows: list[Outcome],
    seconds: float,
) -> str:
    from lgn_tf.runs import environment

    machine = (
        f"{datetime.now(UTC):%Y-%m-%d}, {environment.processor()}, "
        f"{len(os.sched_getaffinity(0))} cores, Python "
        f"{platform.python_version()}, revision {environment.revision()}, "
        f"seed {arguments.seed}, scale {arguments.scale:g}, "
        f"{seconds / 60:.0f} minutes, {', '.join(names)}"
    )
    parts = [machine, outcome.table(rows), outcome.first_cases(rows)]
    return "\n\n".join(part for part in parts if part)


if __name__ == "__main__":
    sys.exit(main())
