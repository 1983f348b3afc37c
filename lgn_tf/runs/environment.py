"""The environment of a result: versions, devices, revision, command."""

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lgn_tf.files import atomic, untrusted

PACKAGES = (
    "lgn-tf",
    "tensorflow",
    "keras",
    "jax",
    "numpy",
    "scikit-learn",
    "opencv-python-headless",
)

MOST_BYTES = 4 * untrusted.MEBIBYTE
"""Of a description; each time that a run goes on adds a kilobyte."""


def describe(backend: str, devices: list[str]) -> dict[str, Any]:
    """Returns what a reader needs to make a result again.

    Args:
        backend: of Keras.
        devices: names of the devices that are used.
    """
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "revision": revision(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "backend": backend,
        "devices": devices,
        "packages": versions(),
    }


def versions() -> dict[str, str]:
    """Returns the versions of the packages that matter, where installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def revision() -> str | None:
    """Returns the git commit of the package, `+` after it where it differs.

    None where the package is not in a git checkout.
    """
    root = Path(__file__).parents[2]
    try:
        commit = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return commit + ("+" if changed else "")


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *arguments],
        check=True,
        capture_output=True,
        text=True,
        timeout=10,
    )
    return done.stdout.strip()


def processor() -> str:
    """Returns the name of the processor, as far as the system tells."""
    path = Path("/proc/cpuinfo")
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def resumed(path: Path, environment: dict[str, Any]) -> dict[str, Any]:
    """Returns the description of a run's beginning, with that of a later part.

    Args:
        path: of the file that the beginning was written to.
        environment: of the part that goes on with the run.

    Raises:
        ValueError: naming the file, where it is damaged.
    """
    first = read(path)
    return first | {"resumed": [*first.get("resumed", ()), environment]}


def mark_weights(path: Path, words: str) -> None:
    """Writes down that the weights are not those of the run's end.

    Args:
        path: of the description of the run.
        words: which weights they are, such as `step 7 of 9`.
    """
    write(path, read(path) | {"weights": words})


def weights(path: Path, usual: str) -> str:
    """Returns which weights a run has, in words.

    Args:
        path: of the description of the run.
        usual: what is returned where nothing else is written down.

    Raises:
        ValueError: naming the file, where it is damaged.
    """
    if not path.is_file():
        return usual
    return str(read(path).get("weights", usual))


def write(path: Path, environment: dict[str, Any]) -> None:
    """Writes the description as JSON; it appears whole or not at all."""
    text = json.dumps(environment, indent=2)
    atomic.write_bytes(path, f"{text}\n".encode())


def read(path: Path) -> dict[str, Any]:
    """Reads the description of a run.

    Raises:
        OSError: where it cannot be read.
        ValueError: naming the file, where it is damaged.
    """
    found = untrusted.read_json(path, MOST_BYTES)
    for name, kind in (("resumed", list), ("weights", str)):
        if not isinstance(found.get(name, kind()), kind):
            raise ValueError(
                f"{path}: `{name}` must be a {kind.__name__}. "
                f"Found there: {found[name]!r:.80}"
            )
    return found
