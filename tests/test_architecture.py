"""What importing costs, and that docs/architecture.md draws every room.

Who may import whom is checked by import-linter; see pyproject.toml.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/architecture.md").read_text()
HEAVY = ("keras", "tensorflow", "tensorflow_io", "tensorflow_serving")
HEAVY += ("jax", "torch")

WITHOUT_TENSORFLOW = """
import importlib, pathlib, sys
for name in {absent!r}:
    sys.modules[name] = None
sys.path.insert(0, "serving")
for path in sorted(
    path
    for room in ("lgn_tf", "serving/lgn_serving", "serving/lgn_client")
    for path in pathlib.Path(room).rglob("*.py")
):
    if path.stem in ("__main__", *{left_out!r}):
        continue
    parts = path.with_suffix("").parts[path.parts[0] == "serving" :]
    importlib.import_module(".".join(parts).removesuffix(".__init__"))
"""


def run(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def rooms():
    """Yields every folder of code that people look for things in."""
    for top in ("lgn_tf", "serving", "benchmarks", "experiments", "tools"):
        for path in (ROOT / top).rglob("*"):
            if path.is_dir() and any(path.glob("*.py")):
                yield path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("room", sorted(rooms()))
def test_every_room_is_on_the_page(room):
    name = re.escape(room.rpartition("/")[2])
    assert re.search(rf"(?m)^\s*{name}/\s+\S", PAGE), f"{room} is missing"


def test_nothing_but_tf_data_imports_tensorflow_when_it_is_imported():
    """The model trains on JAX where there is no TensorFlow."""
    code = WITHOUT_TENSORFLOW.format(
        absent=(
            *("tensorflow", "tensorflow_io", "tensorflow_serving"),
            "apache_beam",
        ),
        left_out=("tf_data", "beam_pipeline"),
    )
    run(code, KERAS_BACKEND="jax")


def test_help_starts_no_framework():
    run(
        "import sys; from lgn_tf.cli import main\n"
        "try: main.main(['--help'])\n"
        "except SystemExit: pass\n"
        f"sys.exit(any(name in sys.modules for name in {HEAVY}))"
    )


def test_what_the_page_points_at_is_there():
    table = PAGE[PAGE.index("| Where is") : PAGE.index("## Rules")]
    paths = re.findall(r"`([\w/]+\.py)`(?:: `(\w+)`)?", table)
    assert len(paths) > 5
    for path, name in paths:
        found = list(ROOT.rglob(path)) if "/" not in path else [ROOT / path]
        assert found and found[0].is_file(), path
        assert not name or f"def {name}(" in found[0].read_text(), path
