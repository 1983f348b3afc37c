"""One process at a time."""

import fcntl
import os
import subprocess
import sys
import threading

import pytest

from lgn_tf.files import locks


def test_a_lock_that_its_last_owner_removed_is_made_anew(tmp_path, monkeypatch):
    lock, tries = tmp_path / ".lock", []

    def removed_once(*how):
        tries.append(how)
        if len(tries) == 1:
            lock.unlink()

    monkeypatch.setattr(fcntl, "flock", removed_once)
    with locks.alone(lock, tmp_path):
        assert lock.exists() and len(tries) == 2
    assert not lock.exists()


def test_a_second_one_waits_where_it_is_asked_to(tmp_path):
    lock, order = tmp_path / ".lock", []

    def second():
        with locks.alone(lock, tmp_path, wait=True):
            order.append("second")

    thread = threading.Thread(target=second)
    with locks.alone(lock, tmp_path):
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"] and not lock.exists()


def test_the_process_that_holds_a_lock_is_named(tmp_path):
    lock = tmp_path / ".lock"
    with locks.alone(lock, tmp_path / "runs"):
        words = rf"another process writes it \(process {os.getpid()} on .*\)"
        with pytest.raises(BlockingIOError, match=words) as e:
            with locks.alone(lock, tmp_path / "runs"):
                pass
    assert e.value.filename == str(tmp_path / "runs")


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path):
    lock = tmp_path / ".lock"
    script = (
        "import os, pathlib, sys\n"
        "from lgn_tf.files import locks\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "with locks.alone(path, path):\n"
        "    os._exit(9)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(lock)])
    assert "process" in lock.read_text()
    with locks.alone(lock, tmp_path):
        assert f"process {os.getpid()} " in lock.read_text()
    assert not lock.exists()


def test_what_a_lock_says_cannot_harm_a_terminal(tmp_path):
    lock = tmp_path / ".lock"
    with locks.alone(lock, tmp_path):
        lock.write_bytes(b"\x1b[31mred\nnext \xff line")
        with pytest.raises(BlockingIOError) as e:
            with locks.alone(lock, tmp_path):
                pass
    assert "\x1b" not in str(e.value) and "\n" not in str(e.value)


def test_a_link_is_no_lock(tmp_path):
    mine = tmp_path / "mine"
    mine.write_text("mine")
    (tmp_path / ".lock").symlink_to(mine)
    with pytest.raises(OSError, match="symbolic links"):
        with locks.alone(tmp_path / ".lock", tmp_path):
            pass
    assert mine.read_text() == "mine"


def test_long_names_have_locks(tmp_path):
    locked = {locks.beside(tmp_path / (249 * letter)) for letter in "ab"}
    assert len(locked) == 2
    for lock in locked:
        with locks.alone(lock, tmp_path):
            assert lock.exists()


def hard_link(lock, mine):
    lock.hardlink_to(mine)


def own_file(lock, mine):
    mine.rename(lock)


def pipe(lock, _):
    os.mkfifo(lock)


@pytest.mark.parametrize("put", [hard_link, own_file, pipe])
def test_somebodys_file_is_no_lock(tmp_path, put):
    lock, mine = tmp_path / ".lock", tmp_path / "mine"
    mine.write_text("processes of mine")
    put(lock, mine)
    with pytest.raises(FileExistsError, match=r"no lock.*\.lock"):
        with locks.alone(lock, tmp_path):
            pass
    assert lock.exists()
    for file in (lock, mine):
        if file.is_file():
            assert file.read_text() == "processes of mine"


def test_the_dead_lock_of_another_user(tmp_path, monkeypatch):
    """It can be read, and neither written nor removed."""
    lock, real = tmp_path / ".lock", os.open
    lock.write_text("process 1 on elsewhere: lgn train")

    def not_mine(path, flags, *mode):
        if path == lock and flags & os.O_RDWR:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, flags, *mode)

    def unlink(path, **_):
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(os, "open", not_mine)
    monkeypatch.setattr(type(lock), "unlink", unlink)
    with locks.alone(lock, tmp_path):
        with pytest.raises(BlockingIOError):
            with locks.alone(lock, tmp_path):
                pass
    assert lock.exists()


def test_a_folder_has_one_lock_whatever_it_is_called(tmp_path):
    (tmp_path / "runs" / "a").mkdir(parents=True)
    lock = tmp_path / "runs" / ".a.lock"
    for name in ("runs/a", "runs/a/.", "runs/a/../a", "runs/a/b/.."):
        (tmp_path / "runs" / "a" / "b").mkdir(exist_ok=True)
        assert locks.beside(tmp_path / name) == lock
