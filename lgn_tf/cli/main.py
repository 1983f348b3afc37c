"""The command `lgn`: one subcommand an activity.

    lgn train     fit on normal videos; `train.py` is the same
    lgn evaluate  score and evaluate the test videos of a run
    lgn score     score any videos
    lgn bulk-score  score a frame store on many machines
    lgn report    one page with the figures of a run
    lgn convert   the authors' PyTorch checkpoint to a run directory
    lgn verify    check a data set on disk
    lgn prepare   decode and resize a data set once, into a frame store
    lgn synthesize  draw a small data set, in any layout
    lgn export    write a run as a SavedModel that TensorFlow Serving runs
    lgn serve     serve an exported model, for development and tests
    lgn check-served  compare served scores with those of the evaluation

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

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


def main(
    arguments: Sequence[str] | None = None, program: str = "lgn train"
) -> int:
    """Runs one subcommand.

    Args:
        arguments: what follows the command's name; default `sys.argv`.
        program: what the help of training calls it.

    Returns:
        The exit status: 0, 2 where the input was at fault, or 130 where the
        user stopped it.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments and arguments[0] == "train":
        # Its flags are made from the configuration, by another parser.
        options = argparse.Namespace(
            command=arguments[0],
            run=_run_train,
            flags=arguments[1:],
            program=program,
        )
    else:
        parser = _parser()
        options, options.more = parser.parse_known_args(arguments)
        # Only options of other programs may be unknown to this one.
        if options.more and not getattr(options, "takes_more", False):
            parser.error(f"unrecognized arguments: {' '.join(options.more)}")
    # TensorFlow logs, as errors, that it found no second copy of CUDA's
    # libraries; what really fails is raised.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        return options.run(options) or 0
    except (ValueError, OSError) as error:
        print(f"lgn {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"lgn {options.command}: stopped", file=sys.stderr)
        return INTERRUPTED


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
    _add_train(commands)
    _add_convert(commands)
    from lgn_tf.cli import bulk, data, score
    from lgn_tf.cli import report as report_commands

    score.add(commands)
    bulk.add(commands)
    report_commands.add(commands)
    data.add(commands)
    from lgn_tf.cli import export, serve

    export.add(commands)
    serve.add(commands)
    return parser


def _add_train(commands: Any) -> None:
    # For the list of `lgn --help`; `main` takes care of the rest.
    commands.add_parser("train", help="fit on normal videos", add_help=False)


def _run_train(options: argparse.Namespace) -> int:
    from lgn_tf.cli import train_flags

    config, run = train_flags.parse(options.flags, options.program)
    run_dir = run.directory(config.data.dataset)
    import rich.progress

    from lgn_tf.data import sources
    from lgn_tf.runs import directory
    from lgn_tf.training import callbacks, train

    if run.resume is not None:
        config = directory.read_config(run_dir)
    elif not run.overwrite:
        directory.refuse_existing(run_dir)
    source = None
    # Several processes prepare one after the other, inside `train`.
    if config.training.strategy != "data_parallel":
        with rich.progress.Progress(transient=True) as bar:
            task = bar.add_task("decoding", total=None)
            source = sources.open_source(
                config,
                lambda done, total: bar.update(
                    task, completed=done, total=total
                ),
            )
        print(source.dataset.summary())
    if run.minutes is not None:
        config = _within(config, source, run.minutes)
    print(f"run directory: {run_dir}")
    try:
        train.train(
            config,
            run_dir,
            resume=run.resume is not None,
            overwrite=run.overwrite,
            source=source,
        )
    except callbacks.Interrupted as stopped:
        print(f"{stopped}; go on with: python train.py --resume {run_dir}")
        return INTERRUPTED
    return 0


def _within(config: Any, source: Any, minutes: float) -> Any:
    """Returns the configuration with as many steps as fit, and says so."""
    from lgn_tf.training import budget

    if source is None:
        raise ValueError(
            "`--minutes` measures on one machine, and several take part. "
            "Choose --steps. Received: strategy=data_parallel"
        )
    found, speed = budget.fill(config, source, 60 * minutes)
    print(
        f"a step takes {speed.step:.2f} s here: {found.training.steps} steps "
        f"in {minutes:g} minutes"
    )
    return found


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
    from lgn_tf.conversion import convert

    report = convert.convert(
        options.model,
        options.items,
        options.out,
        image_size=tuple(options.image_size),
    )
    print(report)


if __name__ == "__main__":
    sys.exit(main())
