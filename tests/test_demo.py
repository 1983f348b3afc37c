"""The demo does the main job on drawn videos, and says what came out."""

import re

import pytest

from lgn_tf import cli, demo
from lgn_tf.data import baselines


@pytest.mark.slow
def test_the_command(capsys):
    assert cli.main(["demo"]) == 0
    printed = capsys.readouterr().out
    quality = [float(x) for x in re.findall(r"psnr: ([\d.]+)", printed)]
    assert len(quality) == demo.CONFIG.training.epochs
    assert quality[-1] > quality[0] + 3
    videos = demo.draw().test
    rows = re.findall(r"^ +(\d+)  .*?(<- abnormal)?$", printed, re.MULTILINE)
    marked = {int(frame) for frame, mark in rows if mark}
    shown = range(demo.CONFIG.model.frames, len(videos[0].frames), demo.SHOWN)
    assert {int(frame) for frame, _ in rows} == set(shown)
    assert marked == {frame for frame in shown if videos[0].labels[frame]}
    expected = baselines.evaluate(
        [video.frames for video in videos],
        [video.labels for video in videos],
        demo.CONFIG.model.frames,
    )
    for name, value in expected.items():
        assert re.search(f"no model: {name} +{value:.3f}\n", printed)
    (area,) = re.findall(r"^  normality +([\d.]+)$", printed, re.MULTILINE)
    assert 0.5 < float(area) <= 1
