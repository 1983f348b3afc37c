"""The soak test in two minutes; `make trust` runs all of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

THEMES = "training-kills,kills,read-only,requests"
"""Those that find most in a short time."""


@pytest.mark.slow
def test_a_few_cases_of_the_telling_themes(tmp_path):
    # In a process of its own: it forks, and no thread must run beside.
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.soak", "--only", THEMES),
            *("--scale", "0.005", "--keep", str(tmp_path)),
        ],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT}/serving"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    rows = [line for line in done.stdout.splitlines() if line[:1] == "|"]
    # The head, its rule, and a row for each command of most themes.
    assert len(rows) > 14
