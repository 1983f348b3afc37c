"""The soak test sees what it is there to see."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.serving.server import watched
from tests.soak import commands, contents
from tests.soak.commands import Command
from tests.soak.lanes import Ended
from tests.soak.outcome import Fault, Outcome, Tally, first_cases, table
from tests.soak.serving import bad_grpc, bad_rest, requests, session
from tests.soak.serving.endurance import a_minute

ROOT = Path(__file__).parents[2]

ENDS = """
import json, os, sys, time
from pathlib import Path
from tests.soak import lanes

root = Path(sys.argv[1])

def replace():
    # Calls: mkdir, open, fsync, rename, open.
    os.mkdir("folder")
    with open("partial", "w") as file:
        file.write("new")
        file.flush()
        os.fsync(file.fileno())
    os.replace("partial", "whole")
    open("after", "w").close()
    print("done")

def fails():
    raise ValueError("it fails")

jobs = {"undisturbed": lanes.Job(replace, root / "undisturbed")}
for at in range(5):
    jobs[f"call {at}"] = lanes.Job(replace, root / f"call {at}", kill_at=at)
jobs["late"] = lanes.Job(lambda: time.sleep(60), root / "late", kill_after=0.2)
jobs["hung"] = lanes.Job(lambda: time.sleep(60), root / "hung", seconds=0.3)
jobs["fails"] = lanes.Job(fails, root / "fails")
jobs["status"] = lanes.Job(lambda: 2, root / "status")
jobs["child"] = lanes.Job(
    lambda: os.fork() or time.sleep(60), root / "child", seconds=60
)

def scenario(name, job):
    job.folder.mkdir()
    (ended,) = yield [job]
    files = sorted(path.name for path in job.folder.iterdir())
    return name, ended.status, ended.killed, ended.hung, ended.points, files, (
        ended.out, ended.error)

results = lanes.run([scenario(*each) for each in jobs.items()])
print(json.dumps({name: rest for name, *rest in results}))
"""


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    """The ends of some processes, in a process without other threads."""
    done = subprocess.run(
        [sys.executable, "-c", ENDS, tmp_path_factory.mktemp("ends")],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout)


def test_a_process_is_killed_just_before_a_call(ends):
    status, killed, hung, points, files, (out, _) = ends["undisturbed"]
    assert (status, killed, hung, points) == (0, False, False, 5)
    assert files == ["after", "folder", "whole"]
    assert out == "done\n"
    left = [[], ["folder"], ["folder", "partial"], ["folder", "partial"]]
    left.append(["folder", "whole"])
    for at, expected in enumerate(left):
        status, killed, hung, points, files, _ = ends[f"call {at}"]
        assert (status, killed, hung, points) == (-9, True, False, at + 1)
        assert files == expected


def test_kills_hangs_and_failures_are_told_apart(ends):
    assert ends["late"][:3] == [-9, True, False]
    assert ends["hung"][:3] == [-9, False, True]
    assert ends["fails"][:3] == [1, False, False]
    assert "ValueError: it fails" in ends["fails"][5][1]
    assert ends["status"][:3] == [2, False, False]


BEGINS = """
import sys, time
from pathlib import Path
from tests.soak import lanes
from tests.soak.serving import processes

root = Path(sys.argv[1])
started = processes.start("http.server", "0", "--bind", "::1", out=root / "x")

def scenario():
    job = lanes.Job(lambda: time.sleep(60), root)
    yield [job]

real = lanes._Running.poll

def poll(running):
    print(started.pid, running._pid, flush=True)
    return real(running)

