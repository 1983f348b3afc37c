import numpy as np
import pytest

from lgn_tf.data.datasets import kinds, labels, layouts
from tests.helpers.drawn_layouts import WHOLE

HEADER = "video,start,end,kind\n"
COUNTS = {"a": 6, "b": 4, "c": 3}


@pytest.mark.parametrize("layout", WHOLE)
def test_kinds_come_back_from_every_layout(written, walkway, layout):
    dataset = written(layout)
    counts = {video.name: 14 for video in dataset.split("test")}
    found = kinds.read_kinds(dataset.root / kinds.FILE, counts)
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
    kinds.write_kinds(path, rows)
    found = kinds.read_kinds(path, COUNTS)
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
    found = kinds.read_kinds(path, COUNTS)
    np.testing.assert_array_equal(found["a"]["cart"], [0, 1, 1, 0, 0, 0])


def test_no_rows_are_no_kinds(tmp_path):
    path = tmp_path / kinds.FILE
    kinds.write_kinds(path, [])
    assert kinds.read_kinds(path, COUNTS) == {"a": {}, "b": {}, "c": {}}
    with pytest.raises(FileNotFoundError):
        kinds.read_kinds(tmp_path / "other.csv", COUNTS)


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
        kinds.read_kinds(path, COUNTS)


@pytest.mark.parametrize(
    "contents", [b"\xff\xfe\x00v", HEADER.encode() + b"a,1,2,\xe9"]
)
def test_a_table_that_is_no_text_is_named(tmp_path, contents):
    path = tmp_path / kinds.FILE
    path.write_bytes(contents)
    with pytest.raises(ValueError, match=r"kinds\.csv: must be a table in UTF"):
        kinds.read_kinds(path, COUNTS)


def test_a_field_without_an_end_is_named(tmp_path):
    path = tmp_path / kinds.FILE
    path.write_text(HEADER + 'a,1,2,"' + 200_000 * "x")
    with pytest.raises(ValueError, match=r"kinds\.csv: must be a table.*field"):
        kinds.read_kinds(path, COUNTS)


def test_kinds_of_a_data_set_fit_its_labels(written):
    dataset = written("own")
    counts = {video.name: 14 for video in dataset.split("test")}
    truth = labels.read_ground_truth(dataset, counts)
    path = dataset.root / kinds.FILE
    found = kinds.kinds_of(dataset, counts, truth)
    for name, shown in kinds.read_kinds(path, counts).items():
        for kind, marks in shown.items():
            np.testing.assert_array_equal(found[name][kind], marks)
    # Without labels nobody knows which frames are normal.
    assert kinds.kinds_of(dataset, counts, None) is None
    truth["02"] = np.zeros(14, np.uint8)
    start = int(np.flatnonzero(found["02"]["wrong-way"])[0]) + 1
    with pytest.raises(
        ValueError,
        match=rf"kinds\.csv: a frame that shows a kind must be labelled "
        rf"abnormal\. Found there: 02, wrong-way, frame {start} is labelled "
        "normal",
    ):
        kinds.kinds_of(dataset, counts, truth)
    path.unlink()
    assert kinds.kinds_of(dataset, counts, truth) is None


def test_kinds_of_a_single_video_lie_beside_it(tmp_path):
    video = tmp_path / "a.mp4"
    video.touch()
    kinds.write_kinds(tmp_path / kinds.FILE, [("a", (2, 3), "cart")])
    found = kinds.kinds_of(
        layouts.recognise(video), {"a": 6}, {"a": np.ones(6, np.uint8)}
    )
    np.testing.assert_array_equal(found["a"]["cart"], [0, 1, 1, 0, 0, 0])
