"""What is written appears whole or not at all."""

import errno
import gc
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

from lgn_tf.files import atomic


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
    script = (
        "import os, pathlib, sys\n"
        "from lgn_tf.files import atomic\n"
        "with atomic.folder(pathlib.Path(sys.argv[1])) as left:\n"
        "    (left / 'half').touch()\n"
        "    os._exit(9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(path)])
    assert killed.returncode == 9
    assert not path.exists() and list(tmp_path.rglob("half"))
    with atomic.folder(path) as partial:
        (partial / "whole").touch()
    assert [file.name for file in path.iterdir()] == ["whole"]
    assert list(tmp_path.iterdir()) == [path]


def test_two_do_not_fill_one_folder(tmp_path):
    path = tmp_path / "result"
    with atomic.folder(path) as partial:
        (partial / "first").touch()
        with pytest.raises(BlockingIOError, match="another process") as e:
            with atomic.folder(path):
                pass
        assert e.value.filename == str(path)
    assert [file.name for file in path.iterdir()] == ["first"]
    assert list(tmp_path.iterdir()) == [path]


def test_arrays_are_read_by_numpy(tmp_path):
    arrays = {"many": np.arange(12.0).reshape(3, 4), "word": np.array("yes")}
    for compressed in (False, True):
        path = tmp_path / f"{compressed}.npz"
        atomic.write_arrays(path, arrays, compressed)
        with np.load(path) as found:
            assert set(found) == set(arrays)
            for name, array in arrays.items():
                assert found[name].dtype == array.dtype
                np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("compressed", [False, True])
def test_arrays_report_a_full_disk_once(monkeypatch, compressed):
    again = []
    monkeypatch.setattr(sys, "unraisablehook", again.append)
    full_disk = pathlib.Path("/dev/full")
    noise = np.random.default_rng(0).integers(0, 256, 2**20, np.uint8)
    with pytest.raises(OSError) as e:
        atomic.write_arrays(full_disk, {"a": noise}, compressed)
    assert e.value.errno == errno.ENOSPC
    with pytest.raises(OSError) as e, full_disk.open("wb") as file:
        atomic.write_arrays(file, {"a": noise}, compressed)
    assert e.value.errno == errno.ENOSPC
    del e
    gc.collect()
    assert not again


def test_what_would_not_fit_is_refused(tmp_path):
    free = shutil.disk_usage(tmp_path).free
    atomic.require_space(tmp_path, free // 2)
    with pytest.raises(OSError, match=r"No space left on device: .* free") as e:
        atomic.require_space(tmp_path, 2 * free)
    assert e.value.errno == errno.ENOSPC
    assert e.value.filename == str(tmp_path)
