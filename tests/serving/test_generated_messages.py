"""The generated messages are those that their .proto files define."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "serving").rglob("*.proto"))


@pytest.mark.skipif(
    importlib.util.find_spec("grpc_tools") is None,
    reason="no grpcio-tools here",
)
@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_generating_them_anew_changes_nothing(source, tmp_path):
    subprocess.run(
        [
            *(sys.executable, "-m", "grpc_tools.protoc", "--proto_path=."),
            *(f"--python_out={tmp_path}", source.relative_to(ROOT / "serving")),
        ],
        cwd=ROOT / "serving",
        check=True,
    )
    (found,) = tmp_path.rglob("*_pb2.py")
    committed = ROOT / "serving" / found.relative_to(tmp_path)
    assert committed.read_text() == found.read_text(), "run `make protos`"


def test_make_generates_every_file():
    assert len(SOURCES) == 2
    command = (ROOT / "Makefile").read_text()
    for source in SOURCES:
        assert source.relative_to(ROOT / "serving").as_posix() in command
