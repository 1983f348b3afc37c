"""The schedule of the learning rate, by its formula."""

import math

import keras
import numpy as np
import pytest

from lgn_tf.callbacks import CosineDecay, StopOnNaN


def test_half_a_cosine_once_an_epoch():
    decay = CosineDecay(2e-4, 60)
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
    guard.on_train_batch_end(0, {"loss": 1.0})
    with pytest.raises(ValueError, match=r"epoch 3, step 8: .*psnr 20"):
        guard.on_train_batch_end(7, {"loss": loss, "psnr": 20.0})
