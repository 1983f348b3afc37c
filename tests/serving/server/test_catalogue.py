"""Versions come, go and change labels while requests run."""

import os
import shutil
import threading
import time

import pytest

from lgn_serving.failure import Failure
from lgn_serving.models.catalogue import Catalogue
from lgn_serving.models.settings import ModelSettings, version_folders


class Fake:
    def __init__(self, path):
        if (path / "broken").exists():
            raise Failure("UNKNOWN", f"{path}: broken")
        self.path = path
        self.alive = True
        self.closed = False

    def close(self):
        self.closed = True


def add(base, *numbers, broken=False):
    for number in numbers:
        folder = base / str(number)
        folder.mkdir(parents=True)
        if broken:
            (folder / "broken").touch()


def states(catalogue, name="m"):
    return {each.number: each.state for each in catalogue.status(name)}


def test_version_folders(tmp_path):
    add(tmp_path, 1, 20, 3)
    (tmp_path / "tmp-4").mkdir()
    (tmp_path / ".5").mkdir()
    (tmp_path / "6").touch()
    assert set(version_folders(tmp_path)) == {1, 20, 3}
    assert version_folders(tmp_path / "none") == {}


def test_version_folders_with_numbers_that_are_too_large(tmp_path):
    add(tmp_path, 2**63 - 1, 2**63, "9" * 20, "9" * 200)
    assert version_folders(tmp_path) == {2**63 - 1: tmp_path / str(2**63 - 1)}


def test_version_folders_with_zeros_in_front(tmp_path):
    add(tmp_path, "00000000000000000001", "0002", "02", "2", "0" * 200)
    assert version_folders(tmp_path) == {
        0: tmp_path / ("0" * 200),
        1: tmp_path / "00000000000000000001",
        2: tmp_path / "2",
    }


@pytest.mark.parametrize(
    ("settings", "served"),
    [
        ({}, {20}),
        ({"newest": 2}, {3, 20}),
        ({"newest": 0}, {1, 3, 20}),
        ({"versions": (1, 3, 4)}, {1, 3}),
    ],
)
def test_which_versions(tmp_path, settings, served):
    add(tmp_path, 1, 20, 3)
    catalogue = Catalogue(Fake)
    catalogue.update([ModelSettings("m", tmp_path, **settings)])
    assert set(states(catalogue)) == served
    with catalogue.borrow("m") as (number, _):
        assert number == max(served)


def test_an_old_version_lives_until_its_last_request_is_done(tmp_path):
    add(tmp_path, 1)
    catalogue = Catalogue(Fake)
    catalogue.update([ModelSettings("m", tmp_path)])
    with catalogue.borrow("m") as (_, old), catalogue.borrow("m"):
        add(tmp_path, 2)
        catalogue.poll()
        assert states(catalogue) == {2: "AVAILABLE", 1: "UNLOADING"}
        assert not old.closed
        with catalogue.borrow("m") as (number, _):
            assert number == 2
        with pytest.raises(Failure, match=r"Specific\(m, 1\)"):
            with catalogue.borrow("m", 1):
                pass
    assert old.closed
    assert states(catalogue) == {2: "AVAILABLE", 1: "END"}


def test_a_version_that_does_not_load_leaves_the_old_one(tmp_path):
    add(tmp_path, 1)
    catalogue = Catalogue(Fake)
    catalogue.update([ModelSettings("m", tmp_path)])
    add(tmp_path, 2, broken=True)
    catalogue.poll()
    newest, oldest = catalogue.status("m")
    assert (newest.state, newest.code) == ("END", "UNKNOWN")
    assert newest.message.endswith("2: broken")
    assert oldest.state == "AVAILABLE"
    assert catalogue.ready()


def test_a_version_that_does_not_load_is_tried_again_when_it_changes(tmp_path):
    add(tmp_path, 2, broken=True)
    tries = []

    def load(path):
        tries.append(path)
        return Fake(path)

    catalogue = Catalogue(load)
    catalogue.update([ModelSettings("m", tmp_path)])
    catalogue.poll()
    assert len(tries) == 1 and not catalogue.ready()
    (tmp_path / "2/broken").unlink()
    catalogue.poll()
    assert len(tries) == 2 and catalogue.ready()


