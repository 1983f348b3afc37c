"""The commands of a wheel, run on drawn videos."""

import contextlib
import json
import re
import subprocess
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tools.check_wheel.processes import WheelError, run, surroundings

FRAMES = 30
"""Of a drawn video; the first four have no score."""

COMMANDS = (
    "lgn --help",
    "lgn-client --help",
    f"lgn synthesize --out drawn --train 3 --test 2 --frames {FRAMES}",
    "lgn train --dataset folder --data-root drawn --holdout 1 --channels 1 "
    "--image-size 16 24 --width 0.0625 --steps 4 --batch-size 2 --name wheel",
    "lgn evaluate runs/wheel",
    "lgn report runs/wheel",
    "lgn export --run runs/wheel --out models/lgn_net --warm-up-batches 1",
)
"""Each is run in the same folder, before the model is served."""

WRITTEN = (
    "runs/wheel/evaluation/results.json",
    "runs/wheel/report.html",
    "models/lgn_net/1/saved_model.pb",
)
"""Files that the commands leave there."""

_PATIENCE = 300  # Seconds that a server gets to load the model.


def check(environment: Path, version: str) -> None:
    """Runs the commands of an environment on drawn videos.

    Args:
        environment: its folder.
        version: that it must have.

    Raises:
        WheelError: naming the command that failed, with its output.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for package in ("lgn_tf", "lgn_client", "lgn_serving"):
            code = f"import {package}; print({package}.__file__)"
            where = run([_script(environment, "python"), "-c", code], folder)
            _require(str(environment.resolve()), where)
        _require(
            f"lgn-tf {version}\n",
            run([_script(environment, "lgn"), "--version"], folder),
        )
        for command in COMMANDS:
            program, *flags = command.split()
            run([_script(environment, program), *flags], folder)
        for path in WRITTEN:
            if not (folder / path).is_file():
                raise WheelError(f"the commands left no {path}")
        _check_served(environment, folder)


def _check_served(environment: Path, folder: Path) -> None:
    """Asks a server for its state and for the scores of a video."""
    with _server(environment, folder) as address:
        with urllib.request.urlopen(
            f"{address}/v1/models/lgn_net", timeout=60
        ) as answer:
            _require("AVAILABLE", json.dumps(json.load(answer)))
        client = [_script(environment, "lgn-client"), "--server", address]
        rows = run([*client, "drawn/Test/Test001"], folder).splitlines()
    scored = FRAMES - 4
    if len(rows) != 1 + scored or "psnr" not in rows[0]:
        raise WheelError(
            f"lgn-client must print a heading and {scored} rows. "
            f"Received: {len(rows)} rows, {rows[:2]}"
        )


@contextlib.contextmanager
def _server(environment: Path, folder: Path) -> Iterator[str]:
    """Serves the exported model, and hands out the address of REST."""
    process = subprocess.Popen(
        [
            *(_script(environment, "lgn"), "serve", "models/lgn_net"),
            *("--rest-port", "0", "--grpc-port", "0"),
        ],
        cwd=folder,
        env=surroundings(),
        stdout=subprocess.PIPE,
        text=True,
    )
    # Where it never says anything, it is ended, and the line is empty.
    patience = threading.Timer(_PATIENCE, process.kill)
    patience.start()
    try:
        line = process.stdout.readline() if process.stdout else ""
        patience.cancel()
        found = re.search(r"http://[^/]+", line)
        if found is None:
            raise WheelError(f"lgn serve must say where. Received: {line!r}")
        yield found[0]
        process.terminate()
        if process.wait(60) != 0:
            raise WheelError(f"lgn serve ended with {process.returncode}")
    finally:
        patience.cancel()
        process.kill()
        process.communicate()


def _script(environment: Path, name: str) -> str:
    return str(environment.resolve() / "bin" / name)


def _require(wanted: str, text: str) -> None:
    if wanted not in text:
        raise WheelError(f"{wanted!r} must be in the output. Received: {text}")
