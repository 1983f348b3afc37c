"""Answers that their clients do not take, and connections that are ended."""

import contextlib
import socket

import pytest

from lgn_serving.failure import Failure
from lgn_serving.protocols import departures
from lgn_serving.protocols.departures import Departures
from lgn_serving.protocols.grpc_sockets import address_of, hang_up


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(departures, "_PATIENCE", 0.0)


@pytest.mark.usefixtures("impatient")
def test_the_oldest_answer_of_the_greediest_host_makes_way():
    ended = []
    held = Departures(100)

    def add(host, size, name):
        return held.add(host, size, lambda: ended.append(name))

    add("a", 30, "a1")
    add("b", 20, "b1")
    add("b", 20, "b2")
    add("a", 30, "a2")
    assert not ended and held.held == 100
    add("c", 10, "c1")
    assert ended == ["a1"] and held.held == 80
    add("c", 50, "c2")
    # Now host b holds the most, and host c would hold more.
    assert ended == ["a1", "b1", "a2"] and held.held == 80


def test_new_answers_do_not_make_way():
    held = Departures(10**6)
    first = held.add("a", 600_000, pytest.fail)
    with pytest.raises(Failure) as caught:
        held.add("b", 600_000, pytest.fail)
    assert caught.value.code == "RESOURCE_EXHAUSTED"
    # A small one has a place all the same.
    small = held.add("b", 2**16, pytest.fail)
    held.add("b", 2**16, pytest.fail).release()
    for each in (first, small, small):
        each.release()
    assert held.held == 0
    held.add("b", 600_000, pytest.fail)


@pytest.mark.usefixtures("impatient")
def test_an_answer_above_the_bound_goes_alone():
    ended = []
    held = Departures(100)
    held.add("a", 10, lambda: ended.append(1))
    held.add("b", 1000, lambda: ended.append(2))
    assert ended == [1] and held.held == 1000


@pytest.mark.parametrize(
    ("family", "host", "form"),
    [
        (socket.AF_INET, "127.0.0.1", "ipv4:127.0.0.1:{}"),
        (socket.AF_INET6, "::1", "ipv6:%5B::1%5D:{}"),
        # A server of both families sees the addresses of the older one so.
        (socket.AF_INET6, "127.0.0.1", "ipv4:127.0.0.1:{}"),
        (socket.AF_INET6, "127.0.0.1", "ipv6:%5B::ffff:127.0.0.1%5D:{}"),
    ],
)
def test_one_connection_is_ended(family, host, form):
    with contextlib.ExitStack() as opened:
        listener = opened.enter_context(socket.socket(family))
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(("::" if family == socket.AF_INET6 else host, 0))
        listener.listen()
        port = listener.getsockname()[1]
        lines = []
        for _ in range(3):
            line = socket.create_connection((host, port), 20)
            lines.append(opened.enter_context(line))
            opened.enter_context(listener.accept()[0])
        peer = form.format(lines[1].getsockname()[1])
        assert not hang_up(peer, port + 1)
        assert hang_up(peer, port)
        assert lines[1].recv(1) == b""
        for line in (lines[0], lines[2]):
            line.setblocking(False)
            with pytest.raises(BlockingIOError):
                line.recv(1)


@pytest.mark.parametrize("peer", ["unix:/tmp/a", "unix:", "", "ipv4:a:b"])
def test_no_address(peer):
    assert address_of(peer) is None
    assert not hang_up(peer, 1)
