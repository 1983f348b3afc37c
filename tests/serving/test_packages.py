"""An extra installs what its package imports."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
IMPORTED_AS = {
    "grpcio": "grpc",
    "opencv-python-headless": "cv2",
    "protobuf": "google",
    "python-rapidjson": "rapidjson",
    "tensorflow-serving-api": "tensorflow_serving",
}


def modules(extra):
    """Returns the names that the packages of an extra are imported by."""
    found = set()
    for requirement in PROJECT["optional-dependencies"][extra]:
        name = re.match(r"[\w-]+", requirement)[0]
        if name == "lgn-tf":
            found |= modules(re.search(r"\[(\w+)\]", requirement)[1])
        else:
            found.add(IMPORTED_AS.get(name, name.replace("-", "_")))
    return found


def imports(path):
    """Yields the packages that a file imports, within functions as well."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (each.name.split(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.split(".")[0]


@pytest.mark.parametrize("name", ["client", "serving"])
def test_an_extra_is_what_its_package_imports(name):
    package = {"client": "lgn_client", "serving": "lgn_serving"}[name]
    imported = set()
    for path in (ROOT / "serving" / package).rglob("*.py"):
        imported |= set(imports(path))
    imported -= {package, *sys.stdlib_module_names}
    # tensorflow-serving-api brings TensorFlow along.
    assert imported - {"tensorflow"} <= modules(name)
    if name == "client":
        assert imported == modules(name)
