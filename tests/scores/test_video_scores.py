"""Scores of a video, and their files."""

import csv
import dataclasses
import errno
import os
import re

import numpy as np
import pytest

from lgn_tf.scores import video_scores

NUMBERS = np.random.default_rng(3)


def made(name="01", frames=5, **changes):
    values = {
        "name": name,
        "first": 4,
        "psnr": NUMBERS.uniform(20, 40, frames),
        "distance": NUMBERS.uniform(0, 1e-3, frames),
        "regular_score": NUMBERS.uniform(0, 0.1, frames),
        "updated": np.arange(frames) % 2 == 0,
        "online": NUMBERS.uniform(0, 1, frames),
        "error_map": NUMBERS.uniform(0, 1, (frames, 3, 7)),
        "distance_map": NUMBERS.uniform(0, 1, (frames, 2, 4)),
        "online_map": NUMBERS.normal(0, 3, (frames, 2, 4)),
    }
    return video_scores.VideoScores(**(values | changes))


WITHOUT = {"distance": None, "distance_map": None}
UNCALIBRATED = {"online": None, "online_map": None}
MOVING = {"online_motion": NUMBERS.uniform(0, 1, 5)}


@pytest.mark.parametrize("changes", [{}, WITHOUT, UNCALIBRATED, MOVING])
@pytest.mark.parametrize("name", ["01", "a.b", "<script>", "träge 1"])
def test_what_is_written_reads_back_the_same(tmp_path, name, changes):
    scores = made(name, **changes)
    paper = [0.0, 0.25, 0.5, 1.0, 0.75]
    video_scores.write_scores(scores, tmp_path, [0, 1, 1, 0, 1], paper)
    again = video_scores.read_scores(tmp_path, name)
    for field in dataclasses.fields(scores):
        before, after = (getattr(s, field.name) for s in (scores, again))
        if before is None or isinstance(before, str | int):
            assert after == before
        else:
            np.testing.assert_array_equal(after, before)
            assert after.dtype == before.dtype
    labels = video_scores.read_labels(tmp_path, name)
    np.testing.assert_array_equal(labels, [0, 1, 1, 0, 1])
    assert labels.dtype == np.uint8
    assert not list(tmp_path.rglob(".partial-*"))


def test_the_table_is_for_people(tmp_path):
    video_scores.write_scores(
        made(psnr=[20.5, 21, 22, 23, 24]), tmp_path, [0, 1, 1, 0, 1]
    )
    with (tmp_path / "frames" / "01.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "frame",
        "label",
        "psnr",
        "distance",
        "regular_score",
        "online",
        "updated",
    ]
    assert [row["frame"] for row in rows] == ["4", "5", "6", "7", "8"]
    assert [row["label"] for row in rows] == ["0", "1", "1", "0", "1"]
    assert rows[0]["psnr"] == "20.5"
    assert [row["updated"] for row in rows] == ["1", "0", "1", "0", "1"]


def test_the_motion_stands_behind_the_online_score(tmp_path):
    video_scores.write_scores(made(**MOVING), tmp_path)
    with (tmp_path / "frames" / "01.csv").open() as file:
        head = next(csv.reader(file))
    assert head[-3:] == ["online", "online_motion", "updated"]


@pytest.mark.parametrize("before", [{}, {"online_motion": np.zeros(5)}])
def test_the_motion_that_is_known_later_makes_the_same_files(tmp_path, before):
    more = [0, 1, 1, 0, 1], [0.0, 0.25, 0.5, 1.0, 0.75]
    scores = made(name="a b", **MOVING)
    video_scores.write_scores(scores, tmp_path / "once", *more)
    scores = dataclasses.replace(scores, **{"online_motion": None} | before)
    video_scores.write_scores(scores, tmp_path / "twice", *more)
    video_scores.add_online_motion(
        tmp_path / "twice", "a b", MOVING["online_motion"]
    )
    once, twice = (
        (tmp_path / name / "frames" / "a b.csv").read_bytes()
        for name in ("once", "twice")
    )
    assert once == twice


@pytest.mark.parametrize(
    ("changes", "series", "message"),
    [
        ({}, [0.5], "must have the column online, of 1 frames. .*, of 5"),
        (UNCALIBRATED, [0.5] * 5, "must have the column online, of 5 frames"),
    ],
)
def test_motion_that_does_not_fit(tmp_path, changes, series, message):
    video_scores.write_scores(made(**changes), tmp_path)
    before = (tmp_path / "frames" / "01.csv").read_bytes()
    with pytest.raises(ValueError, match=rf"frames/01\.csv: {message}"):
        video_scores.add_online_motion(tmp_path, "01", series)
    assert (tmp_path / "frames" / "01.csv").read_bytes() == before


