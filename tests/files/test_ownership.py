"""Only a folder of our own making is replaced."""

import pytest

from lgn_tf.files import ownership

BEFORE = ("results.json", "frames/*.csv")


def write(path, *names):
    for name in names:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(name)


def made(path, *names):
    with ownership.folder(path, "evaluation", BEFORE) as folder:
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


def test_one_of_an_earlier_version_is_replaced(tmp_path):
    path = tmp_path / "evaluation"
    write(path, "results.json", "frames/one.csv")
    made(path, "results.json")
    assert names(path) == {"results.json"}


@pytest.mark.parametrize(
    ("there", "named"),
    [
        (["results.json", "frames/one.csv", "notes.txt"], "notes.txt"),
        (["results.json", "frames/mine/one.csv"], "frames/mine/one.csv"),
        (["frames/one.csv"], "frames/one.csv"),
        (["below/results.json"], "below/results.json"),
    ],
)
def test_what_we_did_not_write_stays(tmp_path, there, named):
    path = tmp_path / "evaluation"
    write(path, *there)
    with pytest.raises(FileExistsError, match=f"evaluation is not.*{named}"):
        made(path, "results.json")
    assert names(path) == set(there)


def test_what_was_added_to_ours_stays(tmp_path):
    path = tmp_path / "evaluation"
    made(path, "results.json")
    write(path, "frames/mine.csv")
    with pytest.raises(FileExistsError, match=r"frames/mine\.csv"):
        made(path, "results.json")
    assert (path / "frames/mine.csv").exists()


def test_another_kind_and_a_damaged_mark_stay(tmp_path):
    path = tmp_path / "figures"
    with ownership.folder(path, "figures", ("*.svg",)) as folder:
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


def test_nothing_else_is_written_into_one(tmp_path):
    path = tmp_path / "evaluation"
    ownership.refuse_marked(path)
    made(path, "results.json")
    with pytest.raises(FileExistsError, match="holds one evaluation"):
        ownership.refuse_marked(path)
