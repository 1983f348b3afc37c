"""What a run tells: its table, and its events."""

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import (
    EventAccumulator,
)

from lgn_tf.model.lgn_net import LGNNet
from lgn_tf.runs import directory
from lgn_tf.training import telemetry

STEPS, BATCH, EPOCHS = 3, 2, 2


@pytest.fixture(scope="module")
def model():
    model = LGNNet((16, 24), 1, 2, 1 / 16, "glo_net", memory_items=3)
    model.build()
    model.compile()
    return model


@pytest.fixture(scope="module")
def run_dir(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    random = np.random.default_rng(0)
    clips = random.uniform(-1, 1, (6, 2, 16, 24, 1)).astype(np.float32)
    targets = random.uniform(-1, 1, (6, 16, 24, 1)).astype(np.float32)
    with telemetry.ProgressBar(EPOCHS, STEPS, 0, BATCH) as bar:
        model.fit(
            clips,
            targets,
            batch_size=BATCH,
            epochs=EPOCHS,
            verbose=0,
            callbacks=[
                bar,
                telemetry.EpochLog(folder, 0, lambda: 12.34),
                telemetry.Events(folder, clips[:2], targets[:2], STEPS, BATCH),
            ],
        )
    return folder


def test_the_log_has_a_line_an_epoch(run_dir):
    rows = telemetry.read_log(run_dir)
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert {"loss", "intensity", "psnr", "compactness"} <= set(rows[0])
    assert float(rows[0]["learning_rate"]) == np.float32(2e-4)
    assert rows[0]["seconds"] == "12.3"


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ("", None),
        ("epoch,loss\n1,0.5\n", None),
        ("epoch,gain\n1,-1.0\n2,0.01\n", None),
        ("epoch,gain\n1,1.0\n2,0.0\n", "predicts training video no better"),
        ("epoch,gain,val_gain\n1,1.0,-0.25\n", "held-out video no better"),
        ("epoch,gain,val_gain\n1,-1.0,0.25\n", None),
        ("epoch,gain,val_gain\n1,0.1,0.01\n2,0.2,0\n", "held-out video no"),
    ],
)
def test_a_model_that_copies_is_called_by_its_name(tmp_path, rows, sentence):
    if rows:
        (tmp_path / directory.LOG).write_text(rows)
    found = telemetry.copies(tmp_path)
    if sentence is None:
        assert found is None
    else:
        assert sentence in found and "--residual" in found
    if "-0.25" in rows:
        assert "(gain -0.25 dB)" in found


def test_a_model_that_was_better_before_is_told_to_train_shorter(tmp_path):
    rows = "epoch,gain,val_gain\n1,0.2,0.3\n2,0.9,0.7\n3,3.7,-0.14\n"
    (tmp_path / directory.LOG).write_text(rows)
    found = telemetry.copies(tmp_path)
    assert "held-out video no better than copying" in found
    assert "(gain -0.14 dB)" in found
    assert "(+0.70 dB after epoch 2): train shorter" in found
    assert "train longer" not in found


def test_lines_of_epochs_that_are_trained_again_are_dropped(
    run_dir, model, tmp_path
):
    source = run_dir / directory.LOG
    (tmp_path / directory.LOG).write_bytes(source.read_bytes())
    log = telemetry.EpochLog(tmp_path, 1, lambda: 99.0)
    log.set_model(model)
    log.on_epoch_end(1, {"loss": 0.5})
    rows = telemetry.read_log(tmp_path)
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert rows[1]["seconds"] == "99.0"
    assert rows[1]["loss"] == "0.5"


def test_no_log_has_no_lines(tmp_path):
    assert telemetry.read_log(tmp_path) == []


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
