"""Environments in which a wheel is installed."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from tools.check_wheel.processes import run

_INSTALL = ("--disable-pip-version-check", "install", "--quiet")


def beside(wheel: Path, folder: Path) -> None:
    """Makes an environment that reads the dependencies of this one.

    Args:
        wheel: is installed in it, without its dependencies.
        folder: of the environment.
    """
    run([sys.executable, "-m", "venv", "--without-pip", str(folder)])
    python = str(folder / "bin/python")
    pip = [sys.executable, "-m", "pip", "--python", python, *_INSTALL]
    run([*pip, "--no-index", "--no-deps", str(wheel)])
    # Of a folder that is named in a .pth file, Python reads no .pth files: an
    # editable installation of the checkout stays out.
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / "reused.pth").write_text(sysconfig.get_path("purelib") + "\n")


def clean(wheel: Path, folder: Path, python: str, lock: Path) -> None:
    """Makes an environment of locked dependencies and the wheel.

    Args:
        wheel: is installed in it, without its dependencies.
        folder: of the environment.
        python: the interpreter.
        lock: what else is installed.
    """
    run([python, "-m", "venv", str(folder)])
    pip = [str(folder / "bin/python"), "-m", "pip", *_INSTALL]
    run([*pip, "-r", str(lock)])
    run([*pip, "--no-deps", str(wheel)])
    # The ranges of the wheel must allow what is locked.
    run([str(folder / "bin/python"), "-m", "pip", "check"])


def missing(python: str) -> bool:
    """Tells whether an interpreter is absent; a shim alone is none."""
    path = shutil.which(python)
    return path is None or bool(
        subprocess.run([path, "-c", ""], capture_output=True).returncode
    )
