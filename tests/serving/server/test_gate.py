"""The gate: what it refuses, what it delays, and for whom it keeps a part."""

import contextlib
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lgn_serving.failure import Failure, shortened
from lgn_serving.gate import Call, Gate
from lgn_serving.limits import Limits


def soon(seconds=20.0):
    return Call(time.monotonic() + seconds)


def code_of(function, *arguments):
    with pytest.raises(Failure) as caught:
        with function(*arguments):
            pass
    return caught.value.code


def test_a_body_is_counted_as_it_arrives():
    gate = Gate(Limits(body_bytes=100, buffered_bytes=200))
    with gate.body() as first, gate.body() as second, gate.body() as third:
        first.grow(90)
        second.grow(80)
        with pytest.raises(Failure, match="170 bytes of requests are held"):
            third.grow(40)
        with pytest.raises(Failure) as caught:
            second.grow(21)
        assert caught.value.http_status == 413
    with gate.body() as body:
        body.grow(100)


def test_more_memory_than_a_request_may_need():
    gate = Gate(Limits(memory_bytes=1000, pixels=100))
    assert code_of(gate.work, soon(), 751, 0) == "INVALID_ARGUMENT"
    assert code_of(gate.work, soon(), 0, 101) == "INVALID_ARGUMENT"
    assert code_of(gate.unpacked, 2**40) == "INVALID_ARGUMENT"


@pytest.mark.parametrize(("memory", "pixels"), [(700, 0), (0, 90)])
def test_a_large_request_waits_and_a_small_one_does_not(memory, pixels):
    gate = Gate(Limits(memory_bytes=1000, pixels=100))
    began = threading.Event()

    def wait():
        with gate.work(soon(), memory, pixels):
            began.set()

    with ThreadPoolExecutor(1) as pool:
        with gate.work(soon(), memory, pixels):
            waiting = pool.submit(wait)
            assert not began.wait(0.2)
            with gate.work(soon(), 100, 10):
                pass
            assert not began.is_set()
        waiting.result(20)
    assert began.is_set()


@pytest.mark.parametrize(("cores", "at_once"), [(1, 1), (3, 1), (5, 2)])
def test_requests_of_many_pixels_leave_cores_to_others(
    cores, at_once, monkeypatch
):
    """Each keeps two cores busy, and small ones run beside."""
    monkeypatch.setattr(
        os, "sched_getaffinity", lambda _: range(cores), raising=False
    )
    gate = Gate(Limits(pixels=800))
    with contextlib.ExitStack() as running:
        for _ in range(at_once):
            running.enter_context(gate.work(soon(), 0, 101))
        assert code_of(gate.work, soon(0.1), 0, 101) == "DEADLINE_EXCEEDED"
        with gate.work(soon(), 0, 100):
            pass
    with gate.work(soon(), 0, 101):
        pass


def test_a_large_request_has_its_turn_among_small_ones():
    """They come all the time, and never leave as much free as it needs."""
    gate = Gate(Limits(memory_bytes=1000))
    over = threading.Event()

    def small(start):
        time.sleep(start)
        while not over.is_set():
            with gate.work(soon(), 100, 0):
                time.sleep(0.03)

    with ThreadPoolExecutor(9) as pool:
        others = [pool.submit(small, i / 300) for i in range(9)]
        try:
            time.sleep(0.2)
            with gate.work(soon(), 700, 0):
                pass
        finally:
            over.set()
        for other in others:
            other.result(20)


def test_who_waits_for_cores_holds_up_nobody_who_needs_memory(monkeypatch):
    monkeypatch.setattr(
        os, "sched_getaffinity", lambda _: range(2), raising=False
    )
    gate = Gate(Limits(memory_bytes=1000, pixels=800))
    call = soon()
    with ThreadPoolExecutor(1) as pool, gate.work(soon(), 200, 101):
        waiting = pool.submit(code_of, gate.work, call, 200, 101)
        while not gate._waiting:
            time.sleep(0.005)
        with gate.work(soon(), 500, 0):
            pass
        gate.cancel(call)
        assert waiting.result(20) == "CANCELLED"


def test_a_wait_ends_at_the_deadline():
    gate = Gate(Limits(memory_bytes=1000))
    with gate.work(soon(), 700, 0):
        assert code_of(gate.work, soon(0.1), 700, 0) == "DEADLINE_EXCEEDED"
    # What is late does not begin, whatever is free.
    assert code_of(gate.work, soon(-1), 0, 0) == "DEADLINE_EXCEEDED"


def test_a_wait_ends_where_the_client_goes_away():
    gate = Gate(Limits(memory_bytes=1000))
    call = soon()
    with ThreadPoolExecutor(1) as pool, gate.work(soon(), 700, 0):
        waiting = pool.submit(code_of, gate.work, call, 700, 0)
        while not gate._waiting:
            time.sleep(0.005)
        gate.cancel(call)
        assert waiting.result(20) == "CANCELLED"
        assert not gate._waiting


def test_large_requests_that_wait_leave_threads_to_others():
    gate = Gate(Limits(memory_bytes=1000, in_flight=2))
    with ThreadPoolExecutor(1) as pool, gate.work(soon(), 700, 0):
        waiting = pool.submit(code_of, gate.work, soon(0.5), 700, 0)
        while not gate._waiting:
            time.sleep(0.005)
        assert code_of(gate.work, soon(), 700, 0) == "RESOURCE_EXHAUSTED"
        assert waiting.result(20) == "DEADLINE_EXCEEDED"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("short", "short"),
        ("a" * 12, "a" * 12),
        ("a" * 13, "a" * 12 + "..."),
        # Two bytes, of three characters each.
        ("ää", "ää"),
        ("äää", "ää..."),
        ("%%%%%", "%%%%..."),
        ("\ud800" * 9, "\ud800" * 4 + "..."),
    ],
)
def test_long_texts_are_cut(text, found):
    assert shortened(text, 12) == found