def test_a_model_that_is_taken_off(tmp_path):
    add(tmp_path / "a", 1)
    add(tmp_path / "b", 1)
    catalogue = Catalogue(Fake)
    models = [ModelSettings(name, tmp_path / name) for name in "ab"]
    catalogue.update(models)
    catalogue.update(models[:1])
    assert states(catalogue, "a") == {1: "AVAILABLE"}
    assert states(catalogue, "b") == {1: "END"}


def test_every_borrower_finds_a_version_while_they_change(tmp_path):
    add(tmp_path, 1)
    catalogue = Catalogue(Fake)
    catalogue.update([ModelSettings("m", tmp_path)])
    ended = threading.Event()
    errors, seen = [], set()

    def borrow():
        while not ended.is_set():
            try:
                with catalogue.borrow("m") as (number, servable):
                    if servable.closed:
                        raise ValueError("closed while in use")
                    seen.add(number)
            except ValueError as error:
                errors.append(error)
                return

    threads = [threading.Thread(target=borrow) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(2, 12):
        add(tmp_path, number)
        catalogue.poll()
        # A busy machine may let no thread run meanwhile.
        deadline = time.monotonic() + 10
        while number not in seen and time.monotonic() < deadline:
            time.sleep(0.001)
    ended.set()
    for thread in threads:
        thread.join()
    assert not errors
    assert seen >= set(range(2, 12))


def test_whatever_loading_raises_ends_that_version_alone(tmp_path):
    add(tmp_path, 1, 2)

    def load(path):
        if path.name == "2":
            raise KeyError("no node of that name")
        return Fake(path)

    catalogue = Catalogue(load)
    catalogue.update([ModelSettings("m", tmp_path, newest=0)])
    broken, _ = catalogue.status("m")
    assert (broken.state, broken.code) == ("END", "UNKNOWN")
    assert "no node of that name" in broken.message
    assert states(catalogue) == {2: "END", 1: "AVAILABLE"}
    add(tmp_path, 3)
    catalogue.poll()
    assert states(catalogue)[3] == "AVAILABLE"


def test_requests_go_on_while_a_version_is_closed(tmp_path):
    add(tmp_path, 1)
    answered = []

    class Slow(Fake):
        def close(self):
            def ask():
                with catalogue.borrow("m") as (number, _):
                    answered.append(number)

            thread = threading.Thread(target=ask)
            thread.start()
            thread.join(5)
            super().close()

    catalogue = Catalogue(Slow)
    catalogue.update([ModelSettings("m", tmp_path)])
    add(tmp_path, 2)
    catalogue.poll()
    assert answered == [2]
    assert states(catalogue) == {2: "AVAILABLE", 1: "END"}


def test_what_is_being_loaded_is_closed_once_it_is_there(tmp_path):
    add(tmp_path, 1)
    begun, go_on = threading.Event(), threading.Event()
    loaded = []

    def load(path):
        begun.set()
        assert go_on.wait(10)
        loaded.append(Fake(path))
        return loaded[0]

    catalogue = Catalogue(load)
    thread = threading.Thread(
        target=catalogue.update, args=([ModelSettings("m", tmp_path)],)
    )
    thread.start()
    assert begun.wait(10)
    # It does not wait for what is being loaded.
    catalogue.close()
    assert not loaded
    go_on.set()
    thread.join()
    assert loaded[0].closed
    assert states(catalogue) == {1: "END"}


def test_a_version_that_dies_is_loaded_anew(tmp_path):
    add(tmp_path, 1)
    loaded, hold = [], threading.Event()

    def load(path):
        if loaded:
            assert hold.wait(10)
        loaded.append(Fake(path))
        return loaded[-1]

    catalogue = Catalogue(load)
    catalogue.update([ModelSettings("m", tmp_path)])
    with catalogue.borrow("m"):
        loaded[0].alive = False
        thread = threading.Thread(target=catalogue.poll)
        thread.start()
        while states(catalogue) != {1: "LOADING"}:
            time.sleep(0.01)
        for number in (None, 1):
            with pytest.raises(Failure, match="is loaded anew: ") as caught:
                with catalogue.borrow("m", number):
                    pass
            assert caught.value.code == "UNAVAILABLE"
        hold.set()
        thread.join()
        assert states(catalogue) == {1: "AVAILABLE"}
        with catalogue.borrow("m", 1) as (_, servable):
            assert servable is loaded[1]
        # It still has a request.
        assert not loaded[0].closed
    assert loaded[0].closed and not loaded[1].closed
    catalogue.poll()
    assert len(loaded) == 2


def test_a_version_that_dies_while_it_loads_is_tried_again_later(
    tmp_path, monkeypatch
):
    add(tmp_path, 1)
    tries = []

    def load(path):
        tries.append(path)
        raise Failure("UNAVAILABLE", "killed")

    catalogue = Catalogue(load)
    catalogue.update([ModelSettings("m", tmp_path)])
    catalogue.poll()
    assert len(tries) == 1 and states(catalogue) == {1: "END"}
    with pytest.raises(Failure, match="is loaded anew"):
        with catalogue.borrow("m"):
            pass
    after = time.monotonic() + 61
    monkeypatch.setattr(time, "monotonic", lambda: after)
    catalogue.poll()
    assert len(tries) == 2


class Noted:
    """Loads versions, and notes which.

    Attributes:
        tries: the numbers of the versions, in their order.
        loaded: the last servable of each.
    """

    def __init__(self):
        self.tries = []
        self.loaded = {}

    def __call__(self, path):
        number = int(path.name)
        self.tries.append(number)
        self.loaded[number] = Fake(path)
        return self.loaded[number]


@pytest.fixture
def noted():
    return Noted()


@pytest.fixture
def wait(monkeypatch):
    """Returns a function that lets seconds pass at once."""
    real, waited = time.monotonic, [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: real() + sum(waited))
    return waited.append


def is_answered(catalogue, number=None, label=None):
    """Returns whether a request would find a version whose process lives."""
    try:
        with catalogue.borrow("m", number, label) as (_, servable):
            return servable.alive
    except Failure as failure:
        return failure.code


def test_an_old_version_that_dies_while_the_newest_is_broken(tmp_path, noted):
    add(tmp_path, 1)
    catalogue = Catalogue(noted)
    catalogue.update([ModelSettings("m", tmp_path)])
    add(tmp_path, 2, broken=True)
    catalogue.poll()
    noted.loaded[1].alive = False
    # It says so before the next look.
    _, oldest = catalogue.status("m")
    assert (oldest.state, oldest.code) == ("UNLOADING", "UNAVAILABLE")
    assert oldest.message == "Its process has ended"
    assert not catalogue.ready()
    assert is_answered(catalogue) == "UNAVAILABLE"
    catalogue.poll()
    assert noted.tries == [1, 2, 1]
    assert states(catalogue) == {2: "END", 1: "AVAILABLE"}
    assert catalogue.ready() and is_answered(catalogue) is True
    # It goes where a newer one loads, and does not come back.
    (tmp_path / "2/broken").unlink()
    catalogue.poll()
    assert states(catalogue) == {2: "AVAILABLE", 1: "END"}
    noted.loaded[2].alive = False
    catalogue.poll()
    assert noted.tries == [1, 2, 1, 2, 2]
    assert is_answered(catalogue, 1) == "NOT_FOUND"


def test_an_old_version_that_dies_stays_away_where_the_newest_loads(
    tmp_path, noted
):
    add(tmp_path, 1)
    catalogue = Catalogue(noted)
    catalogue.update([ModelSettings("m", tmp_path)])
    noted.loaded[1].alive = False
    add(tmp_path, 2)
    catalogue.poll()
    assert noted.tries == [1, 2]
    assert states(catalogue) == {2: "AVAILABLE", 1: "END"}
    assert is_answered(catalogue, 1) == "NOT_FOUND"


def test_an_old_version_stays_where_the_newest_dies_at_once(tmp_path, noted):
    add(tmp_path, 1)

    def load(path):
        servable = noted(path)
        servable.alive = path.name == "1"
        return servable

    catalogue = Catalogue(load)
    catalogue.update([ModelSettings("m", tmp_path)])
    add(tmp_path, 2)
    catalogue.poll()
    assert states(catalogue)[1] == "AVAILABLE"
    assert is_answered(catalogue) is True
    assert is_answered(catalogue, 2) == "UNAVAILABLE"


def test_a_version_that_dies_when_its_folder_is_deleted(tmp_path, noted):
    add(tmp_path, 1)
    catalogue = Catalogue(noted)
    catalogue.update([ModelSettings("m", tmp_path)])
    shutil.rmtree(tmp_path / "1")
    catalogue.poll()
    assert catalogue.ready() and is_answered(catalogue) is True
    noted.loaded[1].alive = False
    for _ in range(2):
        catalogue.poll()
        (version,) = catalogue.status("m")
        assert (version.state, version.code) == ("END", "UNAVAILABLE")
        assert not catalogue.ready()
        assert is_answered(catalogue) == "NOT_FOUND"
    assert noted.loaded[1].closed
    add(tmp_path, 1)
    catalogue.poll()
    assert noted.tries == [1, 1]
    assert catalogue.ready() and is_answered(catalogue) is True


def test_an_old_version_is_loaded_anew_when_its_folder_is_back(tmp_path, noted):
    base = tmp_path / "models"
    add(base, 1)
    catalogue = Catalogue(noted)
    catalogue.update([ModelSettings("m", base)])
    add(base, 2, broken=True)
    catalogue.poll()
    # As if a network drive were away for a while.
    base.rename(tmp_path / "away")
    noted.loaded[1].alive = False
    catalogue.poll()
    assert is_answered(catalogue) == "NOT_FOUND"
    (tmp_path / "away").rename(base)
    catalogue.poll()
    assert states(catalogue) == {2: "END", 1: "AVAILABLE"}


def test_a_version_that_dies_again_and_again(tmp_path, noted, wait):
    add(tmp_path, 1)
    catalogue = Catalogue(noted)
    catalogue.update([ModelSettings("m", tmp_path)])

    def dies():
        noted.loaded[1].alive = False
        for _ in range(3):
            catalogue.poll()

    dies()
    assert len(noted.tries) == 2
    for number in (2, 3, 4):
        dies()
        assert len(noted.tries) == number
        assert states(catalogue) == {1: "END"}
        assert is_answered(catalogue) == "UNAVAILABLE"
        wait(61)
        catalogue.poll()
        assert len(noted.tries) == number + 1
        assert is_answered(catalogue) is True
    # Once it has lived for a while, it comes back at once.
    wait(61)
    dies()
    assert len(noted.tries) == 6


def test_a_version_that_is_waiting_and_changes(tmp_path, noted):
    add(tmp_path, 1)
    catalogue = Catalogue(noted)
    catalogue.update([ModelSettings("m", tmp_path)])
    for _ in range(2):
        noted.loaded[1].alive = False
        catalogue.poll()
    assert states(catalogue) == {1: "END"}
    stamp = (tmp_path / "1").stat().st_mtime_ns
    os.utime(tmp_path / "1", ns=(stamp, stamp + 1))
    catalogue.poll()
    assert states(catalogue) == {1: "AVAILABLE"}


def test_what_died_while_loading_does_not_return_where_it_is_deleted(
    tmp_path,
):
    add(tmp_path, 1)

    def load(path):
        if path.name == "2":
            raise Failure("UNAVAILABLE", "killed")
        return Fake(path)

    catalogue = Catalogue(load)
    catalogue.update([ModelSettings("m", tmp_path)])
    add(tmp_path, 2)
    catalogue.poll()
    assert is_answered(catalogue, 2) == "UNAVAILABLE"
    shutil.rmtree(tmp_path / "2")
    catalogue.poll()
    assert is_answered(catalogue, 2) == "NOT_FOUND"
    assert states(catalogue) == {1: "AVAILABLE", 2: "END"}


def test_a_model_that_is_taken_off_while_its_version_is_dead(tmp_path, noted):
    add(tmp_path / "a", 1)
    add(tmp_path / "m", 1)
    catalogue = Catalogue(noted)
    models = [ModelSettings(name, tmp_path / name) for name in "am"]
    catalogue.update(models)
    noted.loaded[1].alive = False
    catalogue.update(models[:1])
    assert noted.tries == [1, 1] and noted.loaded[1].closed
    assert is_answered(catalogue) == "NOT_FOUND"
    catalogue.update(models)
    assert is_answered(catalogue) is True
