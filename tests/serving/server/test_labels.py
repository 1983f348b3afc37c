"""Labels move between versions; wrong labels change nothing."""

import pytest

from lgn_serving.failure import Failure
from lgn_serving.models.catalogue import Catalogue
from lgn_serving.models.settings import ModelSettings
from tests.serving.server.test_catalogue import Fake, add, states


def test_labels_move_and_move_back(tmp_path):
    add(tmp_path, 1, 2)
    catalogue = Catalogue(Fake)

    def both(**labels):
        return [ModelSettings("m", tmp_path, newest=0, labels=labels)]

    def stands_for(label):
        with catalogue.borrow("m", label=label) as (number, _):
            return number

    catalogue.update(both(stable=1, canary=2))
    assert (stands_for("stable"), stands_for("canary")) == (1, 2)
    catalogue.update(both(stable=2))
    assert stands_for("stable") == 2
    with pytest.raises(Failure, match=r"Unrecognized.*label: canary"):
        stands_for("canary")
    catalogue.update(both(stable=1))
    assert stands_for("stable") == 1


def test_a_label_of_a_version_that_is_not_there(tmp_path):
    add(tmp_path, 1)
    settings = ModelSettings("m", tmp_path, labels={"stable": 1})
    wrong = ModelSettings("m", tmp_path, labels={"stable": 7})
    catalogue = Catalogue(Fake)
    catalogue.update([settings])
    with pytest.raises(Failure, match=r"version 7 of model m.*stable"):
        catalogue.update([wrong])
    with catalogue.borrow("m", label="stable") as (number, _):
        assert number == 1
    lenient = Catalogue(Fake, unavailable_labels=True)
    lenient.update([wrong])
    with pytest.raises(Failure, match=r"Specific\(m, 7\)"):
        with lenient.borrow("m", label="stable"):
            pass


def noted(broken=()):
    """Returns a function that loads, and the list of what it was given."""
    tries = []

    def load(path):
        tries.append(int(path.name))
        if int(path.name) in broken:
            raise Failure("UNKNOWN", "broken")
        return Fake(path)

    return load, tries


def test_settings_with_a_wrong_label_load_nothing(tmp_path):
    add(tmp_path, 1, 2)
    load, tries = noted()
    catalogue = Catalogue(load)
    catalogue.update([ModelSettings("m", tmp_path)])
    wrong = ModelSettings("m", tmp_path, newest=0, labels={"stable": 7})
    for _ in range(2):
        with pytest.raises(Failure, match="version 7"):
            catalogue.update([wrong])
    assert tries == [2]
    assert states(catalogue) == {2: "AVAILABLE"}


def test_what_refused_settings_loaded_goes_again(tmp_path):
    for name in "ab":
        add(tmp_path / name, 1, 2)
    load, tries = noted(broken=(2,))
    catalogue = Catalogue(load)
    catalogue.update([ModelSettings("a", tmp_path / "a", versions=(1,))])
    wrong = [
        ModelSettings("a", tmp_path / "a", versions=(1,)),
        ModelSettings(
            "b", tmp_path / "b", newest=0, labels={"stable": 1, "canary": 2}
        ),
    ]
    for _ in range(2):
        with pytest.raises(Failure, match=r"version 2 of model b.*canary"):
            catalogue.update(wrong)
        assert states(catalogue, "a") == {1: "AVAILABLE"}
        assert states(catalogue, "b") == {2: "END", 1: "END"}
    # Version 2 is known to be broken, so the second time tries nothing.
    assert tries == [1, 1, 2]


def test_other_settings_are_taken_while_a_labelled_version_is_dead(tmp_path):
    for name in "mb":
        add(tmp_path / name, 1, 2)
    loaded = []

    def load(path):
        loaded.append(Fake(path))
        return loaded[-1]

    def settings(**labels):
        return ModelSettings("m", tmp_path / "m", newest=0, labels=labels)

    catalogue = Catalogue(load)
    catalogue.update([settings(stable=1)])
    # The second time it is not loaded at once.
    for _ in range(2):
        for each in loaded:
            each.alive = each.path.name == "2"
        catalogue.poll()
    assert states(catalogue) == {2: "AVAILABLE", 1: "END"}
    catalogue.update([settings(stable=1), ModelSettings("b", tmp_path / "b")])
    assert states(catalogue, "b") == {2: "AVAILABLE"}
    with pytest.raises(Failure, match="is loaded anew") as caught:
        with catalogue.borrow("m", label="stable"):
            pass
    assert caught.value.code == "UNAVAILABLE"
    # Nothing new may point there.
    with pytest.raises(Failure, match=r"version 1 of model m.*canary"):
        catalogue.update([settings(stable=1, canary=1)])
    # Away from there is a way out.
    catalogue.update([settings(stable=2)])
    with catalogue.borrow("m", label="stable") as (number, _):
        assert number == 2