lanes._Running.poll = poll
lanes.alone(scenario())
"""


def test_nothing_outlives_a_soak_that_is_killed(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", BEGINS, tmp_path],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as soak:
        begun = [int(each) for each in soak.stdout.readline().split()]
        assert all(map(watched.is_there, begun))
        soak.kill()
    watched.until(lambda: not any(map(watched.is_there, begun)))


def ended(status=0, error="", hung=False):
    return Ended(status, hung, 1.0, 1.0, 100.0, 0, "", error)


@pytest.mark.parametrize(
    ("end", "kind", "words"),
    [
        (ended(hung=True), "dead", "hung"),
        (ended(-6, "abort"), "dead", "signal 6"),
        (ended(1, "Traceback\nValueError: x"), "wrong", "ValueError: x"),
        (ended(2, "one\ntwo"), "wrong", "2 lines"),
        (ended(2), "wrong", "0 lines"),
        (ended(0, "warning"), "wrong", "words on stderr"),
    ],
)
def test_bad_ends_are_faults(end, kind, words):
    (fault,) = commands.bad_end(end, (0, 2))
    assert fault.kind == kind
    assert words in fault.words


def test_good_ends_are_none():
    assert not list(commands.bad_end(ended(), (0,)))
    assert not list(commands.bad_end(ended(2, "lgn: no\n"), (2,)))
    assert list(commands.bad_end(ended(2, "lgn: no\n"), (0,)))


WRITER = Command("w", (), changing=("log.csv",), whole=("out",))


def left(tmp_path, files, old, new):
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    now = contents.state(tmp_path)
    found = list(commands.torn(WRITER, tmp_path, now, old, new))
    return [fault.words for fault in found], now


@pytest.fixture
def sides(tmp_path):
    """What lay there before, and what an undisturbed command leaves."""
    states = []
    for side in ("old", "new"):
        folder = tmp_path / side
        (folder / "out").mkdir(parents=True)
        for name in ("one", "out/a", "out/b"):
            (folder / name).write_text(f"{side} {name}")
        states.append(contents.state(folder))
    return states


OLD = {name: f"old {name}" for name in ("one", "out/a", "out/b")}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, []),
        ({"one": "new one"}, []),
        ({".one.partial": "half"}, []),
        ({"log.csv": "a,b\n1,2\n"}, []),
        ({"out/a": "new out/a", "out/b": "new out/b"}, []),
        ({"one": "new o"}, ["neither the old file nor the new: one"]),
        ({"more": "x"}, ["neither the old file nor the new: more"]),
        ({"log.csv": "a,b\n1"}, ["cannot be read: log.csv"]),
        ({"out/a": "new out/a"}, ["half of a folder: out"]),
        ({"one": None}, ["gone: one"]),
    ],
)
def test_what_is_torn_or_lost_is_found(tmp_path, sides, changes, words):
    files = {k: v for k, v in (OLD | changes).items() if v is not None}
    found, _ = left(tmp_path / "now", files, *sides)
    assert len(found) == len(words)
    for one, expected in zip(found, words, strict=True):
        assert one.startswith(expected)


def test_what_is_left_over_is_found(tmp_path, sides):
    new = {name: f"new {name}" for name in OLD}
    _, now = left(tmp_path / "now", new | {".x.lock": ""}, *sides)
    (fault,) = commands.differences(now, sides[1])
    assert fault.words == "left over: .x.lock"
    del now[".x.lock"]
    assert not list(commands.differences(now, sides[1]))
    assert list(commands.differences(now, sides[0]))


def test_times_do_not_count(tmp_path):
    for name, seconds in (("one", 1.0), ("two", 2.0)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "log.csv").write_text(f"epoch,seconds,loss\n1,{seconds},3\n")
        progress = json.dumps({"epoch": 1, "step": 2, "seconds": seconds})
        np.savez(folder / "snapshot.npz", w=np.ones(2), progress=progress)
    assert contents.state(tmp_path / "one") == contents.state(tmp_path / "two")
    assert contents.progress(tmp_path / "one/snapshot.npz") == (1, 2)
    np.savez(tmp_path / "two/snapshot.npz", w=np.zeros(2), progress=progress)
    assert contents.state(tmp_path / "one") != contents.state(tmp_path / "two")


def test_a_cut_file_cannot_be_read(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, w=np.ones(200))
    assert contents.unreadable(path) is None
    path.write_bytes(path.read_bytes()[:500])
    assert "a.npz" in contents.unreadable(path)
    with pytest.raises(ValueError, match="no reader"):
        contents.unreadable(tmp_path / "a.unknown")


def test_a_row_names_its_first_case():
    tally = Tally("x", 3)
    tally.add("one", [])
    tally.add("two", [Fault("lost", "a|b\nc"), Fault("lost", "d")])
    tally.add("three", [Fault("dead", "e")])
    row = tally.outcome()
    assert (row.count, row.lost, row.wrong, row.dead) == (3, 1, 0, 1)
    assert not row.good
    assert first_cases([row]) == "- x: two (seed 3): a/b?c; d"
    assert "**missed**" in table([row])
    slow = Tally("y", 3).outcome("ratio 9", met=False)
    assert not slow.good
    assert "ratio 9" in first_cases([slow])
    assert not first_cases([Outcome("z", 1), Outcome("z", 0, skipped="no")])


def test_valid_requests_that_fail_are_faults():
    good = {"times": [1.0], "wrong": 0, "hung": 0, "counts": {}}
    good |= {"first_wrong": [], "examples": {}}
    assert not list(session.load_faults(good))
    for change in (
        {"wrong": 1, "first_wrong": ["rest"]},
        {"hung": 1},
        {"counts": {"rest 500": 1}},
        {"times": []},
    ):
        assert list(session.load_faults(good | change, refusals=True))
    refused = good | {"counts": {"rest 503": 1}}
    assert list(session.load_faults(refused))
    assert not list(session.load_faults(refused, refusals=True))


def test_slopes_and_percentiles():
    assert a_minute([0, 30, 60], [5, 6, 7]) == pytest.approx(2)
    times = [0.001 * each for each in range(1000)]
    assert session.percentile(times) == pytest.approx(0.99)
    assert session.ratio(times, 0.5)[1]
    assert not session.ratio(times, 0.1)[1]


@pytest.mark.parametrize("module", [bad_rest, bad_grpc])
def test_requests_follow_from_the_seed(module):
    valid = requests.valid(0)

    def drawn(seed):
        return [
            module.draw(np.random.default_rng([seed, number]), valid)
            for number in range(200)
        ]

    one = drawn(0)
    assert one == drawn(0)
    assert one != drawn(1)
    assert len({each.kind for each in one}) > 8
    assert dataclasses.replace(one[0], kind="") != one[0]
