import numpy as np
import pytest

from lgn_tf.data import kinds, layouts

HEADER = "video,start,end,kind\n"
COUNTS = {"a": 6, "b": 4, "c": 3}


@pytest.mark.parametrize("layout", layouts.LAYOUTS)
def test_kinds_come_back_from_every_layout(written, walkway, layout):
    dataset = written(layout)
    counts = {video.name: 14 for video in dataset.split("test")}
    found = kinds.read(dataset.root / kinds.FILE, counts)
    assert list(found) == list(counts)
    assert len({clip.kind for clip in walkway.test}) == len(walkway.test) == 3
    for shown, clip in zip(found.values(), walkway.test, strict=True):
        assert set(shown) == {clip.kind for clip in walkway.test}
        for kind, marks in shown.items():
            expected = clip.labels if kind == clip.kind else 0 * clip.labels
            np.testing.assert_array_equal(marks, expected)
            assert marks.dtype == np.uint8


def test_intervals_count_from_one_and_may_overlap(tmp_path):
    path = tmp_path / kinds.FILE
    rows = [
        ("b", (4, 4), "cart"),
        ("a", (1, 3), "run, or jump"),
        ("a", (3, 5), "cart"),
        ("a", (6, 6), "run, or jump"),
    ]
    kinds.write(path, rows)
    found = kinds.read(path, COUNTS)
    assert list(found) == ["a", "b", "c"]
    assert [list(shown) for shown in found.values()] == [
        ["cart", "run, or jump"]
    ] * 3
    expected = {
        ("a", "cart"): [0, 0, 1, 1, 1, 0],
        ("a", "run, or jump"): [1, 1, 1, 0, 0, 1],
        ("b", "cart"): [0, 0, 0, 1],
        ("b", "run, or jump"): [0, 0, 0, 0],
        ("c", "cart"): [0, 0, 0],
        ("c", "run, or jump"): [0, 0, 0],
    }
    for (video, kind), marks in expected.items():
        np.testing.assert_array_equal(found[video][kind], marks)


def test_a_table_of_ones_own(tmp_path):
    # With a byte order mark, spaces, an empty line, and the name of a file.
    path = tmp_path / kinds.FILE
    path.write_text("\ufeffvideo, start,end,kind\n\na.mp4, 2 ,3, cart \n")
    found = kinds.read(path, COUNTS)
    np.testing.assert_array_equal(found["a"]["cart"], [0, 1, 1, 0, 0, 0])


def test_no_rows_are_no_kinds(tmp_path):
    path = tmp_path / kinds.FILE
    kinds.write(path, [])
    assert kinds.read(path, COUNTS) == {"a": {}, "b": {}, "c": {}}
    with pytest.raises(FileNotFoundError):
        kinds.read(tmp_path / "other.csv", COUNTS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the first line must read `video,start,end,kind`"),
        ("video,start,end\na,1,2\n", "must read.*Found there: 'video,start,e"),
        (
            HEADER + "a,1,2",
            "line 2 must hold a name, two frame numbers and a kind",
        ),
        (HEADER + "a,1,2,", "line 2 must hold"),
        (HEADER + "a,one,2,cart", "Found there: 'a,one,2,cart'"),
        (HEADER + "a,1,2,cart\na,-1,2,cart", "line 3 must hold"),
        (
            HEADER + "d,1,2,cart",
            "each row must name a test video. Found there: 'd'",
        ),
        (
            HEADER + "a,0,2,cart",
            r"kinds\.csv: a: an interval must lie within frames 1",
        ),
        (HEADER + "b,3,5,cart", "within frames 1 to 4. Found there: 3 to 5"),
        (HEADER + "b,3,2,cart", "within frames 1 to 4. Found there: 3 to 2"),
    ],
)
def test_a_bad_table_is_named(tmp_path, text, message):
    path = tmp_path / kinds.FILE
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        kinds.read(path, COUNTS)
