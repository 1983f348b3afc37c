"""The clips of training: from any step on, held out, and as examples."""

import keras
import numpy as np
import pytest

from lgn_tf.config.schema import Config, ModelConfig, TrainingConfig
from lgn_tf.data.pipelines import arrays
from lgn_tf.data.video.footage import InMemory
from lgn_tf.training import feed

CONFIG = Config(
    ModelConfig("glo_net", (16, 24), channels=1, frames=2, width=1 / 16),
    TrainingConfig(batch_size=4),
)

EVERY_TARGET = [*range(2, 8), *range(10, 16)]


@pytest.fixture
def footage():
    """Two videos of 8 frames, every frame of one gray: 12 clips, 3 steps."""
    grays = np.arange(16, dtype=np.uint8)[:, None, None, None]
    frames = np.broadcast_to(10 * grays, (16, 16, 24, 1))
    return InMemory(["a", "b"], [frames[:8], frames[8:]])


@pytest.fixture(params=["tf.data", "arrays"])
def kind(request, monkeypatch):
    """Feeds by tf.data, and as on a backend without it."""
    if request.param == "arrays":
        monkeypatch.setattr(keras.backend, "backend", lambda: "none")
    elif keras.backend.backend() != "tensorflow":
        pytest.skip("tf.data feeds TensorFlow alone")
    return request.param


def targets(clips, steps):
    """Returns the numbers of the frames to predict, (steps, batch)."""
    if isinstance(clips, arrays.Batches):
        batches = [clips[step] for step in range(min(steps, len(clips)))]
    else:
        batches = clips.take(steps)
    return np.stack([numbers(following) for _, following in batches])


def numbers(frames):
    return np.rint((np.asarray(frames)[:, 0, 0, 0] + 1) * 127.5 / 10)


def test_clips_that_fill_no_batch_are_refused(footage):
    assert feed.steps_per_epoch(footage, CONFIG) == 3
    short = InMemory(["a"], [footage.read(0, 0, 5)])
    with pytest.raises(ValueError, match="batch"):
        feed.steps_per_epoch(short, CONFIG)


@pytest.mark.usefixtures("kind")
def test_training_goes_on_from_any_step(footage):
    whole = targets(feed.training_clips(footage, CONFIG, epoch=1), 3)
    rest = feed.training_clips(footage, CONFIG, epoch=1, start_step=1)
    np.testing.assert_array_equal(targets(rest, 2), whole[1:])
    first = targets(feed.training_clips(footage, CONFIG), 3)
    assert sorted(first.flat) == sorted(whole.flat) == EVERY_TARGET
    assert (first != whole).any()


def test_arrays_are_told_which_epoch_begins(footage, kind):
    clips = feed.training_clips(footage, CONFIG)
    followers = feed.epoch_callbacks(clips)
    assert len(followers) == (kind == "arrays")
    for follower in followers:
        follower.on_epoch_begin(1, None)
        second = feed.training_clips(footage, CONFIG, epoch=1)
        np.testing.assert_array_equal(targets(clips, 3), targets(second, 3))


@pytest.mark.usefixtures("kind")
def test_held_out_clips_come_once_in_a_fixed_order(footage):
    assert feed.validation_clips(None, CONFIG) is None
    found = targets(feed.validation_clips(footage, CONFIG), 99)
    assert sorted(found.flat) == EVERY_TARGET
    again = targets(feed.validation_clips(footage, CONFIG), 99)
    np.testing.assert_array_equal(again, found)
    # Fewer than a batch make one that is not full.
    few = InMemory(["a"], [footage.read(0, 0, 5)])
    assert targets(feed.validation_clips(few, CONFIG), 99).shape == (1, 3)


def test_examples_are_spread_over_all_videos(footage):
    clips, following = feed.example_clips(footage, CONFIG, 3)
    assert clips.shape == (3, 2, 16, 24, 1)
    assert numbers(following).tolist() == [2, 7, 15]
    clips, _ = feed.example_clips(footage, CONFIG, 99)
    assert len(clips) == 12
