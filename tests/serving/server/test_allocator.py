"""What the server's processes free goes back to the system."""

import os
import platform
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lgn_serving import allocator
from lgn_serving.models import channel, fork_server, launcher, worker
from lgn_tf.cli import serve

INFO = """
import ctypes, os, sys
from lgn_serving import allocator

class Info(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks",
            "fsmblks", "uordblks", "fordblks", "keepcost",
        )
    ]

library = ctypes.CDLL(None)
library.mallinfo2.restype = Info
"""

MAPPED = """
if sys.argv[1] == "given back":
    allocator.give_back_large_blocks()
if len(sys.argv) > 2 and os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
first = bytearray(16 << 20)
del first
before = library.mallinfo2().hblkhd
second = bytearray(1 << 20)
print((library.mallinfo2().hblkhd - before) >> 20)
"""


def mapped(*arguments, **environment):
    """Returns the MB that are mapped for 1 MB, after 16 MB were freed."""
    done = subprocess.run(
        [sys.executable, "-c", INFO + MAPPED, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


on_glibc = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="no glibc"
)


@on_glibc
def test_a_large_block_is_mapped_after_a_larger_one_was_freed():
    assert mapped("as always") == 0
    assert mapped("given back") == 1
    assert mapped("given back", "in a fork") == 1
    # The operator knows better.
    chosen = {"MALLOC_MMAP_THRESHOLD_": "4000000"}
    assert mapped("given back", **chosen) == 0
    tunables = "glibc.malloc.mmap_threshold=4000000"
    assert mapped("given back", GLIBC_TUNABLES=tunables) == 0


ARENAS = """
import ctypes, sys, threading
from lgn_serving import allocator

if sys.argv[1] == "one":
    allocator.share_one_arena()
library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
meeting = threading.Barrier(8)

def take():
    meeting.wait()
    assert library.malloc(ctypes.c_size_t(1000))
    meeting.wait()

threads = [threading.Thread(target=take) for _ in range(8)]
for each in threads:
    each.start()
for each in threads:
    each.join()
library.fdopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(library.fdopen(1, b"w"))
library.malloc_info(0, out)
library.fflush(out)
"""


def arenas(*arguments, **environment):
    """Returns the arenas of a process after eight threads took a block."""
    done = subprocess.run(
        [sys.executable, "-c", ARENAS, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.count("<heap nr=")


@on_glibc
def test_all_threads_share_one_arena():
    assert arenas("many") > 2
    assert arenas("one") == 1
    assert arenas("one", MALLOC_ARENA_MAX="3") == 3
    tunables = "glibc.malloc.arena_max=3"
    assert arenas("one", GLIBC_TUNABLES=tunables) == 3


CACHED = """
library.malloc.restype = ctypes.c_void_p
library.free.argtypes = [ctypes.c_void_p]
blocks = [library.malloc(ctypes.c_size_t(1000)) for _ in range(14)]
before = library.mallinfo2().uordblks
for block in blocks:
    library.free(block)
print((before - library.mallinfo2().uordblks) // 1000)
"""


@on_glibc
@pytest.mark.parametrize(
    ("chosen", "freed"),
    [
        ("", 14),
        ("glibc.malloc.arena_max=3", 14),
        ("glibc.malloc.tcache_count=7", 7),
    ],
)
def test_threads_keep_no_freed_blocks(chosen, freed, monkeypatch):
    monkeypatch.setenv("GLIBC_TUNABLES", chosen)
    given = allocator.without_thread_caches()
    assert given["GLIBC_TUNABLES"].startswith(chosen)
    done = subprocess.run(
        [sys.executable, "-c", INFO + CACHED],
        env=os.environ | given,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == freed


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc")
def test_workers_keep_no_freed_blocks(monkeypatch):
    monkeypatch.setenv("GLIBC_TUNABLES", "")
    started = launcher.Launcher()
    try:
        file = Path(f"/proc/{started._program.pid}/environ")
        variables = file.read_bytes().split(b"\0")
    finally:
        started.close()
    assert b"GLIBC_TUNABLES=glibc.malloc.tcache_count=0" in variables


PINNED = """
import os, time
from lgn_serving import allocator

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20

blocks = [bytearray(100_000) for _ in range(2_000)]
last = blocks[-1]
before = resident()
del blocks
assert resident() > before - 20
allocator.give_back_small_blocks(seconds=0.01)
end = time.monotonic() + 30
while resident() > before - 150 and time.monotonic() < end:
    time.sleep(0.01)
print(before - resident())
"""


@on_glibc
def test_small_blocks_leave_before_one_in_use():
    done = subprocess.run(
        [sys.executable, "-c", PINNED],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 150


class Called(Exception):
    pass


def test_both_processes_give_blocks_back(monkeypatch, tmp_path):
    def called():
        raise Called

    monkeypatch.setattr(allocator, "give_back_large_blocks", called)
    monkeypatch.setattr(fork_server, "_import", lambda: None)
    with pytest.raises(Called):
        serve.serve([str(tmp_path)], "lgn serve")
    monkeypatch.setattr(sys, "argv", ["fork_server", "3"])
    monkeypatch.setattr(fork_server.signal, "signal", lambda *_: None)
    monkeypatch.setattr(fork_server.socket, "socket", lambda **_: None)
    with pytest.raises(Called):
        fork_server.main()


def test_a_worker_gives_small_blocks_back(monkeypatch, tmp_path):
    def called():
        raise Called

    monkeypatch.setattr(allocator, "give_back_small_blocks", called)
    monkeypatch.setattr(worker, "_load", lambda *_: {})
    line, server = socket.socketpair()
    with line, server:
        channel.send(server, (1, tmp_path))
        with pytest.raises(Called):
            worker._Worker(line).serve()
        assert channel.receive(server) == (1, {}, None, None)


def test_the_server_gives_small_blocks_back(monkeypatch):
    steps = []

    class Server:
        def start(self):
            steps.append("started")

    def called():
        steps.append("trims")
        raise Called

    def shares():
        steps.append("one arena")

    monkeypatch.setattr(allocator, "give_back_large_blocks", lambda: None)
    monkeypatch.setattr(allocator, "share_one_arena", shares)
    monkeypatch.setattr(allocator, "give_back_small_blocks", called)
    monkeypatch.setattr(serve.gc, "freeze", lambda: None)
    monkeypatch.setattr(serve, "_server", lambda _: Server())
    with pytest.raises(Called):
        serve.serve(["folder"], "lgn serve")
    assert steps == ["one arena", "started", "trims"]