def test_without_labels(tmp_path):
    video_scores.write_scores(made(), tmp_path)
    assert video_scores.read_labels(tmp_path, "01") is None


def test_writing_again_replaces(tmp_path):
    video_scores.write_scores(made(frames=5), tmp_path)
    video_scores.write_scores(made(frames=9), tmp_path)
    assert len(video_scores.read_scores(tmp_path, "01")) == 9


def test_a_folder_is_in_natural_order_and_read_when_asked(tmp_path):
    for name in ("10", "2", "1"):
        video_scores.write_scores(made(name, frames=int(name)), tmp_path)
    folder = video_scores.ScoreFolder(tmp_path)
    assert folder.names == ["1", "2", "10"]
    assert [len(scores) for scores in folder] == [1, 2, 10]
    assert folder[-1].name == "10"
    assert [scores.name for scores in folder[:2]] == ["1", "2"]
    assert len(folder) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "a/b"}, "a printable file name. Received: name='a/b'"),
        ({"name": ""}, "a printable file name. Received: name=''"),
        ({"name": ".."}, "a printable file name. Received: name='..'"),
        ({"first": -1}, "01: `first` must not be negative. Received: first=-1"),
        (
            {"distance": [0.0, 1.0]},
            "01: `distance` must be (frames,), of as many frames as `psnr`, "
            "and not empty. Received: (2,), `psnr` (5,)",
        ),
        (
            {"error_map": np.zeros((5, 3))},
            "01: `error_map` must be (frames, h, w)",
        ),
        ({"online_map": np.zeros((5, 0, 3))}, "Received: (5, 0, 3)"),
        (
            {"psnr": [1, np.nan, 2, np.inf, 3]},
            "01: `psnr` must be finite. Received: 2 of 5 numbers are not",
        ),
        (
            {"error_map": np.full((5, 1, 2), np.nan)},
            "01: `error_map` must be finite. Received: 10 of 10",
        ),
        (
            {"online": [0, 0.5, 1, 1.25, 0]},
            "01: `online` must lie in [0, 1]. Received: 0 to 1.25",
        ),
        (
            {"online_motion": [0, 0.5, 1, 1, -0.25]},
            "01: `online_motion` must lie in [0, 1]. Received: -0.25 to 1",
        ),
        ({"online_motion": [0.5]}, "01: `online_motion` must be (frames,)"),
        ({"psnr": 3.0}, "`psnr` must be (frames,)"),
        ({"regular_score": None}, "`regular_score` must be"),
    ],
)
def test_scores_that_are_none(changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        made(**changes)


def test_labels_of_another_length(tmp_path):
    message = "01: `labels` must hold one label for each of the 5"
    with pytest.raises(ValueError, match=message):
        video_scores.write_scores(made(), tmp_path, [0, 1])
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    scores = made()
    video_scores.write_scores(scores, tmp_path)

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"frames/01\.csv"):
        video_scores.write_scores(made(), tmp_path)
    assert not list(tmp_path.rglob(".partial-*"))
    again = video_scores.read_scores(tmp_path, "01")
    np.testing.assert_array_equal(again.psnr, scores.psnr)


def test_an_empty_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="frames holds no scores"):
        video_scores.ScoreFolder(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must be a table of numbers"),
        ("frame,psnr\n4,a\n", "must be a table of numbers"),
        ("frame,psnr\n4\n", "must be a table of numbers"),
        ("frame,psnr\n4,30\n", "must have the columns frame, psnr"),
        (
            "frame,psnr,regular_score,updated\n4,30,0,0\n",
            "does not fit .*`error_map`",
        ),
        (
            "frame,psnr,regular_score,updated\n4,nan,0,0\n",
            "01: `psnr` must be finite",
        ),
    ],
)
def test_a_damaged_table(tmp_path, text, message):
    video_scores.write_scores(made(), tmp_path)
    (tmp_path / "frames" / "01.csv").write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        video_scores.read_scores(tmp_path, "01")
    assert "frames/01.csv" in str(error.value)


def test_a_damaged_archive(tmp_path):
    video_scores.write_scores(made(), tmp_path)
    path = tmp_path / "maps" / "01.npz"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match=r"01\.npz: must be an \.npz archive"):
        video_scores.read_scores(tmp_path, "01")


def test_missing_files(tmp_path):
    video_scores.write_scores(made(), tmp_path)
    (tmp_path / "maps" / "01.npz").unlink()
    with pytest.raises(FileNotFoundError, match=r"01\.npz"):
        video_scores.read_scores(tmp_path, "01")
    with pytest.raises(FileNotFoundError, match=r"02\.csv"):
        video_scores.read_scores(tmp_path, "02")
