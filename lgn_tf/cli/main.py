"""The command `lgn`: one subcommand an activity.

Each command is a function in a module of this room. A module imports what its
command needs when it runs, so that `lgn --help` starts neither Keras nor
TensorFlow. A mistake of the user ends in one line on stderr and exit status 2.
"""

import importlib
import io
import os
import sys
from collections.abc import Sequence

import lgn_tf
from lgn_tf.cli import output
from lgn_tf.cli.options import INTERRUPTED, Command
from lgn_tf.files import untrusted

COMMANDS = {
    "train": ("train", "fit on normal videos; `train.py` is the same"),
    "evaluate": ("evaluate", "score and evaluate the test videos of a run"),
    "score": ("score", "score any videos: a table and maps of each"),
    "bulk-score": ("bulk", "score a frame store on many machines"),
    "report": ("report", "the evaluation of a run as one page of HTML"),
    "convert": ("convert", "the authors' PyTorch checkpoint to a run"),
    "verify": ("data", "check a data set on disk"),
    "prepare": ("data", "decode and resize a data set once"),
    "synthesize": ("data", "draw a small data set, in any layout"),
    "export": ("export", "write a run as a SavedModel for TensorFlow Serving"),
    "serve": ("serve", "serve an exported model, for development and tests"),
    "check-served": ("export", "compare served scores with the evaluation"),
}
"""The module of each command, and its line in the help."""


def main(
    arguments: Sequence[str] | None = None, program: str | None = None
) -> int:
    """Runs one subcommand.

    Args:
        arguments: what follows the command's name; default `sys.argv`.
        program: name of the subcommand's program in its help; default `lgn`
            and the name of the subcommand.

    Returns:
        The exit status: 0, 2 where the input was at fault, or 130 where the
        user stopped it.

    Raises:
        SystemExit: for `--help`, `--version` and what cannot be parsed.
    """
    name, *rest = list(sys.argv[1:] if arguments is None else arguments) or [""]
    # TensorFlow logs, as errors, that it found no second copy of CUDA's
    # libraries; what really fails is raised.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # A name on disk may hold bytes that are no UTF-8.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with output.flushed():
            return _run(name, rest, program)
    except (ValueError, OSError) as error:
        line = untrusted.one_line(error)
        print(f"lgn {name}: {line}", file=sys.stderr)
        return 2
    except MemoryError:
        print(f"lgn {name}: the memory is used up", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"lgn {name}: stopped", file=sys.stderr)
        return INTERRUPTED


def _run(name: str, rest: Sequence[str], program: str | None) -> int:
    if name in ("-h", "--help"):
        print(_help())
        raise SystemExit(0)
    if name == "--version":
        print(f"lgn-tf {lgn_tf.__version__}")
        raise SystemExit(0)
    if name not in COMMANDS:
        print(f"{_help()}\n\nlgn: no command {name!r}", file=sys.stderr)
        raise SystemExit(2)
    return _command(name)(rest, program or f"lgn {name}") or 0


def _command(name: str) -> Command:
    module = importlib.import_module(f"lgn_tf.cli.{COMMANDS[name][0]}")
    found: Command = getattr(module, name.replace("-", "_"))
    return found


def _help() -> str:
    lines = [f"  {name:<14}{line}" for name, (_, line) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: lgn [-h] [--version] COMMAND ...",
            "",
            "Video anomaly detection with LGN-Net.",
            "",
            *lines,
            "",
            "`lgn COMMAND --help` says more of each.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
