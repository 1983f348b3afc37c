"""The process of a version does not grow with the requests that it answers."""

import contextlib
import gc
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import grpc
import httpx
import numpy as np
import pytest

from lgn_client import wire
from lgn_serving.failure import Failure
from lgn_serving.models.graph_session import GraphSession
from lgn_serving.models.servable import Servable
from lgn_serving.models.settings import BatchSettings, ModelSettings
from tests.serving.server.test_processes import FOREVER
from tests.serving.server.watched import resident, until

MINUTE = 60.0


@pytest.fixture
def served(exported, processes):
    return Servable(exported.path, processes)


def run(served, frames):
    deadline = time.monotonic() + MINUTE
    return served.run("", {"frames": frames}, deadline=deadline)


def growth(served, rounds: Iterable[Iterable[np.ndarray]]):
    """Returns the MB that the process takes more after each round."""
    held = []
    for requests in rounds:
        for frames in requests:
            run(served, frames)
        held.append(resident(served._process.id) / 2**20)
    return np.diff(held)


def test_only_long_requests_have_a_deadline(served, monkeypatch):
    # A graph that fails under one leaves a kilobyte behind in TensorFlow.
    told = []
    real = served._process.run

    def run_in_process(*arguments, deadline):
        told.append(deadline)
        return real(*arguments, deadline=deadline)

    monkeypatch.setattr(served._process, "run", run_in_process)
    for rows in (6, 7):
        run(served, np.zeros((rows, 5, 8, 8, 3), np.uint8))
    assert told[0] is None
    assert told[1] > time.monotonic()


@pytest.mark.slow
def test_every_size_of_a_batch_is_prepared_once(served):
    frames = np.zeros((6, 5, 8, 8, 3), np.uint8)
    sizes = [frames[:count] for count in range(1, 7)]
    found = growth(served, [sizes * 5] * 6)
    # In every thread of a pool it would be prepared again, each time less. What
    # was given back in between may be needed once more.
    assert np.median(found) < 5


def test_each_long_request_has_a_thread_of_its_own(counter_version):
    session = GraphSession(counter_version)
    threads = len(session._used)
    deadline = time.monotonic() + 2
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(threads):
            pool.submit(session.run, "", FOREVER, (), deadline)
        until(lambda: session._used == [1] * threads)
        # What is short has a thread that nobody else keeps.
        assert session.run("", {"n": np.array([3])})["n"] == [3]
        assert session._used == [1] * threads
    assert session._used == [0] * threads
    session.close()


@contextlib.contextmanager
def rings():
    """Yields a list of what only the collector could free, at the end."""
    gc.collect()
    found: list[object] = []
    gc.disable()
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found += gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


BAD = [np.zeros((1, 2), np.int64), np.zeros(3), np.zeros(0, np.int64)]
"""Refused: of another rank, of another type, and without a number."""


@pytest.mark.parametrize("batching", [None, BatchSettings(4, 0.001)])
def test_a_refused_request_is_freed_at_once(serve, counter_dir, batching):
    server = serve([ModelSettings("counter", counter_dir)], batching=batching)
    url = f"http://127.0.0.1:{server.rest_port}/v1/models/counter:predict"
    address = f"127.0.0.1:{server.grpc_port}"
    with rings() as found, grpc.insecure_channel(address) as channel:
        call = channel.unary_unary(wire.METHOD)
        for n in BAD:
            body = {"inputs": {"n": n.tolist()}}
            answer = httpx.post(url, json=body, timeout=30, trust_env=False)
            assert answer.status_code == 400
            with pytest.raises(grpc.RpcError) as caught:
                call(wire.request("counter", "", {"n": n}), timeout=30)
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        with pytest.raises(grpc.RpcError, match="deserializing"):
            call(b"\xff", timeout=30)
        # The last thread may still be leaving.
        time.sleep(0.2)
    assert not [one for one in found if isinstance(one, Failure)]
