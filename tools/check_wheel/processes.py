"""Programs that are run far from any checkout."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path


class WheelError(Exception):
    """A wheel that cannot be released, with the reason."""


def surroundings() -> dict[str, str]:
    """Returns the variables of this process, without paths to a checkout."""
    ours = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    return {key: one for key, one in os.environ.items() if key not in ours}


def run(command: Sequence[str], folder: Path | None = None) -> str:
    """Runs a program to its end.

    Args:
        command: the program and its arguments.
        folder: that it runs in; default the working directory.

    Returns:
        What it wrote on stdout.

    Raises:
        WheelError: where it fails, with the end of its output.
    """
    print("$", *command, flush=True)
    done = subprocess.run(
        command,
        cwd=folder,
        env=surroundings(),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise WheelError(
            f"{' '.join(command)} ended with {done.returncode}:\n"
            f"{done.stdout[-2000:]}{done.stderr[-4000:]}"
        )
    return done.stdout
