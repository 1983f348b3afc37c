"""Files in folders and in object stores, by the same functions."""

import errno
import gzip
import io
import os
import sys
from pathlib import Path

import pytest

from lgn_tf.files import atomic
from lgn_tf.parallel import storage

fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")

from fsspec.implementations.memory import MemoryFileSystem  # noqa: E402


class Bucket(MemoryFileSystem):
    """An object store in memory, under the names of those in the cloud."""

    protocol = ("gs", "s3")

    @classmethod
    def _strip_protocol(cls, path):
        return f"/{path.split('://')[-1].strip('/')}"


@pytest.fixture(params=["folder", "memory://bucket", "s3://b", "gs://b/c"])
def place(request, tmp_path):
    """Returns a folder that is there, or a place in an object store."""
    for scheme in Bucket.protocol:
        fsspec.register_implementation(scheme, Bucket, clobber=True)
    MemoryFileSystem.store.clear()
    return str(tmp_path) if request.param == "folder" else request.param


def test_what_is_written_is_read(place):
    path = storage.join(place, "inner", "name.csv")
    assert path == f"{place}/inner/name.csv"
    assert not storage.exists(path)
    storage.write(path, b"first")
    storage.write(path, b"second")
    assert storage.read(path, 1000) == b"second"
    assert storage.exists(path)
    assert not storage.exists(storage.join(place, "inner"))
    storage.remove(path)
    assert not storage.exists(path)
    storage.remove(path)
    with pytest.raises(FileNotFoundError, match=path):
        storage.read(path, 1000)
    with pytest.raises(FileNotFoundError, match=path):
        list(storage.stream(path, 3))


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_only_looks_like_a_file_is_refused(tmp_path, make):
    path = str(tmp_path / "name")
    make(path)
    for read in (
        lambda path: storage.read(path, 9),
        lambda path: list(storage.stream(path, 3)),
    ):
        with pytest.raises(ValueError, match=f"{path}: must be a file"):
            read(path)


def test_a_file_is_streamed_as_it_is(place):
    """Not unpacked, whatever its name says."""
    packed = gzip.compress(bytes(range(256)), mtime=0)
    path = storage.join(place, "name.gz")
    storage.write(path, packed)
    pieces = list(storage.stream(path, 100))
    assert {len(piece) for piece in pieces[:-1]} == {100}
    assert b"".join(pieces) == storage.read(path, 1000) == packed


def test_a_connection_that_hands_out_less(monkeypatch):
    class Slow(io.BytesIO):
        def read(self, length=-1):
            return super().read(min(length, 3))

    monkeypatch.setattr(
        MemoryFileSystem, "open", lambda *_, **__: Slow(b"0123456789")
    )
    pieces = list(storage.stream("memory://name", 4))
    assert pieces == [b"0123", b"4567", b"89"]


def test_a_local_copy(place):
    storage.write(storage.join(place, "config"), b"of the run")
    with storage.local(place, ["config", "absent"]) as folder:
        assert (folder / "config").read_bytes() == b"of the run"
        assert not (folder / "absent").exists()
    assert folder.exists() != storage.is_remote(place)


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    path = str(tmp_path / "name")
    storage.write(path, b"before")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*/name'"):
        storage.write(path, b"after")
    assert [file.name for file in tmp_path.iterdir()] == ["name"]
    assert storage.read(path, 1000) == b"before"


@pytest.mark.parametrize("name", ["~", "~root/name", "a::b", "file:c"])
def test_local_names_are_no_urls(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    storage.write(name, b"here")
    assert Path(name).read_bytes() == storage.read(name, 1000) == b"here"
    assert storage.exists(name)


def refused(*_, **__):
    raise PermissionError("not for you")


class StrangeError(Exception):
    """As clients of object stores raise them."""


def strange(*_, **__):
    raise StrangeError("Anonymous caller")


@pytest.mark.parametrize(
    ("fails", "message"),
    [
        (refused, "^memory://bucket/name: not for you$"),
        (strange, "^memory://bucket/name: Anonymous caller$"),
    ],
)
def test_no_answer_is_not_an_empty_store(fails, message, monkeypatch):
    monkeypatch.setattr(MemoryFileSystem, "info", fails)
    with pytest.raises(OSError, match=message):
        storage.exists("memory://bucket/name")


def test_a_client_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "adlfs", None)
    with pytest.raises(OSError, match=r"^abfs://b/name: .*nstall adlfs"):
        storage.exists("abfs://b/name")
    with pytest.raises(OSError, match=r"^none://name: .*none"):
        storage.read("none://name", 1000)
