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

from lgn_tf.files import atomic, scratch


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_file_takes_the_place_of_the_old_one(tmp_path):
    path = tmp_path / "values.bin"
    atomic.write_bytes(path, b"old")
    atomic.write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_equal_file_can_stay(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"mine")
    for contents, stays in ((b"mine", True), (b"yours", False)):
        before = path.stat()
        with atomic.replaced(path, keep_equal=True) as partial:
            partial.write_bytes(contents)
        assert path.read_bytes() == contents
        assert (path.stat().st_ino == before.st_ino) is stays
        assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "values.bin"
    atomic.write_bytes(path, b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        atomic.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def anything(path):
    """Allows a folder to be replaced."""


def test_a_folder_takes_the_place_of_the_old_one(tmp_path):
    path = tmp_path / "below" / "result"
    for name in ("first", "second"):
        with atomic.folder(path, anything) as partial:
            (partial / name).touch()
            assert not (path / name).exists()
    assert [file.name for file in path.iterdir()] == ["second"]
    assert list(path.parent.iterdir()) == [path]


def test_an_error_leaves_the_old_folder(tmp_path):
    path = tmp_path / "result"
    with atomic.folder(path) as partial:
        (partial / "first").touch()
    with pytest.raises(OSError, match="No space left") as e:
        with atomic.folder(path, anything) as partial:
            (partial / "second").touch()
            full()
    assert e.value.filename == str(path)
    assert [file.name for file in path.iterdir()] == ["first"]
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_there_stays_unless_it_may_be_replaced(tmp_path):
    path = tmp_path / "result"
    path.mkdir()
    with atomic.folder(path) as partial:
        (partial / "first").touch()
    with pytest.raises(FileExistsError, match="result exists, and is not"):
        with atomic.folder(path):
            pytest.fail("nothing is begun")

    def unless_mine(found):
        if (found / "mine").exists():
            raise FileExistsError("mine")

    with pytest.raises(FileExistsError, match="mine"):
        with atomic.folder(path, unless_mine):
            # Put there in the meantime.
            (path / "mine").touch()
    assert {file.name for file in path.iterdir()} == {"first", "mine"}
    assert list(tmp_path.iterdir()) == [path]


def test_the_old_folder_survives_a_kill_between_the_two_renames(tmp_path):
    path = tmp_path / "result"
    with atomic.folder(path) as partial:
        (partial / "first").touch()
    script = (
        "import os, pathlib, sys\n"
        "from lgn_tf.files import atomic\n"
        "rename = pathlib.Path.rename\n"
        "def killed(one, other):\n"
        "    rename(one, other)\n"
        "    os._exit(9)\n"
        "pathlib.Path.rename = killed\n"
        "with atomic.folder(pathlib.Path(sys.argv[1]), print) as new:\n"
        "    (new / 'second').touch()\n"
    )
    command = [sys.executable, "-c", script, str(path)]
    assert subprocess.run(command, stdout=subprocess.DEVNULL).returncode == 9
    assert not path.exists()
    scratch.sweep(tmp_path)
    assert [file.name for file in path.iterdir()] == ["first"]
    assert {each.name for each in tmp_path.iterdir()} == {
        path.name,
        ".result.lock",
    }


@pytest.mark.parametrize("at", [1, 2])
def test_the_old_or_the_new_folder_survives_ctrl_c(tmp_path, monkeypatch, at):
    """It comes right after the one rename, or after the other."""
    path, rename, calls = tmp_path / "result", pathlib.Path.rename, []
    with atomic.folder(path) as partial:
        (partial / "first").touch()

    def interrupted(one, other):
        rename(one, other)
        calls.append(one)
        if len(calls) == at:
            raise KeyboardInterrupt

    monkeypatch.setattr(pathlib.Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        with atomic.folder(path, anything) as partial:
            (partial / "second").touch()
    names = [file.name for file in path.iterdir()]
    assert names == [["first"], ["second"]][at - 1]
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_put_back_at_once_is_kept(tmp_path, monkeypatch):
    path, rename, calls = tmp_path / "result", pathlib.Path.rename, []
    with atomic.folder(path) as partial:
        (partial / "first").touch()

    def once(one, other):
        calls.append(one)
        if len(calls) > 1:
            raise OSError(errno.EIO, "Input/output error", str(one))
        rename(one, other)

    with monkeypatch.context() as patched:
        patched.setattr(pathlib.Path, "rename", once)
        with pytest.raises(OSError, match="Input/output error"):
            with atomic.folder(path, anything):
                pass
    assert not path.exists()
    scratch.restore(path)
    assert [file.name for file in path.iterdir()] == ["first"]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("way", ["../result", "below/..", "below/../../result"])
def test_what_is_replaced_may_be_on_the_way_to_it(tmp_path, way):
    path = tmp_path / "result"
    (path / "below").mkdir(parents=True)
    for name in ("first", "second"):
        with atomic.folder(path / way, anything) as partial:
            (partial / name).touch()
            (partial / "below").mkdir()
        assert {file.name for file in path.iterdir()} == {name, "below"}
    assert list(tmp_path.iterdir()) == [path]


def test_the_folder_at_work_has_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").touch()
    for path in (pathlib.Path(), pathlib.Path("/")):
        with pytest.raises(FileExistsError, match="is not overwritten"):
            with atomic.folder(path):
                pytest.fail("nothing is begun")
    assert {each.name for each in tmp_path.iterdir()} == {"mine"}


def test_a_link_survives_a_kill_between_the_two_renames(tmp_path):
    big, path = tmp_path / "big", tmp_path / "result"
    big.mkdir()
    old = tmp_path / f"{scratch.PREFIX}{16 * 'a'}" / scratch.OLD
    old.mkdir(parents=True)
    (old / "result").symlink_to(big)
    scratch.restore(path)
    assert path.is_symlink() and path.resolve() == big
    assert set(tmp_path.iterdir()) == {path, big}


@pytest.mark.parametrize("length", [243, 255])
def test_long_names(tmp_path, length):
    atomic.write_bytes(tmp_path / ("f" * length), b"new")
    with atomic.folder(tmp_path / ("d" * length)) as partial:
        (partial / "file").touch()
    assert len(list(tmp_path.iterdir())) == 2


def test_planted_links_are_not_followed(tmp_path):
    mine = tmp_path / "mine"
    mine.write_bytes(b"mine")
    folder = tmp_path / "shared"
    folder.mkdir()
    for name in (
        *(".partial-values.bin", "values.bin", ".result.lock"),
        ".result.partial",
    ):
        (folder / name).symlink_to(mine)
    atomic.write_bytes(folder / "values.bin", b"new")
    with pytest.raises(OSError, match="symbolic links"):
        with atomic.folder(folder / "result"):
            pass
    assert mine.read_bytes() == b"mine"
    assert (folder / "values.bin").read_bytes() == b"new"
    assert not (folder / "values.bin").is_symlink()


def test_modes_are_those_of_umask(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    before = os.umask(0o027)
    try:
        atomic.write_bytes(shared / "values.bin", b"new")
        with atomic.folder(shared / "result") as partial:
            (partial / "file").touch()
    finally:
        os.umask(before)
    modes = {
        path.name: path.stat().st_mode & 0o7777 for path in shared.rglob("*")
    }
    assert modes == {"values.bin": 0o640, "result": 0o750, "file": 0o640}


def test_the_files_of_a_folder_are_synced_before_it_appears(
    tmp_path, monkeypatch
):
    path, synced = tmp_path / "result", []
    real = os.fsync

    def note(descriptor):
        place = pathlib.Path(f"/proc/self/fd/{descriptor}").readlink()
        if not path.exists():
            synced.append(place.name)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    with atomic.folder(path) as partial:
        (partial / "below").mkdir()
        (partial / "below" / "file").touch()
    assert {"file", "below", "new"} <= set(synced)


def test_two_writers_of_one_file_do_not_tear_it(tmp_path):
    path = tmp_path / "values.bin"
    with atomic.opened(path) as first:
        first.write(b"first")
        with atomic.opened(path) as second:
            second.write(b"second")
        assert path.read_bytes() == b"second"
    assert path.read_bytes() == b"first"
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
    scratch.sweep(tmp_path)
    assert not list(tmp_path.rglob("half"))
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
