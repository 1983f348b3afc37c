"""Winograd's convolution: the equations in NumPy, then tensors."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

from lgn_tf.backend import distribution, winograd
from lgn_tf.model import blocks
from lgn_tf.model.lgn_net import LGNNet

pytestmark = pytest.mark.latest


def correlated(inputs, kernel):
    """A 3 x 3 convolution with zeros around, from its definition, float64."""
    height, width = inputs.shape[1:3]
    padded = np.pad(inputs.astype(np.float64), ((0, 0), (1, 1), (1, 1), (0, 0)))
    return sum(
        padded[:, i : i + height, j : j + width] @ kernel[i, j]
        for i in range(3)
        for j in range(3)
    )


def drawn(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def test_four_outputs_of_a_row_take_six_products():
    """Y = A^T [(G g) . (B^T d)], one row of a tile."""
    output, kernel, inputs = winograd.transforms()
    d, g = drawn((6,)), drawn((3,), 1)
    products = (kernel @ g) * (inputs @ d)
    expected = np.correlate(d.astype(np.float64), g, "valid")
    assert products.shape == (6,)
    np.testing.assert_allclose(output @ products, expected, atol=1e-12)


def test_a_tile_takes_36_products():
    """Y = A^T [(G g G^T) . (B^T d B)] A."""
    output, kernel, inputs = winograd.transforms()
    d, g = drawn((6, 6)), drawn((3, 3), 1)
    products = (kernel @ g @ kernel.T) * (inputs @ d @ inputs.T)
    expected = correlated(d[None, :, :, None], g[:, :, None, None])
    np.testing.assert_allclose(
        output @ products @ output.T, expected[0, 1:-1, 1:-1, 0], atol=1e-12
    )


def test_transformed_holds_the_tiles_in_order():
    *_, inputs = winograd.transforms()
    image = drawn((2, 8, 12, 3))
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)))
    found = np.asarray(winograd.transformed(ops.convert_to_tensor(image)))
    assert found.shape == (36, 2 * 2 * 3, 3)
    tile = padded[1, 4:10, 8:14, 2]  # second image, second row, third column
    np.testing.assert_allclose(
        found[:, 6 + 3 + 2, 2].reshape(6, 6),
        inputs @ tile @ inputs.T,
        atol=1e-5,
    )


@pytest.mark.parametrize(
    "shape", [(2, 8, 12, 5), (1, 4, 4, 1), (3, 9, 6, 2), (1, 1, 3, 4)]
)
def test_equals_the_definition_in_any_size(shape):
    image, kernel = drawn(shape), drawn((3, 3, shape[-1], 7), 1)
    found = winograd.convolve(
        ops.convert_to_tensor(image), ops.convert_to_tensor(kernel)
    )
    np.testing.assert_allclose(
        np.asarray(found), correlated(image, kernel), atol=3e-5
    )


def gradients(convolve, image, kernel, upstream):
    """Returns the gradients of both arguments, by the backend."""
    image, kernel = (keras.Variable(one) for one in (image, kernel))
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            total = ops.sum(convolve(image.value, kernel.value) * upstream)
        return tape.gradient(total, [image.value, kernel.value])
    import jax

    return jax.grad(
        lambda x, k: ops.sum(convolve(x, k) * upstream), argnums=(0, 1)
    )(image.value, kernel.value)


@pytest.mark.parametrize("shape", [(2, 8, 12, 5), (3, 9, 6, 2)])
def test_gradients_are_those_of_the_direct_convolution(shape):
    image, kernel = drawn(shape), drawn((3, 3, shape[-1], 7), 1)
    upstream = drawn((*shape[:3], 7), 2)
    expected = gradients(
        lambda x, k: ops.conv(x, k, padding="same"), image, kernel, upstream
    )
    found = gradients(winograd.convolve, image, kernel, upstream)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(
            np.asarray(ours), np.asarray(theirs), rtol=1e-4, atol=1e-4
        )


def test_root_points_err_less_than_whole_numbers(monkeypatch):
    image, kernel = drawn((1, 32, 32, 64)), drawn((3, 3, 64, 16), 1)
    expected = correlated(image, kernel)

    def error():
        found = winograd.convolve(
            ops.convert_to_tensor(image), ops.convert_to_tensor(kernel)
        )
        return np.abs(np.asarray(found) - expected).mean()

    ours = error()
    monkeypatch.setattr(winograd, "POINTS", (0.0, 1.0, -1.0, 2.0, -2.0))
    for name, square in zip(
        ("_OUTPUT", "_KERNEL", "_INPUT"), winograd._squares(), strict=True
    ):
        monkeypatch.setattr(winograd, name, square)
    assert ours < 0.7 * error()


def test_half_precision_stays_half():
    image = ops.cast(drawn((1, 8, 8, 32)), "bfloat16")
    kernel = ops.cast(drawn((3, 3, 32, 8), 1) / 17, "bfloat16")
    found = winograd.convolve(image, kernel)
    assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"
    expected = correlated(
        np.asarray(ops.cast(image, "float32")),
        np.asarray(ops.cast(kernel, "float32")),
    )
    error = np.asarray(ops.cast(found, "float32")) - expected
    assert np.sqrt(np.mean(error**2)) < 0.03


@pytest.mark.parametrize(
    ("shape", "kernel", "expected"),
    [
        ((1, 64, 64, 256), (3, 3, 256, 128), True),
        ((1, 64, 64, 256), (3, 3, 256, 64), False),
        ((1, 64, 64, 64), (3, 3, 64, 256), False),
        ((1, 8, 64, 256), (3, 3, 256, 256), False),
    ],
)
def test_auto_takes_many_channels_and_many_tiles(shape, kernel, expected):
    inputs, kernel = ops.zeros(shape), ops.zeros(kernel)
    with winograd.algorithm("auto"):
        assert winograd.chosen(inputs, kernel) is expected
        assert not winograd.chosen(inputs, kernel, strides=2)
    with winograd.algorithm("direct"):
        assert not winograd.chosen(inputs, kernel)
    with winograd.algorithm("winograd"):
        assert winograd.chosen(inputs, kernel)


def test_auto_in_half_precision_where_a_bounded_function_follows():
    image = ops.zeros((1, 32, 32, 128), "bfloat16")
    kernel = ops.zeros((3, 3, 128, 128))
    with winograd.algorithm("auto"):
        assert winograd.chosen(image, kernel, bounded=True)
        assert not winograd.chosen(image, kernel)
        assert winograd.chosen(ops.cast(image, "float32"), kernel)


def test_cells_say_that_bounded_functions_follow(monkeypatch):
    asked = []

    def chosen(*arguments):
        asked.append(arguments[-1])
        return False

    monkeypatch.setattr(winograd, "chosen", chosen)
    model = LGNNet(image_size=(16, 16), width=0.0625, memory_items=4)
    model.build()
    model.stp_net(ops.zeros((1, 4, 4, 4, 8)))
    assert asked and all(asked)
    asked.clear()
    model.upsampler(ops.zeros((1, 4, 4, 16)))
    model.global_encoder(ops.zeros((1, 4, 16, 16, 3)))
    assert asked and not any(asked)


def test_auto_leaves_gpus_to_their_library(monkeypatch):
    assert winograd.pays((1, 64, 64, 256), (3, 3, 256, 256))
    monkeypatch.setattr(distribution, "devices", lambda: ["NVIDIA H100"])
    assert not winograd.pays((1, 64, 64, 256), (3, 3, 256, 256))


def test_other_kernels_are_never_taken():
    image = ops.zeros((1, 16, 16, 4))
    with winograd.algorithm("winograd"):
        assert not winograd.chosen(image, ops.zeros((1, 1, 4, 4)))
        assert not winograd.chosen(image, ops.zeros((5, 5, 4, 4)))


def test_the_environment_chooses_for_a_process(monkeypatch):
    image, kernel = ops.zeros((1, 8, 8, 2)), ops.zeros((3, 3, 2, 2))
    monkeypatch.setenv(winograd.VARIABLE, "winograd")
    assert winograd.chosen(image, kernel)
    # Code that chooses for itself knows better.
    with winograd.algorithm("direct"):
        assert not winograd.chosen(image, kernel)
    monkeypatch.setenv(winograd.VARIABLE, "fft")
    with pytest.raises(ValueError, match="LGN_CONVOLUTION='fft'"):
        winograd.chosen(image, kernel)


def test_a_command_says_so_in_one_line(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "lgn_tf", "score", "runs/x", "video"],
        env=os.environ | {winograd.VARIABLE: "fft"},
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if "LGN_" in line]
    assert len(lines) == 1 and "LGN_CONVOLUTION='fft'" in lines[0]


def test_an_unknown_algorithm_is_refused():
    with (
        pytest.raises(ValueError, match=r"auto, direct, winograd.*name='fft'"),
        winograd.algorithm("fft"),
    ):
        pass


def test_blocks_take_it_where_it_is_chosen(monkeypatch):
    taken = []
    own = winograd.convolve
    monkeypatch.setattr(
        winograd, "convolve", lambda *a: taken.append(1) or own(*a)
    )
    image, kernel = drawn((1, 8, 8, 2)), drawn((3, 3, 2, 3), 1)
    with winograd.algorithm("direct"):
        expected = blocks.convolve(image, kernel)
    assert not taken
    with winograd.algorithm("winograd"):
        found = blocks.convolve(ops.convert_to_tensor(image), kernel)
    assert taken
    np.testing.assert_allclose(
        np.asarray(found), np.asarray(expected), atol=1e-5
    )


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_the_network_predicts_the_same(dtype):
    model = LGNNet(image_size=(32, 48), width=0.25, dtype=dtype)
    model.build()
    clips = np.tanh(drawn((2, 4, 32, 48, 3)))
    outputs = {}
    for name in ("direct", "winograd"):
        with winograd.algorithm(name):
            outputs[name] = np.asarray(model(clips, training=False).prediction)
    np.testing.assert_allclose(
        outputs["winograd"],
        outputs["direct"],
        atol=1e-5 if dtype == "float32" else 5e-3,
    )


def test_the_network_learns_the_same():
    """Gradients through every layer: 16 cells, decoder, global encoder."""
    model = LGNNet(image_size=(16, 16), width=0.0625, memory_items=4)
    model.build()
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    start = model.get_weights()
    clips, targets = drawn((2, 4, 16, 16, 3)), drawn((2, 16, 16, 3), 1)
    logs, weights = [], []
    for name in ("direct", "winograd"):
        model.set_weights(start)
        model.reset_metrics()
        with winograd.algorithm(name):
            logs.append(model.train_on_batch(clips, targets, return_dict=True))
        weights.append(model.get_weights())
    for key, value in logs[0].items():
        np.testing.assert_allclose(logs[1][key], value, rtol=1e-4, err_msg=key)
    for ours, theirs in zip(weights[1], weights[0], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
