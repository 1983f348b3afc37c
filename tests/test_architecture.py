"""The structure of the package is the one docs/architecture.md draws."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lgn_tf"
LINE = re.compile(r"^  ([\w/]+\.py) +([PBAD])  \S", re.MULTILINE)
HEAVY = {
    *("keras", "tensorflow", "tensorflow_io", "tensorflow_serving"),
    *("jax", "torch"),
}
# Modules that may import TensorFlow, and then only inside a function, but for
# the one that is tf.data from end to end.
TENSORFLOW = {
    "data/frames.py",
    "data/decoding.py",
    "data/pictures.py",
    "data/pipeline.py",
    "endpoints.py",
    "exporting.py",
    "intake.py",
    "replicas.py",
    "serving/grpc_api.py",
    "serving/metadata.py",
    "serving/model_settings.py",
    "serving/servable.py",
    "warm_up.py",
    "telemetry.py",
}
AT_THE_TOP = {"data/pipeline.py"}

TREE = LINE.findall((ROOT / "docs/architecture.md").read_text())
ORDER = [name for name, _ in TREE]
FLOOR = dict(TREE)


def imports(path):
    """Yields (module, whether at the top of the file) of every import."""
    tree = ast.parse(path.read_text())
    top = set(tree.body)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node in top
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node in top


def module_file(name):
    """Returns the file in the package that an import names, or None."""
    parts = name.split(".")
    while len(parts) > 1:
        path = Path(*parts[1:]).with_suffix(".py")
        if (PACKAGE / path).is_file():
            return path.as_posix()
        parts.pop()
    return None


def test_every_module_is_in_the_tree():
    files = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if path.name != "__init__.py"
    }
    assert len(ORDER) == len(set(ORDER))
    assert set(ORDER) == files


@pytest.mark.parametrize("name", ORDER)
def test_imports_point_one_way(name):
    above = set(ORDER[: ORDER.index(name)])
    for module, _ in imports(PACKAGE / name):
        if module.split(".")[0] != "lgn_tf":
            continue
        target = module_file(module)
        if target is not None:
            assert target in above, f"{name} must not import {target}"


@pytest.mark.parametrize("name", [name for name in ORDER if FLOOR[name] == "P"])
def test_the_plain_floor_needs_no_framework(name):
    for module, _ in imports(PACKAGE / name):
        assert module.split(".")[0] not in HEAVY
        target = module_file(module) if module.startswith("lgn_tf") else None
        assert target is None or FLOOR[target] == "P"


@pytest.mark.parametrize("name", ORDER)
def test_tensorflow_is_imported_late_and_in_few_places(name):
    for module, at_top in imports(PACKAGE / name):
        if module.split(".")[0].startswith("tensorflow"):
            assert name in TENSORFLOW, f"{name} must not import TensorFlow"
            late = name in AT_THE_TOP or not at_top
            assert late, f"{name} must import TensorFlow in a function"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("__init__.py")))
def test_packages_are_empty(path):
    body = ast.parse(path.read_text()).body
    assert all(isinstance(node, ast.Assign | ast.Expr) for node in body), (
        f"{path} holds more than a docstring and a version"
    )


def test_help_starts_no_framework():
    code = (
        "import sys; from lgn_tf import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        f"sys.exit(any(name in sys.modules for name in {sorted(HEAVY)}))"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
