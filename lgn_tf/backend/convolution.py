"""Convolution with explicit padding, direct or by Winograd's algorithm.

Two paddings differ between the framework of the paper and Keras, and both are
written out here: a stride-2 convolution pads one row and column on *both*
sides, a transposed one drops the *first* row and column of its result.

Winograd's algorithm is used where it was measured to be faster;
`docs/performance.md` has the measurements.

Letters: B batch, H height, W width, C channels.
"""

import contextlib
import contextvars
import os
from collections.abc import Iterator

import keras
from keras import ops

from lgn_tf.backend import distribution, winograd

MEASURED = ("tensorflow", "jax")
"""Backends on whose CPU kernels Winograd's algorithm was measured."""

LEAST_CHANNELS = 128
"""The fewest channels, of input and of output, for which Winograd's pays.

With fewer the additional passes take longer than the saved products."""

LEAST_TILES = 4
"""The fewest rows and columns of tiles for which Winograd's pays.

With fewer most of a tile is padding."""

ALGORITHMS = ("auto", "direct", "winograd")
VARIABLE = "LGN_CONVOLUTION"
"""Environment variable that sets the algorithm of a process."""

_chosen: contextvars.ContextVar[str | None] = contextvars.ContextVar(
    "algorithm", default=None
)


@contextlib.contextmanager
def algorithm(name: str) -> Iterator[None]:
    """Sets the algorithm of the convolutions that are traced inside.

    The faster algorithm depends on the machine, not on the model. So it is no
    argument of a layer, and nothing stores it. A graph keeps the algorithm it
    was traced with.

    Args:
        name: "direct" is the backend's own convolution; "winograd" is
            Winograd's wherever the kernel is 3 x 3 and the stride 1; "auto" is
            Winograd's where it was measured to be faster (`winograd_pays`).

    Raises:
        ValueError: for another name.
    """
    _require_known(name, "name")
    token = _chosen.set(name)
    try:
        yield
    finally:
        _chosen.reset(token)


def _require_known(name, source):
    if name not in ALGORITHMS:
        raise ValueError(
            f"`{source}` must be one of {', '.join(ALGORITHMS)}. "
            f"Received: {source}={name!r}"
        )


# Checked on import: inside a layer Keras would wrap the error in a page of
# text.
_require_known(os.environ.get(VARIABLE, "auto"), VARIABLE)


def convolve(inputs, kernel, strides=1, bounded=False):
    """Convolves with an odd kernel, padded by half of it on both sides.

    Args:
        inputs: tensor (batch, height, width, channels).
        kernel: tensor (size, size, channels, filters), size odd.
        strides: of the convolution, in both directions.
        bounded: whether a sigmoid or a tanh follows, see `uses_winograd`.

    Returns:
        A tensor (batch, height / strides, width / strides, filters) of the
        inputs' type, sides rounded up.
    """
    if uses_winograd(inputs, kernel, strides, bounded):
        # A copy: functions with gradients of their own take no variables.
        return winograd.convolve(inputs, ops.copy(kernel))
    kernel = ops.cast(kernel, inputs.dtype)
    if strides == 1:
        return ops.conv(inputs, kernel, padding="same")
    edge = kernel.shape[0] // 2
    inputs = ops.pad(inputs, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
    return ops.conv(inputs, kernel, strides=strides, padding="valid")


def convolve_transposed(inputs, kernel):
    """Doubles both sides with a transposed 3 x 3 convolution of stride 2.

    Args:
        inputs: tensor (batch, height, width, channels).
        kernel: tensor (3, 3, filters, channels).

    Returns:
        A tensor (batch, 2 height, 2 width, filters) of the inputs' type.
    """
    kernel = ops.cast(kernel, inputs.dtype)
    outputs = ops.conv_transpose(inputs, kernel, strides=2, padding="valid")
    return outputs[:, 1:, 1:, :]  # (B, 2H + 1, 2W + 1, C) -> (B, 2H, 2W, C)


def uses_winograd(inputs, kernel, strides=1, bounded=False):
    """Returns whether `convolve` computes a convolution by Winograd's.

    Args:
        inputs: tensor (batch, height, width, channels).
        kernel: tensor (rows, columns, channels, filters).
        strides: of the convolution.
        bounded: whether a sigmoid or a tanh follows. Both damp errors, so
            Winograd's algorithm is used in half precision, too. Without them
            its rounding, five times that of the direct convolution, was
            measured to move the PSNR of a frame.

    Raises:
        ValueError: for an unknown algorithm in the environment.
    """
    name = _chosen.get()
    if name is None:
        name = os.environ.get(VARIABLE, "auto")
        _require_known(name, VARIABLE)
    if name == "direct" or strides != 1 or tuple(kernel.shape[:2]) != (3, 3):
        return False
    if None in inputs.shape[1:3]:
        return False
    if name == "winograd":
        return True
    exact = keras.backend.standardize_dtype(inputs.dtype) == "float32"
    return (exact or bounded) and winograd_pays(inputs.shape, kernel.shape)


def winograd_pays(shape, kernel_shape):
    """Returns whether Winograd's was measured to be faster than direct.

    On CPUs alone, with TensorFlow and with JAX: libraries of GPUs choose for
    themselves.

    Args:
        shape: (batch, height, width, channels).
        kernel_shape: (3, 3, channels, filters).
    """
    return (
        min(kernel_shape[2:]) >= LEAST_CHANNELS
        and min(shape[1:3]) >= winograd.OUTPUTS * LEAST_TILES
        and _on_cpu()
    )


def _on_cpu():
    return keras.backend.backend() in MEASURED and all(
        device.lower() == "cpu" for device in distribution.devices()
    )
