import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks/memory/pipeline_memory.py"


@pytest.mark.slow
def test_memory_does_not_grow_with_the_data_set():
    """As many videos as ShanghaiTech has, small frames, a tenth of them."""
    done = subprocess.run(
        [sys.executable, SCRIPT, "--frames", "27450", "--size", "32", "32"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    tenth, whole = json.loads(done.stdout.splitlines()[-1])
    assert (tenth["frames"], whole["frames"]) == (2745, 27450)
    assert whole["clips"] >= 10 * tenth["clips"]
    # A batch takes half a MiB. Were they kept, there would be 1,500 MiB.
    assert whole["added_mib"] < tenth["added_mib"] + 16
    assert whole["added_mib"] < 128
