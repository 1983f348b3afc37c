"""Only a folder of our own making is replaced."""

import shutil

import pytest

from lgn_tf.files import ownership


def write(path, *names):
    for name in names:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(name)


def made(path, *names):
    with ownership.folder(path, "evaluation") as folder:
        write(folder, *names)


def names(path):
    return {
        each.relative_to(path).as_posix()
        for each in path.rglob("*")
        if each.is_file() and each.name != ownership.MARK
    }


def test_ones_own_is_replaced(tmp_path):
    path = tmp_path / "evaluation"
    made(path, "results.json", "frames/one.csv")
    # A file manager was here.
    (path / "frames" / ".DS_Store").touch()
    made(path, "results.json", "frames/two.csv")
    assert names(path) == {"results.json", "frames/two.csv"}


@pytest.mark.parametrize(
    "there", ["results.json", "frames/one.csv", "below/results.json", "x.svg"]
)
def test_what_we_did_not_write_stays(tmp_path, there):
    path = tmp_path / "evaluation"
    write(path, there)
    with pytest.raises(FileExistsError, match=f"evaluation is not.*{there}"):
        made(path, "results.json")
    assert names(path) == {there}


def test_one_without_a_mark_holds_known_names_alone(tmp_path):
    path, known = tmp_path / "evaluation", {"results.json", "frames/one.csv"}
    write(path, "results.json", "mine.csv")
    with pytest.raises(FileExistsError, match=r"mine\.csv, and no \.lgn"):
        ownership.require(path, "evaluation", known)
    (path / "mine.csv").unlink()
    ownership.require(path, "evaluation", known)
    (path / "results.json").unlink()
    (path / "frames").mkdir()
    with pytest.raises(FileExistsError, match=r"folders, and no \.lgn"):
        ownership.require(path, "evaluation", known)


def test_what_was_changed_stays(tmp_path):
    path, mine = tmp_path / "evaluation", tmp_path / "mine"
    made(path, "results.json")
    # A mark says nothing of another folder that it was copied to.
    mine.mkdir()
    shutil.copy(path / ownership.MARK, mine)
    for folder in (path, mine):
        (folder / "results.json").write_text("RESULTS.JSON")
        with pytest.raises(
            FileExistsError, match=r"results\.json, which was ch"
        ):
            made(folder, "results.json")
        assert (folder / "results.json").read_text() == "RESULTS.JSON"


@pytest.mark.parametrize("name", ["link", f"below/{ownership.MARK}"])
def test_a_link_and_another_mark_are_nobodys(tmp_path, name):
    path = tmp_path / "evaluation"
    made(path, "results.json", "below/one.csv")
    (path / name).symlink_to(path / "results.json")
    with pytest.raises(FileExistsError, match=name):
        made(path, "results.json")
    assert (path / name).is_symlink()


def test_what_was_added_to_ours_stays(tmp_path):
    path = tmp_path / "evaluation"
    made(path, "results.json")
    write(path, "frames/mine.csv")
    with pytest.raises(FileExistsError, match=r"frames/mine\.csv"):
        made(path, "results.json")
    assert (path / "frames/mine.csv").exists()


def test_another_kind_and_a_damaged_mark_stay(tmp_path):
    path = tmp_path / "figures"
    with ownership.folder(path, "figures") as folder:
        write(folder, "a.svg")
    with pytest.raises(FileExistsError, match="the kind 'figures'"):
        made(path, "results.json")
    (path / ownership.MARK).write_text("{")
    with pytest.raises(FileExistsError, match="cannot be read"):
        made(path, "results.json")
    assert names(path) == {"a.svg"}


def test_a_file_and_an_empty_folder(tmp_path):
    path = tmp_path / "evaluation"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="not a folder"):
        made(path, "results.json")
    assert path.read_text() == "mine"
    path.unlink()
    path.mkdir()
    made(path, "results.json")
    assert names(path) == {"results.json"}


def test_single_files_have_a_folder_of_their_own(tmp_path):
    path = tmp_path / "new" / "scores"
    ownership.claim(path, "scores")
    write(path, "frames/one.csv")
    ownership.claim(path, "scores")
    with pytest.raises(FileExistsError, match="the kind 'scores'"):
        made(path, "results.json")
    made(tmp_path / "whole", "results.json")
    with pytest.raises(FileExistsError, match="holds one evaluation"):
        ownership.claim(tmp_path / "whole", "scores")
    write(tmp_path / "mine", "frames/one.csv")
    with pytest.raises(FileExistsError, match=r"mine: must be empty.*frames"):
        ownership.claim(tmp_path / "mine", "scores")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileExistsError, match="not a folder"):
        ownership.claim(tmp_path / "file", "scores")
    assert names(tmp_path / "mine") == {"frames/one.csv"}


def test_two_take_one_folder_at_once(tmp_path, monkeypatch):
    """One of them begins while the other looks around."""
    path, real = tmp_path / "scores", ownership._read

    def overtaken(folder):
        monkeypatch.setattr(ownership, "_read", real)
        ownership.claim(folder, "scores")
        write(folder, "frames/one.csv")
        return real(folder)

    monkeypatch.setattr(ownership, "_read", overtaken)
    ownership.claim(path, "scores")
    assert names(path) == {"frames/one.csv"}
