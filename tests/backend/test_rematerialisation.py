"""What is computed again, what is written once, and that nothing else differs.

`tests/conformance` has whole training runs, on several devices and backends.
"""

import keras
import numpy as np
import pytest
from keras import ops

from lgn_tf.backend import convolution
from lgn_tf.backend.rematerialisation import caller, rematerialised
from lgn_tf.config.schema import Config, ModelConfig, TrainingConfig, from_dict
from lgn_tf.model.blocks import ConvBNReLU
from lgn_tf.model.lgn_net import LGNNet, build_model
from lgn_tf.model.recurrent_cells import STLSTMCell, STLSTMState

tf = pytest.importorskip("tensorflow")

VARIANTS = ("lgn_net", "lgn_st", "glo_net", "loc_net")
SMALL = {"image_size": (16, 24), "channels": 1, "frames": 2, "width": 1 / 16}


def numbers(*shape, seed=0):
    random = np.random.default_rng(seed)
    return random.uniform(-1, 1, shape).astype(np.float32)


def pair(make, *inputs):
    """Returns two layers of the same weights."""
    layers = [make(), make()]
    for layer in layers:
        layer(*inputs)
    layers[1].set_weights(layers[0].get_weights())
    return layers


def gradients(call, layer, *inputs, **options):
    """Returns outputs and the gradients of inputs and weights."""
    tensors = [tf.constant(x) for x in keras.tree.flatten(inputs)]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        arguments = keras.tree.pack_sequence_as(inputs, tensors)
        outputs = call(layer, *arguments, **options)
        flat = keras.tree.flatten(outputs)
        loss = sum(
            tf.reduce_sum(x * numbers(*x.shape, seed=i))
            for i, x in enumerate(flat)
        )
    learned = [v.value for v in layer.trainable_variables]
    return flat, tape.gradient(
        loss, [*tensors, *learned], unconnected_gradients="zero"
    )


def assert_close(ours, theirs, absolute=1e-5):
    for x, y in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(
            ops.convert_to_numpy(x),
            ops.convert_to_numpy(y),
            rtol=1e-5,
            atol=absolute,
        )


@pytest.fixture(params=["direct", "winograd"])
def algorithm(request):
    """Each way to compute a convolution; one has gradients of its own."""
    with convolution.algorithm(request.param):
        yield


@pytest.mark.usefixtures("algorithm")
@pytest.mark.parametrize("transposed", [False, True])
def test_a_block_has_the_same_gradients_and_statistics(transposed):
    inputs = numbers(3, 4, 6, 5)
    plain, again = pair(
        lambda: ConvBNReLU(7, transposed=transposed, name="block"), inputs
    )
    before = plain.norm.moving_mean.numpy()
    expected = gradients(caller(False), plain, inputs, training=True)
    found = gradients(caller(True), again, inputs, training=True)
    assert_close(found[0], expected[0])
    assert_close(found[1], expected[1], 1e-4)
    assert np.abs(plain.norm.moving_mean.numpy() - before).max() > 1e-3
    assert_close(again.weights, plain.weights, 1e-7)


@pytest.mark.usefixtures("algorithm")
@pytest.mark.parametrize("absent", [(), ("hidden", "cell"), ("memory",)])
def test_a_cell_has_the_same_gradients(absent):
    state = STLSTMState(*(numbers(2, 4, 6, 8, seed=i) for i in range(3)))
    state = state._replace(**dict.fromkeys(absent))
    inputs = numbers(2, 4, 6, 3)
    plain, again = pair(lambda: STLSTMCell(8), inputs, state)
    given = (inputs, [x for x in state if x is not None])

    def restored(call):
        def called(layer, x, parts):
            parts = iter(parts)
            full = STLSTMState(
                *(None if y is None else next(parts) for y in state)
            )
            return call(layer, x, full)

        return called

    expected = gradients(restored(caller(False)), plain, *given)
    found = gradients(restored(caller(True)), again, *given)
    assert_close(found[0], expected[0])
    assert_close(found[1], expected[1], 1e-4)


class Counted(keras.layers.Layer):
    """Counts how often it is computed, and how often it was told to."""

    computed = 0

    def build(self, input_shape):
        del input_shape
        self.kernel = self.add_weight(shape=(3,), name="kernel")
        self.calls = self.add_weight(
            shape=(), name="calls", initializer="zeros", trainable=False
        )

    def call(self, inputs):
        self.computed += 1
        self.calls.assign(self.calls + 1)
        return ops.tanh(inputs * self.kernel)


def test_computed_again_for_the_backward_pass_and_written_once():
    layer = Counted()
    layer.build((None, 3))
    with tf.GradientTape() as tape:
        outputs = rematerialised(layer, tf.ones((2, 3)))
        assert layer.computed == 1
    tape.gradient(outputs, layer.kernel.value)
    assert layer.computed == 2
    assert float(layer.calls) == 1


@pytest.mark.parametrize("variant", VARIANTS)
def test_only_training_is_computed_again(variant, monkeypatch):
    counts = []

    def remat(function):
        counts.append(function)
        return function

    monkeypatch.setattr(keras, "remat", remat)
    model = LGNNet(variant=variant, memory_items=4, rematerialise=True, **SMALL)
    model.build()
    clips = numbers(2, 2, 16, 24, 1)
    model(clips)
    model.encode_video(clips[0])
    assert not counts
    model(clips, training=True)
    blocks = [
        layer
        for layer in model._flatten_layers()
        # Without the memory, nine blocks of the decoder are never built.
        if isinstance(layer, ConvBNReLU) and layer.weights
    ]
    # For two frames: the encoder's four blocks once more, and four cells each.
    assert len(counts) == len(blocks) + (4 + 8) * model.has_local


def step(dtype, rematerialise):
    keras.utils.set_random_seed(3)
    model = LGNNet(
        memory_items=4, rematerialise=rematerialise, dtype=dtype, **SMALL
    )
    model.build()
    model.compile(keras.optimizers.SGD(1e-2), run_eagerly=True)
    logs = model.train_on_batch(
        numbers(2, 2, 16, 24, 1), numbers(2, 16, 24, 1), return_dict=True
    )
    return logs, model.get_weights()


def test_half_precision():
    expected, found = (step("mixed_bfloat16", again) for again in (False, True))
    assert found[0] == pytest.approx(expected[0], rel=1e-3)
    assert_close(found[1], expected[1], 1e-3)


def test_the_configuration_says_so():
    config = Config(
        ModelConfig(width=1 / 16, image_size=(16, 16)),
        TrainingConfig(rematerialise=True),
    )
    model = build_model(config)
    parts = ("frame_encoder", "stp_net", "upsampler", "decoder")
    assert all(getattr(model, part).rematerialise for part in parts)
    assert model.get_config()["rematerialise"]
    assert not build_model(
        Config(ModelConfig(width=1 / 16, image_size=(16, 16)))
    ).rematerialise


def test_a_configuration_that_was_stored_before_keeps_all():
    assert not from_dict({"training": {"epochs": 2}}).training.rematerialise
