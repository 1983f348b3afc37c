"""Padding by hand, and where Winograd's algorithm takes over."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

from lgn_tf.backend import convolution, distribution, winograd
from lgn_tf.model.lgn_net import LGNNet
from tests.helpers import by_hand

pytestmark = pytest.mark.latest


def drawn(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def image(rows):
    """One image of one channel."""
    return np.asarray(rows, np.float32)[None, :, :, None]


def kernel(rows):
    """A kernel from one channel to one."""
    return np.asarray(rows, np.float32)[:, :, None, None]


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (4, 6, [[4, 6, 6], [6, 9, 9]]),
        (5, 7, [[4, 6, 6, 4], [6, 9, 9, 6], [4, 6, 6, 4]]),
    ],
)
def test_halving_pads_one_before_the_first_pixel(height, width, expected):
    """Counts the pixels under the kernel: fewer at padded sides only."""
    ones = image(np.ones((height, width)))
    outputs = convolution.convolve(ones, kernel(np.ones((3, 3))), strides=2)
    np.testing.assert_allclose(np.asarray(outputs)[0, :, :, 0], expected)


def test_convolution_does_not_flip_its_kernel():
    pixels = np.zeros((3, 4))
    pixels[1, 2] = 1
    weights = np.arange(1, 10).reshape(3, 3)
    outputs = convolution.convolve(image(pixels), kernel(weights))
    expected = [[0, 9, 8, 7], [0, 6, 5, 4], [0, 3, 2, 1]]
    np.testing.assert_allclose(np.asarray(outputs)[0, :, :, 0], expected)


def test_doubling_drops_the_first_row_and_column():
    weights = np.arange(1, 10).reshape(3, 3)
    outputs = convolution.convolve_transposed(
        image([[1, 100]]), kernel(weights)
    )
    # The kernels of both pixels overlap in one column, 6 + 400 and 9 + 700.
    expected = [[5, 406, 500, 600], [8, 709, 800, 900]]
    np.testing.assert_allclose(np.asarray(outputs)[0, :, :, 0], expected)


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("size", [1, 3, 5])
def test_convolve_any_odd_kernel(size, strides):
    inputs = by_hand.draw(2, 5, 8, 3)
    weights = by_hand.draw(size, size, 3, 4, seed=2)
    outputs = convolution.convolve(inputs, weights, strides)
    expected = by_hand.convolve(inputs, weights, strides)
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-4)


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
    with convolution.algorithm("auto"):
        assert convolution.uses_winograd(inputs, kernel) is expected
        assert not convolution.uses_winograd(inputs, kernel, strides=2)
    with convolution.algorithm("direct"):
        assert not convolution.uses_winograd(inputs, kernel)
    with convolution.algorithm("winograd"):
        assert convolution.uses_winograd(inputs, kernel)


def test_auto_in_half_precision_where_a_bounded_function_follows():
    image = ops.zeros((1, 32, 32, 128), "bfloat16")
    kernel = ops.zeros((3, 3, 128, 128))
    with convolution.algorithm("auto"):
        assert convolution.uses_winograd(image, kernel, bounded=True)
        assert not convolution.uses_winograd(image, kernel)
        assert convolution.uses_winograd(ops.cast(image, "float32"), kernel)


def test_cells_say_that_bounded_functions_follow(monkeypatch):
    asked = []

    def chosen(*arguments):
        asked.append(arguments[-1])
        return False

    monkeypatch.setattr(convolution, "uses_winograd", chosen)
    model = LGNNet(image_size=(16, 16), width=0.0625, memory_items=4)
    model.build()
    model.stp_net(ops.zeros((1, 4, 4, 4, 8)))
    assert asked and all(asked)
    asked.clear()
    model.upsampler(ops.zeros((1, 4, 4, 16)))
    model.global_encoder(ops.zeros((1, 4, 16, 16, 3)))
    assert asked and not any(asked)


def test_auto_leaves_gpus_to_their_library(monkeypatch):
    assert convolution.winograd_pays((1, 64, 64, 256), (3, 3, 256, 256))
    monkeypatch.setattr(distribution, "devices", lambda: ["NVIDIA H100"])
    assert not convolution.winograd_pays((1, 64, 64, 256), (3, 3, 256, 256))


def test_other_kernels_are_never_taken():
    image = ops.zeros((1, 16, 16, 4))
    with convolution.algorithm("winograd"):
        assert not convolution.uses_winograd(image, ops.zeros((1, 1, 4, 4)))
        assert not convolution.uses_winograd(image, ops.zeros((5, 5, 4, 4)))


def test_the_environment_chooses_for_a_process(monkeypatch):
    image, kernel = ops.zeros((1, 8, 8, 2)), ops.zeros((3, 3, 2, 2))
    monkeypatch.setenv(convolution.VARIABLE, "winograd")
    assert convolution.uses_winograd(image, kernel)
    # Code that chooses for itself knows better.
    with convolution.algorithm("direct"):
        assert not convolution.uses_winograd(image, kernel)
    monkeypatch.setenv(convolution.VARIABLE, "fft")
    with pytest.raises(ValueError, match="LGN_CONVOLUTION='fft'"):
        convolution.uses_winograd(image, kernel)


def test_a_command_says_so_in_one_line(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "lgn_tf", "score", "runs/x", "video"],
        env=os.environ | {convolution.VARIABLE: "fft"},
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
        convolution.algorithm("fft"),
    ):
        pass


def test_convolve_takes_winograds_where_it_is_chosen(monkeypatch):
    taken = []
    own = winograd.convolve
    monkeypatch.setattr(
        winograd, "convolve", lambda *a: taken.append(1) or own(*a)
    )
    image, kernel = drawn((1, 8, 8, 2)), drawn((3, 3, 2, 3), 1)
    with convolution.algorithm("direct"):
        expected = convolution.convolve(image, kernel)
    assert not taken
    with convolution.algorithm("winograd"):
        found = convolution.convolve(ops.convert_to_tensor(image), kernel)
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
        with convolution.algorithm(name):
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
        with convolution.algorithm(name):
            logs.append(model.train_on_batch(clips, targets, return_dict=True))
        weights.append(model.get_weights())
    for key, value in logs[0].items():
        np.testing.assert_allclose(logs[1][key], value, rtol=1e-4, err_msg=key)
    for ours, theirs in zip(weights[1], weights[0], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
