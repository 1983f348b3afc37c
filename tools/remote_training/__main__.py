"""The commands, see the package."""

import argparse
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

from tools.remote_training import parcels


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one step of the way there and back."""
    options = vars(_parser().parse_args(arguments))
    command = options.pop("command")
    try:
        if command == "pack":
            parcels.pack(**options)
        elif command == "home":
            from tools.remote_training import home

            home.bring(**options)
        elif command == "train":
            # Imported here: it chooses the backend.
            from tools.remote_training import card

            card.train(**options)
        else:
            from tools.remote_training import card

            card.score(**options)
    except (ValueError, OSError, tarfile.TarError) as error:
        print(f"remote_training: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.remote_training",
        description="Full-size training on a lent accelerator.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    pack = commands.add_parser("pack", help="at home: the data, in packs")
    pack.add_argument("data_root", type=Path)
    pack.add_argument("out", type=Path)
    train = commands.add_parser("train", help="there: measure, then train")
    train.add_argument("seconds", type=float, help="of everything, from now")
    score = commands.add_parser("score", help="there: score the test videos")
    for command in (train, score):
        command.add_argument("packs", type=Path, nargs="+")
        command.add_argument("--work", type=Path, required=True)
        command.add_argument("--out", type=Path, required=True)
    train.add_argument("--preset", default="ped2", help="default: ped2")
    train.add_argument(
        "--lite", action="store_true", help="small: a trial run on a CPU"
    )
    train.add_argument(
        "--set",
        nargs="*",
        default=[],
        metavar="SECTION.FIELD=JSON",
        help="settings, such as training.seed=1",
    )
    train.add_argument(
        "--reserve",
        type=float,
        default=60.0,
        help="seconds of these for calibration and files (default: 60)",
    )
    home = commands.add_parser("home", help="at home: a run directory")
    home.add_argument("out", type=Path, help="what came back")
    home.add_argument("data_root", type=Path)
    home.add_argument("run_dir", type=Path)
    return parser


if __name__ == "__main__":
    sys.exit(main())
