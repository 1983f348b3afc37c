"""`lgn export`, and `lgn check-served`, which proves an export.

The imports that a command needs are inside it, so that `lgn --help` is quick.
"""

import argparse
from pathlib import Path
from typing import Any

from lgn_tf.cli import score
from lgn_tf.cli.extras import needs_serving


def add(commands: Any) -> None:
    """Adds the subcommands to those of `lgn`."""
    _add_export(commands)
    _add_check(commands)


def _add_export(commands: Any) -> None:
    parser = commands.add_parser(
        "export",
        help="write a run as a SavedModel that TensorFlow Serving runs",
        description="Writes the next version of a served model. It appears "
        "under its number whole or not at all.",
    )
    parser.add_argument(
        "--run", type=Path, required=True, dest="run_dir", help="runs/NAME"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="the folder of the versions"
    )
    parser.add_argument(
        "--version", type=int, help="default: one more than the largest"
    )
    parser.add_argument(
        "--dtype",
        choices=("float32", "mixed_bfloat16"),
        help="precision of the layers (default: the run's)",
    )
    parser.add_argument(
        "--best",
        action="store_true",
        help="the best weights by held-out videos instead of the last",
    )
    score.add_cue_weights(parser)
    _add_sizes(parser)
    parser.set_defaults(run=needs_serving(_export))


def _add_sizes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--warm-up-batches",
        type=int,
        nargs="*",
        default=(1, 8),
        metavar="ROWS",
        help="rows of the warm-up requests (default: 1 8); none for none",
    )
    parser.add_argument(
        "--max-video-frames",
        type=int,
        default=256,
        help="of one video in a request (default: 256)",
    )


def _export(options: argparse.Namespace) -> None:
    from lgn_tf.runs.run import Run

    run = Run(options.run_dir, "best" if options.best else "last")
    done = run.changed(cue_weights=score.cue_weights(options)).export(
        options.out,
        version=options.version,
        dtype=options.dtype,
        warm_up_batches=tuple(options.warm_up_batches),
        max_video_frames=options.max_video_frames,
    )
    print(done.path)
    for name, size in done.sizes.items():
        print(f"  {name}: {size:,} bytes")
    if not done.calibrated:
        print("  the run has no calibration: there is no online score")


def _add_check(commands: Any) -> None:
    parser = commands.add_parser(
        "check-served",
        help="compare served scores with those of the evaluation",
        description="Serves an export for a moment, scores the first test "
        "video over REST, and compares with what `lgn evaluate` stored.",
    )
    parser.add_argument("run_dir", type=Path, metavar="RUN")
    parser.add_argument("models", type=Path, metavar="MODELS")
    parser.set_defaults(run=needs_serving(_check))


def _check(options: argparse.Namespace) -> None:
    from lgn_tf.exporting import check_served
    from lgn_tf.runs.run import Run

    found = check_served.check(Run(options.run_dir), options.models)
    print(
        f"{found.frames} frames of {found.video}, served over REST, score "
        "what the evaluation scored:"
    )
    for name, difference in found.differences.items():
        reason = found.anew.get(name)
        words = f"; scored anew, since {reason}" if reason else ""
        print(f"  {name}: largest difference {difference:.2g}{words}")
