"""Processes that share work: what they do, and how they end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from lgn_tf.parallel import processes as workers
from tests.helpers.signals import signal_another_thread

ROOT = Path(__file__).parents[2]
TWO = [{"LGN_WORKER": "first"}, {"LGN_WORKER": "second"}]


class Doing:
    """Work of which the name of each item says what happens."""

    def __init__(self, folder):
        self.folder = folder

    def start(self):
        who = os.environ["LGN_WORKER"]
        with (self.folder / f"start {os.getpid()}").open("a") as file:
            file.write("once")

        def do(item, report):
            (self.folder / f"{item.name} {os.getpid()}").touch()
            if item.name == "fails":
                raise ValueError("fails: not a readable video")
            if item.name == "dies":
                os.kill(os.getpid(), signal.SIGKILL)
            if item.name == "waits":
                time.sleep(600)
            if item.name == "writes":
                half = self.folder / "half"
                try:
                    half.touch()
                    time.sleep(600)
                finally:
                    half.unlink()
            if item.name == "fails later":
                self.await_files("half")
                raise ValueError("fails later")
            if item.name == "meets":
                # Done only where another process is at work on the other.
                self.await_files("meets *", 2)
            report(3)
            if item.name == "tells":
                self.await_files("told")
            return who, item.name

        return do

    def await_files(self, pattern, count=1):
        until = time.monotonic() + 60
        while len(list(self.folder.glob(pattern))) < count:
            assert time.monotonic() < until
            time.sleep(0.02)


class Unready:
    def start(self):
        raise FileNotFoundError("model.weights.h5: not there")


def items(*names):
    return [SimpleNamespace(name=name) for name in names]


def pids(folder, name):
    return [int(file.name.split()[1]) for file in folder.glob(f"{name} *")]


def require_gone(numbers):
    until = time.monotonic() + 20
    while any(map(is_alive, numbers)):
        assert time.monotonic() < until, "a process was left behind"
        time.sleep(0.05)


def is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state.split()[0] != "Z"


def test_processes_work_at_once_each_in_its_own_environment(tmp_path):
    told = []
    found = workers.run(
        Doing(tmp_path), items("meets", "meets", "last"), TWO, told.append
    )
    assert {who for who, _ in found[:2]} == {"first", "second"}
    assert [name for _, name in found] == ["meets", "meets", "last"]
    assert sum(told) == 9
    assert "LGN_WORKER" not in os.environ
    require_gone(pids(tmp_path, "meets"))


def test_each_process_starts_once(tmp_path):
    workers.run(Doing(tmp_path), items(*"abcdefgh"), TWO, print)
    started = [file.read_text() for file in tmp_path.glob("start *")]
    assert started == ["once", "once"]


def test_frames_are_told_while_an_item_is_worked_on(tmp_path):
    """The item is done only after its frames were told here."""

    def report(count):
        assert count == 3
        (tmp_path / "told").touch()

    workers.run(Doing(tmp_path), items("tells", "tells"), TWO, report)


def test_what_was_there_in_the_environment_comes_back(tmp_path, monkeypatch):
    monkeypatch.setenv("LGN_WORKER", "this one")
    workers.run(Doing(tmp_path), items("meets", "meets"), TWO, print)
    assert os.environ["LGN_WORKER"] == "this one"


def test_one_that_cannot_start_says_why():
    with pytest.raises(ValueError, match=r"^model\.weights\.h5: not there$"):
        workers.run(Unready(), items("a", "b"), TWO, print)


def test_one_that_is_stopped_removes_half_a_file(tmp_path):
    with pytest.raises(ValueError, match="fails later"):
        workers.run(Doing(tmp_path), items("writes", "fails later"), TWO, print)
    assert pids(tmp_path, "writes")
    assert not (tmp_path / "half").exists()


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("fails", ValueError, "fails: not a readable video"),
        ("dies", ChildProcessError, "dies: the process .* killed by SIGKILL"),
    ],
)
def test_one_that_goes_wrong_ends_all(name, kind, message, tmp_path):
    with pytest.raises(kind, match=message):
        workers.run(Doing(tmp_path), items("waits", name), TWO, print)
    require_gone(pids(tmp_path, "waits"))


@pytest.mark.parametrize(
    ("number", "send"),
    [
        (signal.SIGTERM, subprocess.Popen.send_signal),
        pytest.param(
            *(signal.SIGTERM, signal_another_thread),
            marks=pytest.mark.skipif(
                not Path("/proc/self/task").exists(), reason="no /proc"
            ),
        ),
        (signal.SIGKILL, subprocess.Popen.send_signal),
    ],
)
def test_nobody_is_left_behind(number, send, tmp_path):
    code = (
        "import pathlib, threading, time\n"
        "from lgn_tf.backend import signals\n"
        "from lgn_tf.parallel import processes\n"
        "from tests.parallel.test_processes import Doing, TWO, items\n"
        "idle = threading.Thread(target=time.sleep, args=[600], daemon=True)\n"
        "idle.start()\n"
        "try:\n"
        "  with signals.ended_by_sigterm():\n"
        f"    work = Doing(pathlib.Path({str(tmp_path)!r}))\n"
        "    processes.run(work, items('waits', 'waits'), TWO, print)\n"
        "except KeyboardInterrupt:\n"
        "  print('stopped')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    until = time.monotonic() + 60
    while len(pids(tmp_path, "waits")) < 2:
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.05)
    send(process, number)
    text, _ = process.communicate(timeout=30)
    require_gone(pids(tmp_path, "waits"))
    if number == signal.SIGTERM:
        assert text == "stopped\n"


def plan(monkeypatch, cores, gpus, **given):
    monkeypatch.setattr(workers, "gpus", lambda: gpus)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(cores))
    usual = {"wanted": None, "items": 9, "frames": 99_000, "small": True}
    return workers.plan(**usual | given)


def test_a_process_for_each_gpu(monkeypatch):
    found = plan(monkeypatch, 16, ["3", "5"], small=False)
    assert found == [{"CUDA_VISIBLE_DEVICES": gpu} for gpu in ("3", "5")]
    with pytest.raises(ValueError, match=r"number of GPUs, 2\. .*workers=3"):
        plan(monkeypatch, 16, ["3", "5"], wanted=3)


@pytest.mark.parametrize(
    ("given", "processes", "threads"),
    [
        ({}, 4, "2"),
        ({"small": False}, 1, None),
        ({"items": 3}, 3, "2"),
        ({"frames": 2_999}, 2, "4"),
        ({"frames": 500}, 1, None),
        ({"wanted": 2, "small": False, "frames": 500}, 2, "4"),
        ({"wanted": 1}, 1, None),
    ],
)
def test_a_process_for_each_two_cores(given, processes, threads, monkeypatch):
    found = plan(monkeypatch, 8, [], **given)
    assert len(found) == processes
    for one in found:
        assert one.get("TF_NUM_INTRAOP_THREADS") == threads


def test_less_than_one_process(monkeypatch):
    with pytest.raises(ValueError, match=r"at least 1\. Received: workers=0"):
        plan(monkeypatch, 8, [], wanted=0)


@pytest.mark.parametrize(
    ("visible", "wanted"),
    [
        (None, ["0", "1"]),
        ("1", ["1"]),
        ("GPU-aa, GPU-bb", ["GPU-aa", "GPU-bb"]),
        ("1,-1,0", ["1"]),
        ("", []),
    ],
)
def test_visible_gpus(visible, wanted, tmp_path, monkeypatch):
    command = tmp_path / "nvidia-smi"
    command.write_text("#!/bin/sh\necho GPU 0: A\necho '  MIG'\necho GPU 1: B")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert workers.gpus() == wanted


def test_no_gpus(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert workers.gpus() == []
