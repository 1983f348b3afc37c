"""The READMEs of serving/: their links, their commands and their programs."""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from lgn_client import client
from lgn_tf.cli import main
from lgn_tf.files import media
from tests.serving.client.test_client import moving
from tests.serving.test_packages import PROJECT

ROOT = Path(__file__).parents[2]
SERVING = ROOT / "serving"
CLIENT = (SERVING / "lgn_client/README.md").read_text()
SERVER = (SERVING / "lgn_serving/README.md").read_text()


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def test_every_room_has_a_page():
    for room in SERVING.iterdir():
        if room.is_dir():
            assert (room / "README.md").is_file(), room


@pytest.fixture
def videos(tmp_path, monkeypatch):
    """Goes to a folder with the videos that the client's page names."""
    media.write_video(tmp_path / "tonight.avi", moving(8))
    (tmp_path / "frames").mkdir()
    for number, frame in enumerate(moving(5), 1):
        cv2.imwrite(str(tmp_path / f"frames/{number}.png"), frame)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_commands_of_the_client(videos, moving_server):
    script = videos / "lgn-client"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m lgn_client "$@"\n')
    script.chmod(0o755)
    # What `pip install` writes runs the same function.
    assert PROJECT["scripts"]["lgn-client"] == "lgn_client.client:main"
    (commands,) = blocks(CLIENT, "bash")
    commands = commands.splitlines()
    assert len(commands) == 4
    rows = []
    for command in commands:
        command = command.replace(":8500", f":{moving_server.grpc_port}")
        if "--server" not in command:
            address = f"http://127.0.0.1:{moving_server.rest_port}"
            command = f"{command} --server {address}"
        command = command.replace("python ", f"{sys.executable} ")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            env=os.environ | {"PATH": f"{videos}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        rows.append(len(done.stdout.splitlines()))
    # The second writes a file.
    assert rows == [5, 0, 5, 2]
    assert len(Path("scores.csv").read_text().splitlines()) == 5


def test_the_command_behind_a_proxy():
    (command,) = re.findall(r"LGN_TOKEN=\S+ lgn-client (.*)", CLIENT)
    options = client._parser().parse_args(shlex.split(command))
    assert options.ca_file == Path("tls.crt")


def test_what_a_client_without_tensorflow_installs():
    (packages,) = re.findall(r"\npip install (grpcio .*)", CLIENT)
    extra = PROJECT["optional-dependencies"]["client"]
    assert packages.split() == [re.match(r"[\w-]+", each)[0] for each in extra]


def run(program):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(program, "README.md", "exec"), {})
    return printed.getvalue()


@pytest.mark.usefixtures("videos")
def test_program_of_the_client(moving_server):
    (program,) = blocks(CLIENT, "python")
    lines = run(
        program.replace(":8501", f":{moving_server.rest_port}")
    ).splitlines()
    assert [line.split()[0] for line in lines] == ["4", "5", "6", "7"]


def test_program_of_the_server(tmp_path, toy_dir, monkeypatch):
    (tmp_path / "saved_models").mkdir()
    toy_dir.rename(tmp_path / "saved_models/lgn_net")
    monkeypatch.chdir(tmp_path)
    (program,) = blocks(SERVER, "python")
    program = program.replace("=8501", "=0").replace("=8500", "=0")
    assert "'state': 'AVAILABLE'" in run(program)


def test_flags_of_the_server(capsys):
    with pytest.raises(SystemExit):
        main.main(["serve", "--help"])
    known = capsys.readouterr().out
    flags = set(re.findall(r"--[a-z][a-z-]+", SERVER))
    assert len(flags) == 10
    for flag in flags:
        assert flag in known


def test_files_of_the_server():
    (tree,) = re.findall(r"## Inside\n\n```\n(.*?)```", SERVER, re.DOTALL)
    named = {line.split()[0].rstrip("/") for line in tree.splitlines()}
    folder = SERVING / "lgn_serving"
    found = {each.name for each in folder.iterdir() if each.name[0] != "_"}
    assert named == found - {"README.md", "py.typed"}
