"""The demo does the main job: it tells the run from the walk."""

import re

import numpy as np
import pytest

from lgn_tf import cli, demo


def test_videos_are_deterministic_and_move():
    video = demo.draw_video(6, seed=3)
    np.testing.assert_array_equal(video, demo.draw_video(6, seed=3))
    assert video.shape == (6, *demo.CONFIG.model.image_size, 1)
    assert np.abs(video).max() <= 1
    columns = [np.unique(np.nonzero(frame[..., 0] > 0.7)[1]) for frame in video]
    assert all(len(c) == 4 for c in columns)
    assert not np.array_equal(columns[0], columns[1])


def test_clips_are_followed_by_their_next_frame():
    video = np.arange(7.0, dtype=np.float32)[:, None, None, None]
    clips, targets = demo.cut(video, 4)
    assert clips[:, :, 0, 0, 0].tolist() == [
        [0, 1, 2, 3],
        [1, 2, 3, 4],
        [2, 3, 4, 5],
    ]
    assert targets[:, 0, 0, 0].tolist() == [4, 5, 6]


@pytest.mark.slow
def test_the_command_finds_the_run(capsys):
    assert cli.main(["demo"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [re.split(r"\s+", line.strip()) for line in lines]
    rows = [row for row in rows if row[0].isdigit() and len(row) >= 5]
    psnr = {int(row[0]): float(row[1]) for row in rows}
    runs = {int(row[0]) for row in rows if "runs" in row}
    assert runs == set(range(demo.RUNS_FROM + 1, demo.RUNS_TO + 1))
    before = [psnr[frame] for frame in psnr if frame <= demo.RUNS_FROM]
    assert max(psnr[frame] for frame in runs) < min(before)
