"""The processes of the versions end with the server, however it ends."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from lgn_serving.models import launcher
from lgn_serving.models.servable import Servable
from lgn_serving.models.settings import ModelSettings
from lgn_serving.server import EmbeddedServer
from tests.serving.server.watched import (
    is_there,
    put,
    states,
    until,
)

ROW = {"x": np.ones((1, 4), np.float32)}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_of_the_terminal_are_for_the_server_alone(
    toy_version, processes, number
):
    servable = Servable(toy_version, processes)
    parent = launcher.shared()._program.pid
    assert os.getpgid(servable._process.id) == os.getpgid(parent) == parent
    os.killpg(parent, number)
    time.sleep(0.1)
    assert servable.run("", ROW)["n"] == [0]


def test_nothing_is_left_after_stop(counter_dir, workers):
    server = EmbeddedServer(
        lambda: [ModelSettings("counter", counter_dir)], poll_seconds=0.02
    )
    server.start()
    before = workers()
    put(counter_dir, 2)
    until(lambda: len(workers()) == len(before) + 1)
    everything = workers()
    # One of them may still be loading.
    server.stop()
    assert not any(is_there(each) for each in everything)


@pytest.fixture
def own_fork_server(monkeypatch):
    """Lets the test have a fork server that no other test uses."""
    with monkeypatch.context() as patch:
        patch.setattr(launcher, "_shared", None)
        patch.setattr(launcher, "_holders", 0)
        with launcher.held():
            yield


@pytest.mark.usefixtures("own_fork_server")
def test_a_server_after_the_fork_server_was_killed(serve, toy_dir, workers):
    server = serve([ModelSettings("toy", toy_dir)])
    (worker,) = workers()
    os.kill(launcher.shared()._program.pid, signal.SIGKILL)
    until(lambda: not launcher._shared.alive)
    with server.catalogue.borrow("toy") as (_, servable):
        assert servable.run("", ROW)["n"] == [0]
    put(toy_dir, 2)
    until(lambda: states(server, "toy") == {1: "END", 2: "AVAILABLE"})
    until(lambda: not is_there(worker))


SCRIPT = """
import os, pathlib, sys, time
import httpx
from lgn_serving.models import launcher
from lgn_serving.models.settings import ModelSettings
from lgn_serving.server import EmbeddedServer

models = (ModelSettings("toy", pathlib.Path(sys.argv[1])),)
server = EmbeddedServer(lambda: models)
server.start()
url = f"http://127.0.0.1:{server.rest_port}/v1/models/toy:predict"
row = {"instances": [[1, 1, 1, 1]]}
print(httpx.post(url, json=row, trust_env=False).json()["predictions"][0]["n"])
parent = launcher.shared()._program.pid
children = open(f"/proc/{parent}/task/{parent}/children").read()
print(parent, children, flush=True)
"""


def run(tmp_path, toy_dir, end):
    """Runs a script without a guard; returns what it did."""
    script = tmp_path / "plain.py"
    script.write_text(SCRIPT + end)
    return subprocess.run(
        [sys.executable, script, toy_dir],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )


def test_a_plain_script_that_does_not_stop_its_server(tmp_path, toy_dir):
    done = run(tmp_path, toy_dir, "sys.exit(3)")
    assert done.returncode == 3, done.stderr
    # The main module was not run a second time.
    first, second = done.stdout.splitlines()
    assert first == "0"
    assert "process" not in done.stderr
    until(lambda: not any(is_there(int(each)) for each in second.split()))


FORKS = """
child = os.fork()
if not child:
    os.close(1), os.close(2), time.sleep(60), os._exit(0)
print(child, flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_server_that_is_killed_while_its_child_holds_its_sockets(
    tmp_path, toy_dir
):
    done = run(tmp_path, toy_dir, FORKS)
    assert done.returncode == -9, done.stderr
    *_, second, child = done.stdout.splitlines()
    until(lambda: not any(is_there(int(each)) for each in second.split()))
    assert is_there(int(child))
    os.kill(int(child), signal.SIGKILL)
