"""What is written appears whole or not at all."""

import errno
import os
import shutil

import pytest

from lgn_tf import atomic


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_file_takes_the_place_of_the_old_one(tmp_path):
    path = tmp_path / "values.bin"
    atomic.write_bytes(path, b"old")
    atomic.write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "values.bin"
    atomic.write_bytes(path, b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        atomic.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_takes_the_place_of_the_old_one(tmp_path):
    path = tmp_path / "below" / "result"
    for name in ("first", "second"):
        with atomic.folder(path) as partial:
            (partial / name).touch()
            assert not (path / name).exists()
    assert [file.name for file in path.iterdir()] == ["second"]
    assert list(path.parent.iterdir()) == [path]


def test_an_error_leaves_the_old_folder(tmp_path):
    path = tmp_path / "result"
    with atomic.folder(path) as partial:
        (partial / "first").touch()
    with pytest.raises(OSError, match="No space left"):
        with atomic.folder(path) as partial:
            (partial / "second").touch()
            full()
    assert [file.name for file in path.iterdir()] == ["first"]
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_removed(tmp_path):
    path = tmp_path / "result"
    interrupted = atomic.folder(path)
    left = interrupted.__enter__()
    (left / "half").touch()
    assert not path.exists()
    with atomic.folder(path) as partial:
        (partial / "whole").touch()
    assert [file.name for file in path.iterdir()] == ["whole"]
    assert list(tmp_path.iterdir()) == [path]


def test_what_would_not_fit_is_refused(tmp_path):
    free = shutil.disk_usage(tmp_path).free
    atomic.require_space(tmp_path, free // 2)
    with pytest.raises(OSError, match=r"No space left on device: .* free") as e:
        atomic.require_space(tmp_path, 2 * free)
    assert e.value.errno == errno.ENOSPC
    assert e.value.filename == str(tmp_path)
