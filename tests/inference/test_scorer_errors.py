"""Models, videos and arguments that cannot be scored with."""

import numpy as np
import pytest

from lgn_tf.inference import video_scorer
from lgn_tf.inference.video_scorer import VideoScorer
from lgn_tf.scores import fitting
from tests.inference.small_models import small, videos


def test_videos_that_are_too_short():
    model = small()
    scorer = VideoScorer(model)
    for pieces in ([], videos(3).stream(0, 2)):
        with pytest.raises(video_scorer.TooShortError, match="short: a video"):
            scorer.score("short", pieces)
    found = list(scorer.score_all(videos(3, 5, 4)))
    assert [one.name for (one,) in found] == ["01", "02"]
    assert [len(one) for (one,) in found] == [2, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gammas": ()}, "`gammas` must be"),
        ({"gammas": (0.1, -1.0)}, "`gammas` must be"),
        ({"gammas": (float("nan"),)}, "`gammas` must be"),
        ({"chunk": 0}, "`chunk` must be at least 1"),
    ],
)
def test_arguments_out_of_bounds(arguments, message):
    with pytest.raises(ValueError, match=message):
        VideoScorer(None, **arguments)


def test_weights_that_are_not_finite_are_named():
    model = small()
    kernel = model.decoder.weights[0]
    kernel.assign(np.full(kernel.shape, np.nan))
    with pytest.raises(ValueError, match=r"must be finite.*decoder"):
        VideoScorer(model)


def test_a_prediction_that_is_not_finite_is_named():
    model = small()
    scorer = VideoScorer(model)
    # As if it came out of the decoder: the weights were looked at before.
    bias = model.decoder.weights[-1]
    bias.assign(np.full(bias.shape, np.nan))
    with pytest.raises(ValueError, match="00: the prediction of frame 3"):
        scorer.score("00", videos(5).stream(0, 5))


def test_frames_of_another_size():
    with pytest.raises(ValueError, match="x: frames must be of the model's"):
        VideoScorer(small()).score("x", [np.zeros((5, 24, 16, 1), np.uint8)])


def test_a_calibration_of_another_model():
    other = small(variant="loc_net")
    ((scores,),) = VideoScorer(other).score_all(videos(6))
    fitted = fitting.fit_calibration([scores], in_sample=True)
    with pytest.raises(ValueError, match="`calibration` must be of this model"):
        VideoScorer(small(), calibration=fitted)
