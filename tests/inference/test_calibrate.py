"""Which clips a run is calibrated on."""

from pathlib import Path

import numpy as np
import pytest

from lgn_tf.config.schema import Config, DataConfig, ModelConfig
from lgn_tf.data import sources
from lgn_tf.data.datasets import archives
from lgn_tf.data.datasets.dataset import Dataset
from lgn_tf.data.synthetic import walkways
from lgn_tf.data.video import footage, optical_flow
from lgn_tf.data.video.footage import InMemory, read_frames
from lgn_tf.inference import calibrate
from lgn_tf.inference.video_scorer import VideoScorer
from lgn_tf.model.lgn_net import LGNNet
from lgn_tf.runs.run import Run
from lgn_tf.scores import fitting, local_scales
from lgn_tf.scores.calibration import WEIGHTS


@pytest.fixture(scope="module")
def model():
    built = LGNNet((16, 24), channels=1, width=1 / 16, variant="glo_net")
    built.build()
    return built


def clips(prefix, *lengths):
    random = np.random.default_rng(len(prefix))
    return InMemory(
        [f"{prefix}{place}" for place in range(len(lengths))],
        [
            random.integers(0, 256, (length, 16, 24, 1), np.uint8)
            for length in lengths
        ],
    )


def test_all_clips_that_were_held_out(model, monkeypatch):
    monkeypatch.setattr(calibrate, "MOST_FRAMES", 1)
    held_out, seen = clips("held", 7, 4, 6), []
    found = calibrate.calibrate(
        model,
        held_out,
        in_sample=False,
        progress=lambda *state: seen.append(state),
    )
    scores = [one for (one,) in VideoScorer(model).score_all(held_out)]
    expected = fitting.fit_calibration(scores, in_sample=False)
    assert found.names == ("held0", "held2")
    assert found.lengths == (3, 2)
    assert not found.in_sample
    for name, values in expected.cues.items():
        np.testing.assert_allclose(found.cues[name], values, rtol=1e-4)
    # A clip that is too short has no part, and is counted as done.
    assert seen == [(7, 17), (11, 17), (17, 17)]


def test_few_of_many_fitted_clips_are_scored(model, monkeypatch):
    monkeypatch.setattr(calibrate, "MOST_FRAMES", 20)
    seen = []
    calibrate.calibrate(
        model,
        clips("f", *[6] * 7),
        in_sample=True,
        progress=lambda *state: seen.append(state),
    )
    # Of 42 frames every third clip: three of them.
    assert seen[-1] == (18, 18)


def run_of(model, folder, config):
    """Returns a run that has its model already."""
    run = Run(folder, config=config)
    run.__dict__["model"] = model
    return run


def test_motion_is_measured_in_the_videos_own_size(model, tmp_path):
    """And in the frames that have a score."""
    drawn = walkways.draw(1, train=2, test=1, frames=9, size=(48, 64))
    archives.write_drawn(drawn, tmp_path / "data", "ucsd")
    config = Config(
        ModelConfig("glo_net", (16, 24), channels=1, width=1 / 16),
        data=DataConfig(
            "folder",
            str(tmp_path / "data"),
            holdout=1,
            stores=str(tmp_path / "stores"),
        ),
    )
    source = sources.open_source(config)
    found = run_of(model, tmp_path, config).calibrate(source)
    (name,) = found.names
    video = next(v for v in source.dataset.split("train") if v.name == name)
    moved = optical_flow.measured(footage.read_frames(video))
    flow = [
        optical_flow.strength(one.cells, found.scales["motion"])
        for one in moved
    ]
    np.testing.assert_array_equal(found.cues["motion"], flow[model.frames :])
    # How fast things usually move, all training clips say.
    cells = {
        v.name: np.stack(
            [m.cells for m in optical_flow.measured(read_frames(v))]
        )
        for v in source.dataset.split("train")
    }
    held_out = cells.pop(name)[model.frames :]
    scale = local_scales.measure_scale([held_out, *cells.values()])
    np.testing.assert_array_equal(found.scales["motion"], scale)
    # Of a long clip no more than is wanted of all.
    few = calibrate._cells(video, 1, 3)
    np.testing.assert_array_equal(
        few, [m.cells for m in optical_flow.measured(read_frames(video))][1:3]
    )
    error_scale = local_scales.resized(scale, (16, 24))
    np.testing.assert_array_equal(found.scales["error"], error_scale)
    assert error_scale.min() < 1 == found.scales["distance"].min()
    assert found.weights == WEIGHTS


class Source:
    """Stands for `sources.Source`."""

    def __init__(self, fitted, held_out):
        self.parts = fitted, held_out
        self.dataset = Dataset("own", Path("none"), ())
        self.asked = []

    def training(self, holdout, seed):
        self.asked.append((holdout, seed))
        return self.parts


def test_a_run_is_calibrated_once_and_marked_in_sample(model, tmp_path):
    config = Config(
        ModelConfig("glo_net", (16, 24), channels=1, width=1 / 16),
        data=DataConfig("folder", holdout=0),
    )
    source = Source(clips("f", 8, 6), None)
    found = run_of(model, tmp_path, config).calibrate(source)
    assert found.in_sample
    assert found.names == ("f0", "f1")
    again = run_of(None, tmp_path, config).calibrate(source)
    assert again.names == found.names
    assert source.asked == [(0, 0)]
    # One of an older version is measured again.
    np.savez(tmp_path / "calibration.npz", format=2)
    again = run_of(model, tmp_path, config).calibrate(source)
    assert again.names == found.names
    assert source.asked == [(0, 0)] * 2


def test_no_clip_is_long_enough(model):
    with pytest.raises(ValueError, match="each longer than the model's input"):
        calibrate.calibrate(model, clips("f", 3), in_sample=True)
