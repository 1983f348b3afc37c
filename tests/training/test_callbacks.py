"""The learning rate by its formula; divergence; snapshots by the clock."""

import math

import keras
import numpy as np
import pytest

from lgn_tf.config.length import Length
from lgn_tf.runs import directory, model_files
from lgn_tf.training import snapshots
from lgn_tf.training.callbacks import (
    Diverged,
    Snapshots,
    StopOnNaN,
    cosine_by_epoch,
)


def test_half_a_cosine_once_an_epoch():
    decay = cosine_by_epoch(2e-4, 60)
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(1.0))
    decay.set_model(model)
    rates = []
    for epoch in range(60):
        decay.on_epoch_begin(epoch)
        rates.append(float(model.optimizer.learning_rate))
    wanted = [2e-4 * (1 + math.cos(math.pi * e / 60)) / 2 for e in range(60)]
    np.testing.assert_allclose(rates, wanted, rtol=1e-6)
    assert rates[0] == np.float32(2e-4)
    np.testing.assert_allclose(rates[30], 1e-4, rtol=1e-6)


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_what_is_no_number_stops(loss):
    guard = StopOnNaN()
    guard.on_epoch_begin(2)
    guard.on_train_batch_end(6, {"loss": 1.0})
    guard.on_train_batch_end(7, {"loss": loss, "psnr": 20.0})
    # The device is at work on the next step by then.
    with pytest.raises(ValueError, match=r"epoch 3, step 8: .*psnr 20"):
        guard.on_train_batch_end(8, {"loss": 1.0})


def test_a_run_that_goes_on_counts_its_steps_from_the_epochs_start():
    guard = StopOnNaN(offset=5)
    guard.on_epoch_begin(0)
    guard.on_train_batch_end(2, {"loss": math.nan})
    with pytest.raises(Diverged, match="epoch 1, step 8"):
        guard.on_train_batch_end(3, {"loss": 1.0})
    guard.on_epoch_end(0)
    guard.on_epoch_begin(1)
    guard.on_train_batch_end(2, {"loss": math.nan})
    with pytest.raises(Diverged, match="epoch 2, step 3"):
        guard.on_epoch_end(1)


@pytest.fixture
def model():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    return model


def saver(tmp_path, model, progress=None):
    progress = progress or snapshots.Progress()
    result = Snapshots(tmp_path, Length(4, 10), 10.0, progress)
    result.set_model(model)
    return result


def test_the_best_weights_are_those_of_the_least_loss(
    tmp_path, model, monkeypatch
):
    kept = []
    monkeypatch.setattr(
        model_files, "save_weights", lambda *call: kept.append(call)
    )
    one = saver(tmp_path, model)
    for epoch, loss in enumerate((math.nan, 1.0, 2.0, 0.5, 0.5)):
        one.on_epoch_end(epoch, {"val_loss": loss})
        if loss == 1.0:
            assert len(kept) == 1
    assert [call[2] for call in kept] == [directory.BEST] * 2
    assert one.best == 0.5
    # A run that goes on remembers.
    one.save(5, 0)
    model_again = saver(tmp_path, model, snapshots.load(tmp_path, model))
    model_again.on_epoch_end(5, {"val_loss": 0.75})
    assert len(kept) == 2 and model_again.best == 0.5


def test_weights_that_are_no_numbers_are_not_saved(tmp_path, model):
    one = saver(tmp_path, model)
    one.save(0, 1)
    before = (tmp_path / snapshots.SNAPSHOT).read_bytes()
    kernel = model.layers[0].kernel
    kernel.assign([[1.0], [math.nan]])
    with pytest.raises(Diverged, match=r"kernel is not finite in epoch 1"):
        one.save(0, 2)
    assert (tmp_path / snapshots.SNAPSHOT).read_bytes() == before


def test_saves_by_the_clock(tmp_path, model, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    one = saver(tmp_path, model)
    one.on_epoch_begin(0)
    saved = []
    monkeypatch.setattr(one, "save", lambda *place: saved.append(place))
    now[0] = 599.0
    one.on_train_batch_end(0)
    assert saved == []
    now[0] = 600.0
    one.on_train_batch_end(1)
    assert saved == [(0, 2)]
    # Callbacks of the end of an epoch run first, of the last, short one too.
    for epoch, last in ((1, 3), (2, 1)):
        one.on_epoch_begin(epoch)
        one.on_train_batch_end(last)
    assert saved == [(0, 2)]
