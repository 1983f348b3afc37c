"""The processes of the versions end with the server, however it ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import numpy as np
import pytest

from lgn_serving.models import channel, launcher
from lgn_serving.models.processes import Process
from lgn_serving.models.servable import Servable
from lgn_serving.models.settings import ModelSettings
from lgn_serving.server import EmbeddedServer
from tests.serving.server.watched import (
    is_there,
    put,
    state,
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


def kill_fork_server():
    os.kill(launcher._shared._program.pid, signal.SIGKILL)
    until(lambda: not launcher._shared.alive)


@contextmanager
def asking(server):
    """Asks without pause in three threads; yields the list of the answers."""
    url = f"http://127.0.0.1:{server.rest_port}/v1/models/toy:predict"
    answers, ended = [], []

    def ask():
        with httpx.Client(trust_env=False, timeout=60) as client:
            while not ended:
                answer = client.post(url, json={"instances": [[1, 1, 1, 1]]})
                answers.append((answer.status_code, answer.text))

    with ThreadPoolExecutor(3) as pool:
        threads = [pool.submit(ask) for _ in range(3)]
        try:
            yield answers
        finally:
            ended.append(True)
    for thread in threads:
        thread.result()


@pytest.mark.usefixtures("own_fork_server")
def test_a_rollout_after_the_fork_server_was_killed(
    serve, toy_dir, workers, caplog
):
    server = serve([ModelSettings("toy", toy_dir)])
    (worker,) = workers()
    with asking(server) as answers:
        kill_fork_server()
        until(lambda: "fork server was ended by SIGKILL" in caplog.text)
        count = len(answers)
        until(lambda: len(answers) > count + 3)
        put(toy_dir, 2)
        until(lambda: states(server, "toy") == {1: "END", 2: "AVAILABLE"})
        count = len(answers)
        until(lambda: len(answers) > count + 3)
    assert {each for each in answers if each[0] != 200} == set()
    until(lambda: not is_there(worker))
    # The new one serves until the end.
    assert len(workers()) == 1
    assert caplog.text.count("fork server") == 1


@pytest.mark.usefixtures("own_fork_server")
def test_nothing_is_left_after_stop_without_the_fork_server(toy_dir, workers):
    with EmbeddedServer(lambda: [ModelSettings("toy", toy_dir)]):
        (worker,) = workers()
        kill_fork_server()
    until(lambda: not is_there(worker))


@pytest.mark.usefixtures("own_fork_server")
def test_a_version_that_dies_without_the_fork_server(serve, toy_dir, workers):
    server = serve([ModelSettings("toy", toy_dir)])
    (worker,) = workers()
    kill_fork_server()
    os.kill(worker, signal.SIGKILL)
    until(lambda: states(server, "toy") != {1: "AVAILABLE"})
    until(lambda: states(server, "toy") == {1: "AVAILABLE"})
    with server.catalogue.borrow("toy") as (_, servable):
        assert servable.run("", ROW)["n"] == [0]


@pytest.mark.usefixtures("own_fork_server")
@pytest.mark.parametrize("goes_on", [True, False])
def test_what_is_stopped_when_the_fork_server_dies(toy_version, goes_on):
    process = Process(toy_version, launcher.shared())
    process._loads = True
    process.pause()
    until(lambda: state(process.id) == "T")
    kill_fork_server()
    if goes_on:
        process.pause()
        until(lambda: state(process.id) != "T")
    process.close()
    until(lambda: not is_there(process.id))


LOADS = """
import socket, sys, time
from lgn_serving.models import worker

worker._load = lambda *_: (print("loads", flush=True), time.sleep(600))
worker.serve(socket.socket(fileno=int(sys.argv[1])))
"""


def test_a_process_that_loads_ends_with_its_line(tmp_path):
    line, other = socket.socketpair()
    with other:
        number = other.fileno()
        process = subprocess.Popen(
            [sys.executable, "-c", LOADS, str(number)],
            pass_fds=[number],
            stdout=subprocess.PIPE,
            text=True,
        )
    with line, process:
        try:
            channel.send(line, (0, tmp_path))
            assert process.stdout.readline() == "loads\n"
            line.shutdown(socket.SHUT_RDWR)
            assert process.wait(60) == 0
        finally:
            process.kill()


SLOW_IMPORT = """
import pathlib, time

pathlib.Path(__file__).with_name("begun").touch()
time.sleep(600)
"""

IMPORTS = """
import os, pathlib, sys, time

here = pathlib.Path(sys.argv[1])
sys.path.insert(0, sys.argv[1])
from lgn_serving.models import launcher

print(launcher.Launcher()._program.pid, flush=True)
while not (here / "begun").exists():
    time.sleep(0.01)
os.kill(os.getpid(), 9)
"""


def test_a_server_that_is_killed_while_its_fork_server_starts(tmp_path):
    (tmp_path / "grpc.py").write_text(SLOW_IMPORT)
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, tmp_path],
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    assert done.returncode == -9
    until(lambda: not is_there(int(done.stdout)))


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


ORPHANS = """
os.kill(parent, 9)
os.kill(os.getpid(), 9)
"""


def test_a_server_that_is_killed_after_its_fork_server(tmp_path, toy_dir):
    done = run(tmp_path, toy_dir, ORPHANS)
    assert done.returncode == -9, done.stderr
    *_, second = done.stdout.splitlines()
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
