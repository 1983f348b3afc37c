"""A version is a process: it loads beside the others and crashes alone."""

import contextlib
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest

from lgn_serving.failure import Failure
from lgn_serving.models.processes import Process
from lgn_serving.models.servable import Servable
from lgn_serving.models.settings import BatchSettings, ModelSettings
from tests.serving.conftest import ANSWER
from tests.serving.server.watched import (
    put,
    resident,
    seconds_used,
    state,
    states,
    until,
)

ROW = {"x": np.ones((1, 4), np.float32)}
FOREVER = {"n": np.array([10**9])}


def test_arrays_of_every_kind_pass_unchanged(toy_version, processes):
    servable = Servable(toy_version, processes)
    rows = np.arange(4_000_000, dtype=np.float32).reshape(-1, 4)
    # Rows that do not lie one behind the other, and none at all.
    for x in (rows, rows[::2], rows[:0]):
        found = servable.run("", {"x": x})
        np.testing.assert_allclose(found["y"], x[:, :1] * ANSWER, rtol=1e-5)
        assert found["n"].shape == (len(x),)


def test_requests_run_side_by_side(counter_version, processes):
    servable = Servable(counter_version, processes)
    deadline = time.monotonic() + 3
    with ThreadPoolExecutor(1) as pool:
        long = pool.submit(servable.run, "", FOREVER, deadline=deadline)
        until(processes.busy)
        assert servable.run("", {"n": np.array([3])})["n"] == [3]
        assert not long.done()
        with pytest.raises(Failure) as caught:
            long.result()
        assert caught.value.code == "DEADLINE_EXCEEDED"


def test_the_graph_stops_at_the_deadline(counter_version, processes):
    servable = Servable(counter_version, processes)
    worker = servable._process.id
    start = time.monotonic()
    with pytest.raises(Failure, match="by its deadline") as caught:
        servable.run("", FOREVER, deadline=start + 0.3)
    assert caught.value.code == "DEADLINE_EXCEEDED"
    assert time.monotonic() - start < 5
    # Whatever the deadline leaves behind is gone soon.
    until(lambda: _is_idle(worker))
    with pytest.raises(Failure, match="by its deadline"):
        servable.run("", {"n": np.array([3])}, deadline=start)
    found = servable.run("", {"n": np.array([3])}, deadline=start + 60)
    assert found["n"] == [3]


def _is_idle(process):
    before = seconds_used(process)
    time.sleep(0.3)
    return seconds_used(process) - before < 0.05


@pytest.mark.parametrize("batching", [None, BatchSettings(4, 0.001)])
def test_a_process_that_is_killed(
    serve, counter_dir, caplog, batching, workers
):
    server = serve(
        [ModelSettings("counter", counter_dir)],
        batching=batching,
        poll_seconds=0.3,
    )
    url = f"http://127.0.0.1:{server.rest_port}/v1/models/counter:predict"

    def ask(number):
        body = {"instances": [number]}
        return httpx.post(url, json=body, timeout=30, trust_env=False)

    (worker,) = workers()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(ask, 10**9)
        until(lambda: seconds_used(worker) > 0.5 and state(worker) != "Z")
        os.kill(worker, signal.SIGKILL)
        answer = running.result()
    assert answer.status_code == 503 and answer.headers["retry-after"]
    text = answer.json()["error"]
    assert text == f"{counter_dir / '1'}: its process was ended by SIGKILL"
    assert f"{text}; 1 requests failed" in caplog.text
    # It comes back by itself, and until then it is unavailable.
    statuses = set()
    until(lambda: statuses.add(ask(3).status_code) or 200 in statuses)
    assert statuses <= {200, 503}
    assert workers() != [worker] and len(workers()) == 1


def test_a_process_that_ends_while_it_loads(
    serve, counter_dir, caplog, monkeypatch
):
    monkeypatch.setattr("lgn_serving.models.version._PAUSE", 3.0)
    server = serve([ModelSettings("counter", counter_dir)])
    real = Process.load

    def load(process, others_busy):
        monkeypatch.setattr(Process, "load", real)
        os.kill(process.id, signal.SIGKILL)
        return process.load(others_busy)

    monkeypatch.setattr(Process, "load", load)
    put(counter_dir, 2)
    until(lambda: states(server).get(2) == "END")
    assert states(server)[1] == "AVAILABLE"
    assert "2: its process was ended by SIGKILL" in caplog.text
    until(lambda: states(server) == {1: "END", 2: "AVAILABLE"})


def test_memory_comes_back_with_every_rollout(serve, counter_dir, workers):
    server = serve([ModelSettings("counter", counter_dir)])
    held = []
    for number in range(2, 12):
        put(counter_dir, number)
        wanted = {number: "AVAILABLE", number - 1: "END"}
        until(lambda wanted=wanted: wanted.items() <= states(server).items())
        (worker,) = workers()
        held.append(resident(os.getpid()) + resident(worker))
    # Ten versions of 24 MB.
    assert max(held[2:]) - held[1] < 30e6


def test_a_version_that_loads_leaves_the_processors_to_requests(
    counter_version, toy_version, processes, workers
):
    counter = Servable(counter_version, processes)
    seen = set()
    with ThreadPoolExecutor(2) as pool:
        deadline = time.monotonic() + 3
        running = pool.submit(counter.run, "", FOREVER, deadline=deadline)
        until(processes.busy)
        loading = pool.submit(Servable, toy_version, processes)
        while not loading.done():
            with contextlib.suppress(FileNotFoundError):
                seen |= {state(max(workers()))}
        with pytest.raises(Failure):
            running.result()
    assert "T" in seen
    # It runs in between and afterwards.
    for _ in range(3):
        found = loading.result().run("", ROW)
        np.testing.assert_allclose(found["y"], [ANSWER], rtol=1e-5)


def test_a_pause_comes_too_late_for_a_version_that_is_loaded(
    toy_version, processes
):
    servable = Servable(toy_version, processes)
    servable._process.pause()
    processes.pause_loading()
    assert state(servable._process.id) != "T"
    servable.run("", ROW)
