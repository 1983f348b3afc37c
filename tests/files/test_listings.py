import pytest

from lgn_tf.files import listings
from tests.helpers import hostile_files


def names(paths):
    return [path.name for path in paths]


def test_natural_order_from_zero_or_one_with_any_padding(tmp_path):
    for name in ("10.png", "9.png", "008.png", "1.png"):
        (tmp_path / name).touch()
    assert names(listings.frames(tmp_path)) == [
        "1.png",
        "008.png",
        "9.png",
        "10.png",
    ]


def test_natural_order_of_two_numbers():
    given = ["01_0010", "02_0001", "01_0002", "1_3"]
    assert sorted(given, key=listings.natural) == [
        "01_0002",
        "1_3",
        "01_0010",
        "02_0001",
    ]


@pytest.mark.parametrize(
    "name", [".DS_Store", "._001.tif", "UCSDped2.m~", "Thumbs.db", "__MACOSX"]
)
def test_junk_is_left_out(tmp_path, name):
    (tmp_path / name).touch()
    (tmp_path / "001.tif").touch()
    assert names(listings.children(tmp_path)) == ["001.tif"]


def test_an_empty_folder_of_frames_is_an_error(tmp_path):
    (tmp_path / "readme.txt").touch()
    with pytest.raises(ValueError, match=r"no frames.*readme\.txt"):
        listings.frames(tmp_path)


def test_two_formats_are_an_error(tmp_path):
    (tmp_path / "1.png").touch()
    (tmp_path / "2.jpg").touch()
    with pytest.raises(ValueError, match=r"one format.*\.jpg, \.png"):
        listings.frames(tmp_path)


def test_two_frames_of_one_number_are_an_error(tmp_path):
    (tmp_path / "1.png").touch()
    (tmp_path / "001.png").touch()
    with pytest.raises(ValueError, match=r"one number.*1\.png and 001|001"):
        listings.frames(tmp_path)


def test_a_frame_that_leaves_the_folder_is_an_error(tmp_path):
    outside = tmp_path / "outside.png"
    outside.touch()
    folder = tmp_path / "video"
    folder.mkdir()
    (folder / "1.png").symlink_to(outside)
    with pytest.raises(ValueError, match=r"must not leave.*outside\.png"):
        listings.frames(folder)


def test_a_link_within_the_folder_is_followed(tmp_path):
    (tmp_path / "1.png").touch()
    (tmp_path / "2.png").symlink_to(tmp_path / "1.png")
    assert names(listings.frames(tmp_path)) == ["1.png", "2.png"]


def test_gaps(tmp_path):
    for number in (3, 4, 7):
        (tmp_path / f"{number:03d}.png").touch()
    assert listings.gaps(listings.frames(tmp_path)) == [5, 6]
    assert listings.gaps([tmp_path / "a.png", tmp_path / "b.png"]) == []


@pytest.mark.parametrize("name", ["001.png", "a.avi"])
@pytest.mark.parametrize(
    "make", [hostile_files.pipe, hostile_files.link_to_nothing]
)
def test_what_only_looks_like_a_picture_is_an_error(tmp_path, name, make):
    make(tmp_path / name)
    with pytest.raises(ValueError, match=f"{name}: must be a file"):
        listings.children(tmp_path)
    make(tmp_path / "notes.txt")
    (tmp_path / name).unlink()
    assert listings.children(tmp_path) == []


def test_a_folder_in_the_place_of_a_frame_is_an_error(tmp_path):
    for number in (1, 3):
        (tmp_path / f"{number}.png").touch()
    (tmp_path / "notes").mkdir()
    assert len(listings.frames(tmp_path)) == 2
    (tmp_path / "2.png").mkdir()
    words = r"2\.png: must be a file. Found there: a folder"
    with pytest.raises(ValueError, match=words):
        listings.frames(tmp_path)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("01", True),
        ("Ärger im Hof [2]", True),
        ("x.partial", True),
        ("", False),
        (".", False),
        ("..", False),
        ("a/b", False),
        ("a\nb", False),
        ("a\x1b[2J", False),
        ("a\udcff", False),
        ("a\0", False),
    ],
)
def test_plain_names(name, plain):
    assert listings.is_plain_name(name) == plain
