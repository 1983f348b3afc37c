"""Which clips a run is calibrated on."""

import numpy as np
import pytest

from lgn_tf import calibration, run_calibration
from lgn_tf.config import Config, DataConfig
from lgn_tf.data.footage import InMemory
from lgn_tf.inference import VideoScorer
from lgn_tf.model.lgn_net import LGNNet


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


def test_places_from_all_clips_and_distributions_from_those_held_out(model):
    fitted, held_out = clips("f", 8, 4), clips("held", 7, 6)
    seen = []
    found = run_calibration.calibrate(
        model, fitted, held_out, progress=lambda *state: seen.append(state)
    )
    scorer = VideoScorer(model)
    first, second = (
        [one for (one,) in scorer.score_all(part)]
        for part in (fitted, held_out)
    )
    expected = calibration.fit(second, (16, 24), others=first, in_sample=False)
    assert found.names == ("held0", "held1")
    assert not found.in_sample
    for ours, theirs in zip(
        (*found.statistics.error, *found.statistics.distance),
        (*expected.statistics.error, *expected.statistics.distance),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4)
    # A clip that is too short has no part, and is counted as done.
    assert seen == [(8, 25), (12, 25), (19, 25), (25, 25)]


def test_few_of_many_fitted_clips_are_scored(model, monkeypatch):
    monkeypatch.setattr(run_calibration, "MOST_FRAMES", 20)
    seen = []
    run_calibration.calibrate(
        model,
        clips("f", *[6] * 7),
        clips("held", 6),
        progress=lambda *state: seen.append(state),
    )
    # Of 42 frames every third clip: three of them.
    assert seen[-1] == (24, 24)


class Source:
    """Stands for `sources.Source`."""

    def __init__(self, fitted, held_out):
        self.parts = fitted, held_out
        self.asked = []

    def training(self, holdout, seed):
        self.asked.append((holdout, seed))
        return self.parts


def test_a_run_is_calibrated_once_and_marked_in_sample(model, tmp_path):
    config = Config(data=DataConfig("folder", holdout=0))
    source = Source(clips("f", 8, 6), None)
    found = run_calibration.of_run(tmp_path, config, model, source)
    assert found.in_sample
    assert found.names == ("f0", "f1")
    again = run_calibration.of_run(tmp_path, config, None, source)
    assert again.names == found.names
    assert source.asked == [(0, 0)]


def test_no_clip_is_long_enough(model):
    with pytest.raises(ValueError, match="each longer than the model's input"):
        run_calibration.calibrate(model, clips("f", 3), None)
