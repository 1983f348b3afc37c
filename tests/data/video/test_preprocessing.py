import subprocess
import sys

import cv2
import numpy as np
import pytest

from lgn_tf.data.video import preprocessing

SIZES = [(240, 360), (256, 256), (37, 61), (64, 64), (480, 33), (128, 180)]


def noise(*shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.latest
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("target", [(256, 256), (32, 48), (64, 64)])
@pytest.mark.parametrize("channels", [1, 3])
def test_resize_of_tensors_equals_opencv(size, target, channels):
    import tensorflow as tf

    frame = noise(*size, channels)
    wanted = cv2.resize(
        frame, target[::-1], interpolation=cv2.INTER_LINEAR
    ).reshape(*target, channels)
    np.testing.assert_array_equal(preprocessing.resize(frame, target), wanted)
    found = preprocessing.resize(tf.constant(frame), target)
    np.testing.assert_array_equal(found.numpy(), wanted)


def test_resize_without_antialiasing():
    # One bright column in every fourth place: its neighbours never see it.
    frame = np.zeros((8, 16, 1), np.uint8)
    frame[:, ::4] = 255
    np.testing.assert_array_equal(preprocessing.resize(frame, (2, 4)), 0)


def test_resize_is_rounded_before_it_is_scaled():
    frame = np.array([[[0], [1]]], np.uint8)
    small = preprocessing.prepare(frame, (1, 1), 1)
    assert small.dtype == np.uint8
    np.testing.assert_array_equal(small, [[[1]]])


@pytest.mark.latest
def test_the_same_function_inside_tf_data():
    import tensorflow as tf

    frame = noise(50, 70, 3)
    for channels in (1, 3):
        wanted = preprocessing.to_float(
            preprocessing.prepare(frame, (40, 24), channels)
        )
        # The size is not known when the graph is made.
        dataset = tf.data.Dataset.from_generator(
            lambda: iter([frame]),
            output_signature=tf.TensorSpec((None, None, 3), tf.uint8),
        ).map(
            lambda one, c=channels: preprocessing.to_float(
                preprocessing.prepare(one, (40, 24), c)
            )
        )
        assert dataset.element_spec.shape == (40, 24, channels)
        (found,) = dataset
        np.testing.assert_array_equal(found.numpy(), wanted)


@pytest.mark.latest
def test_gray_of_colour_equals_opencv():
    import tensorflow as tf

    frame = noise(64, 64, 3)
    wanted = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)[..., None]
    np.testing.assert_array_equal(preprocessing.to_channels(frame, 1), wanted)
    found = preprocessing.to_channels(tf.constant(frame), 1)
    np.testing.assert_array_equal(found.numpy(), wanted)


def test_gray_is_repeated():
    import tensorflow as tf

    frame = noise(5, 4, 1)
    wanted = np.repeat(frame, 3, axis=-1)
    np.testing.assert_array_equal(preprocessing.to_channels(frame, 3), wanted)
    found = preprocessing.to_channels(tf.constant(frame), 3)
    np.testing.assert_array_equal(found.numpy(), wanted)
    # And taken back: gray that was stored as colour is the same gray.
    np.testing.assert_array_equal(preprocessing.to_channels(wanted, 1), frame)


def test_other_channels_are_an_error():
    with pytest.raises(ValueError, match=r"1 or 3. Received: channels=2"):
        preprocessing.to_channels(noise(2, 2, 3), 2)


def test_scaling_and_back_for_every_level():
    import tensorflow as tf

    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    wanted = (levels.astype(np.float32) / 127.5 - 1).astype(np.float32)
    scaled = preprocessing.to_float(levels)
    assert scaled.dtype == np.float32
    np.testing.assert_array_equal(scaled, wanted)
    np.testing.assert_array_equal(
        preprocessing.to_float(tf.constant(levels)), wanted
    )
    np.testing.assert_array_equal(preprocessing.to_uint8(scaled), levels)
    back = preprocessing.to_uint8(tf.constant(scaled))
    np.testing.assert_array_equal(back.numpy(), levels)


def test_scaling_back_cuts_and_rounds():
    given = np.array([-3.0, -1.0, -0.9965, 0.0, 2.0], np.float32)
    np.testing.assert_array_equal(
        preprocessing.to_uint8(given), [0, 0, 0, 128, 255]
    )


def test_scaling_of_nothing():
    assert preprocessing.to_float(np.zeros((0, 4), np.uint8)).shape == (0, 4)


@pytest.mark.parametrize("source", [1, 3])
@pytest.mark.parametrize("channels", [1, 3])
def test_filling_equals_scaling(source, channels):
    given = noise(3, 6, 5, source)
    out = np.full((3, 6, 5, channels), np.nan, np.float32)
    preprocessing.fill(out, given)
    wanted = preprocessing.to_float(preprocessing.to_channels(given, channels))
    np.testing.assert_array_equal(out, wanted)


def test_is_gray():
    frame = np.repeat(noise(4, 4, 1), 3, axis=-1)
    assert preprocessing.is_gray(frame)
    assert preprocessing.is_gray(frame[..., :1])
    frame[2, 3, 0] ^= 1
    assert not preprocessing.is_gray(frame)


def test_arrays_need_no_tensorflow():
    code = (
        "import sys, numpy as np\n"
        "sys.modules['tensorflow'] = sys.modules['keras'] = None\n"
        "from lgn_tf.data import verification\n"
        "from lgn_tf.data.store import preparation\n"
        "from lgn_tf.data.video import decoding, preprocessing\n"
        "from lgn_tf.evaluation import baselines\n"
        "from lgn_tf.cli import data\n"
        "x = preprocessing.prepare(np.zeros((9, 9, 1), np.uint8), (8, 8), 3)\n"
        "print(preprocessing.to_float(x).shape)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert done.stdout == "(8, 8, 3)\n", done.stderr
