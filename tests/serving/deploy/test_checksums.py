"""The documented commands that compare the files of a version."""

import re
import shutil
import subprocess

import pytest

from tests.serving.deploy.proxy import README

WRITE, COMPARE = re.findall(
    r"```bash\n(.*?)```",
    README.split("## A model is a program")[1],
    re.DOTALL,
)

pytestmark = pytest.mark.skipif(
    not (shutil.which("bash") and shutil.which("sha256sum")),
    reason="no bash or no sha256sum here",
)


def run(command, folder):
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        capture_output=True,
        text=True,
    )


@pytest.fixture
def version(tmp_path, exported):
    version = tmp_path / "saved_models/lgn_net/1"
    shutil.copytree(exported.path, version)
    assert run(WRITE, tmp_path).returncode == 0
    listed = (tmp_path / "lgn_net-1.sha256").read_text()
    for name in ("saved_model.pb", "variables.index", "model_card.json"):
        assert f"{name}\n" in listed
    assert run(COMPARE, tmp_path).returncode == 0
    return version


def change(version):
    path = version / "variables/variables.index"
    path.write_bytes(path.read_bytes()[:-1])
    return path


def add(version):
    path = version / "assets/more"
    path.parent.mkdir(exist_ok=True)
    path.touch()
    return path


def remove(version):
    path = version / "fingerprint.pb"
    path.unlink()
    return path


@pytest.mark.parametrize("attack", [change, add, remove])
def test_what_is_not_as_exported_is_named(version, attack, tmp_path):
    path = attack(version)
    compared = run(COMPARE, tmp_path)
    assert compared.returncode == 1
    assert path.name in compared.stdout
