"""The command `lgn`: one subcommand an activity.

    lgn demo      the main job on embedded data
    lgn convert   the authors' PyTorch checkpoint to a run directory
    lgn verify    check a data set on disk
    lgn prepare   decode and resize a data set once, into a frame store
    lgn synthesize  draw a small data set, in any layout

Each subcommand imports what it needs when it runs, so that `lgn --help` starts
neither Keras nor TensorFlow. A mistake of the user ends in one line on stderr
and exit status 2.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lgn_tf


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one subcommand.

    Args:
        arguments: what follows the command's name; default `sys.argv`.

    Returns:
        The exit status: 0, or 2 where the input was at fault.
    """
    options = _parser().parse_args(arguments)
    # TensorFlow logs, as errors, that it found no second copy of CUDA's
    # libraries; what really fails is raised.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        options.run(options)
    except (ValueError, OSError) as error:
        print(f"lgn {options.command}: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lgn",
        description="Video anomaly detection with LGN-Net.",
    )
    parser.add_argument(
        "--version", action="version", version=f"lgn-tf {lgn_tf.__version__}"
    )
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND"
    )
    _add_demo(commands)
    _add_convert(commands)
    from lgn_tf.data import commands as data_commands

    data_commands.add(commands)
    return parser


def _add_demo(commands: Any) -> None:
    parser = commands.add_parser(
        "demo", help="run the main job on embedded data"
    )
    parser.set_defaults(run=_run_demo)


def _run_demo(options: argparse.Namespace) -> None:
    del options
    from lgn_tf import demo

    demo.run()


def _add_convert(commands: Any) -> None:
    parser = commands.add_parser(
        "convert",
        help="turn the authors' PyTorch checkpoint into a run directory",
        description="Converts model.pth and keys.pt, or .npz files of the "
        "same names, into OUT, and proves that the outputs agree.",
    )
    parser.add_argument(
        "model",
        type=Path,
        help="model.pth (needs PyTorch), or model.npz with the same names",
    )
    parser.add_argument(
        "items",
        type=Path,
        help="keys.pt, the memory items, or keys.npz with one array",
    )
    parser.add_argument(
        "out", type=Path, help="run directory to write; must not exist"
    )
    parser.add_argument(
        "--image-size",
        type=int,
        nargs=2,
        default=(256, 256),
        metavar=("HEIGHT", "WIDTH"),
        help="pixels that frames are resized to (default: 256 256)",
    )
    parser.set_defaults(run=_run_convert)


def _run_convert(options: argparse.Namespace) -> None:
    from lgn_tf import conversion

    report = conversion.convert(
        options.model,
        options.items,
        options.out,
        image_size=tuple(options.image_size),
    )
    print(report)


if __name__ == "__main__":
    sys.exit(main())
