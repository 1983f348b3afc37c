"""By one process, by several, and by Beam: the same files, byte for byte."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from lgn_tf.cli import main
from lgn_tf.data.datasets.layouts import recognise
from lgn_tf.data.video import footage, optical_flow
from lgn_tf.parallel import processes
from lgn_tf.runs import directory
from lgn_tf.scores import cue_values, video_scores
from lgn_tf.scores.calibration import Calibration
from lgn_tf.scores.cue_values import CUES
from tests.parallel.bulk import bulk, contents, in_bucket

pytest.importorskip("apache_beam", reason="Beam is not installed")
pytest.importorskip("fsspec", reason="fsspec is not installed")

NAMES = ["Test001", "Test003"]


@pytest.mark.slow
def test_processes_write_what_one_writes(place, videos, by_one, capsys):
    """Byte for byte, whichever process is free first."""
    argv = ["score", str(place / "run"), *videos, "--workers", "2"]
    assert main.main([*argv, "--out", str(place / "two")]) == 0
    assert contents(place / "two") == by_one
    assert sorted(by_one) == [
        f"{kind}/{name}{suffix}"
        for kind, suffix in (("frames", ".csv"), ("maps", ".npz"))
        for name in NAMES
    ]
    text = capsys.readouterr().out
    assert "skipped: Test002: a video must have at least 5 frames" in text
    assert "scores of 2 videos" in text


@pytest.mark.slow
def test_motion_adds_a_column_and_nothing_else(
    moving, videos, by_one, monkeypatch
):
    """The same, whoever scores: one process, several, or Beam."""
    argv = ["score", str(moving / "run"), *videos]
    reads = []
    original = footage.read_frames
    with monkeypatch.context() as patch:
        patch.setattr(
            footage,
            "read_frames",
            lambda video: reads.append(video.name) or original(video),
        )
        out = moving / "one"
        assert main.main([*argv, "--workers", "1", "--out", str(out)]) == 0
    # Each decoded once.
    assert reads == ["Test001", "Test002", "Test003"]
    found = contents(out)
    for name, before in by_one.items():
        if name.startswith("maps"):
            assert found[name] == before
            continue
        rows = list(csv.reader(io.StringIO(found[name].decode())))
        place = rows[0].index("online_motion")
        assert rows[0][place - 1] == "online"
        text = io.StringIO()
        csv.writer(text).writerows(
            [*row[:place], *row[place + 1 :]] for row in rows
        )
        assert text.getvalue().encode() == before
    out = moving / "two"
    assert main.main([*argv, "--workers", "2", "--out", str(out)]) == 0
    assert contents(out) == found
    assert bulk(moving).scored == 2
    assert contents(moving / "out") == found
    in_bucket(moving)
    assert contents(moving / "far") == found


def test_the_column_is_the_score_of_all_cues(moving, videos, tmp_path):
    argv = ["score", str(moving / "run"), videos[0], "--out", str(tmp_path)]
    assert main.main(argv) == 0
    scores = video_scores.read_scores(tmp_path, "Test001")
    (video,) = recognise(Path(videos[0])).videos
    known = Calibration.load(moving / "run" / directory.CALIBRATION)
    moved = optical_flow.measured(footage.read_frames(video))
    strengths = [known.strength(one.cells) for one in moved]
    cues = cue_values.map_cues(scores, known.scales)
    cues["motion"] = np.array(strengths[4:])
    np.testing.assert_array_equal(scores.online_motion, known.score(cues, CUES))
    assert np.any(scores.online_motion != scores.online)


def test_videos_in_order_take_one_process(
    place, videos, monkeypatch, capsys, tmp_path
):
    """Where the memory goes on from video to video."""
    ran = []
    monkeypatch.setattr(
        processes, "run", lambda *given: ran.append(given[2]) or [None] * 3
    )
    argv = ["score", str(place / "run"), *videos, "--gamma", "0.1"]
    argv += ["--out", str(tmp_path)]
    assert main.main([*argv, "--workers", "2"]) == 2
    assert "their order matters" in (line := capsys.readouterr().err)
    assert "workers=2" in line and line.count("\n") == 1
    assert not ran
    assert main.main(argv) == 0
    assert "one process: the memory goes on" in capsys.readouterr().out
    assert main.main([*argv, "--reset-memory", "--workers", "2"]) == 0
    assert "one process" not in capsys.readouterr().out
    assert [len(environments) for environments in ran] == [1, 2]


def test_buckets_hold_what_folders_hold(place, by_one):
    """Everything goes through fsspec, and by a copy."""
    counts = in_bucket(place)
    assert (counts.scored, counts.too_short) == (2, ("Test002",))
    assert contents(place / "far") == by_one
    # What a bucket holds is gone on with in a folder.
    counts = bulk(place, "far")
    assert (counts.scored, counts.there) == (0, 2)
