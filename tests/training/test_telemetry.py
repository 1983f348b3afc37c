"""Progress, and the events of a run for TensorBoard."""

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import (
    EventAccumulator,
)

from lgn_tf.runs import directory
from lgn_tf.training import telemetry


def test_events_hold_what_tensorboard_shows(run_dir):
    events = EventAccumulator(str(run_dir / directory.TENSORBOARD))
    events.Reload()
    tags = set(events.Tags()["tensors"])
    assert {
        "epoch/loss",
        "epoch/psnr",
        "epoch/learning_rate",
        "epoch/items_in_use",
        "epoch/clips_per_second",
        "step/loss",
        "memory/mean_similarity",
        "memory/max_similarity",
        "memory/nearest_item",
        "input, target, prediction, error",
        "similarity of the items, 0 black to 1 white",
    } <= tags
    assert [e.step for e in events.Tensors("epoch/loss")] == [1, 2]
    picture = events.Tensors("input, target, prediction, error")[0]
    width, height = picture.tensor_proto.string_val[:2]
    assert (int(width), int(height)) == (4 * 24, 16)


def test_steps_of_a_run_that_goes_on(model, tmp_path):
    clips = np.zeros((2, 2, 16, 24, 1), np.float32)
    events = telemetry.Events(tmp_path, clips, clips[:, 0], 40, 2, offset=30)
    events.set_model(model)
    events.on_epoch_begin(1)
    events.on_train_batch_end(0, {"loss": 1.0})
    events.on_epoch_end(1, {"loss": 1.0})
    events.on_epoch_begin(2)
    events.on_train_batch_end(0, {"loss": 1.0})
    events.on_train_end()
    written = EventAccumulator(str(tmp_path / directory.TENSORBOARD))
    written.Reload()
    steps = [event.step for event in written.Tensors("step/loss")]
    assert steps == [40 + 30, 80]


def test_events_that_cannot_be_written_are_an_os_error(model, tmp_path):
    clips = np.zeros((2, 2, 16, 24, 1), np.float32)
    events = telemetry.Events(tmp_path, clips, clips[:, 0], 40, 2)
    events.set_model(model)

    def full(*_):
        raise tf.errors.ResourceExhaustedError(None, None, "disk is full")

    events._writer.flush = full
    with pytest.raises(OSError, match=r"tensorboard: events .*disk is full"):
        events.on_epoch_end(0, {"loss": 1.0})
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match="events cannot be written"):
        telemetry.Events(tmp_path / "file", clips, clips[:, 0], 40, 2)


def test_colours_are_shown_as_red_green_blue():
    blue = np.zeros((1, 2, 2, 3), np.float32) - 1
    blue[..., 0] = 1
    np.testing.assert_array_equal(telemetry.shown(blue)[0, 0, 0], [0, 0, 1])
    gray = np.zeros((1, 2, 2, 1), np.float32)
    np.testing.assert_array_equal(telemetry.shown(gray)[0, 0, 0], [0.5] * 3)
