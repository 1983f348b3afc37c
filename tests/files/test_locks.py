"""One process at a time."""

import fcntl
import threading

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
