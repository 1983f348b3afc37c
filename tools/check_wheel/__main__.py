"""The command; see the package."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools import check_wheel
from tools.check_wheel import commands, contents, environments
from tools.check_wheel.processes import WheelError


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the checks.

    Returns:
        0, or 1 where the wheel cannot be released, with the reason on stderr.
    """
    options = _parser().parse_args(arguments)
    try:
        contents.check(options.wheel)
        version = contents.check_version(options.wheel, options.tag)
        print(f"{options.wheel.name}: contents and version are right")
        _check_environments(options, version)
    except WheelError as error:
        print(f"check_wheel: {error}", file=sys.stderr)
        return 1
    return 0


def _check_environments(options: argparse.Namespace, version: str) -> None:
    checked, skipped = [], []
    if options.reuse:
        with tempfile.TemporaryDirectory() as name:
            environments.beside(options.wheel, Path(name))
            commands.check(Path(name), version)
        checked.append("the environment of this program")
    for python in options.python:
        if environments.missing(python):
            skipped.append(f"{python}: is not installed")
            continue
        for lock in options.lock:
            with tempfile.TemporaryDirectory() as name:
                environments.clean(options.wheel, Path(name), python, lock)
                commands.check(Path(name), version)
            checked.append(f"{python} with {lock.name}")
    for line in checked:
        print(f"works: {line}")
    for line in skipped:
        print(f"skipped: {line}")
    if skipped and not checked:
        raise WheelError("none of the interpreters is installed")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=check_wheel.__doc__,
        prog="python -m tools.check_wheel",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("wheel", type=Path)
    parser.add_argument(
        "--reuse",
        action="store_true",
        help="run the commands on the dependencies that are installed here",
    )
    parser.add_argument(
        "--python", nargs="*", default=(), help="interpreters to install for"
    )
    parser.add_argument(
        "--lock",
        type=Path,
        nargs="*",
        default=(contents.ROOT / "requirements.lock",),
        help="of the dependencies (default: requirements.lock)",
    )
    parser.add_argument(
        "--tag", help="of a release: compare the version and the changelog"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
