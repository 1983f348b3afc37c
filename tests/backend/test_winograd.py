"""Winograd's convolution: the equations in NumPy, then tensors."""

import keras
import numpy as np
import pytest
from keras import ops

from lgn_tf.backend import winograd

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
