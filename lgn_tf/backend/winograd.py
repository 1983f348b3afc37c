"""Winograd's convolution F(4 x 4, 3 x 3): a quarter of the products.

A 3 x 3 convolution of stride 1 computes tiles of 4 x 4 outputs from tiles of
6 x 6 inputs. With d a tile of one input channel and g a kernel,

    Y = A^T [ sum over channels of (G g G^T) . (B^T d B) ] A

where `.` is element by element: 36 products a tile and channel instead of 144,
and for all tiles and channels 36 matrix products. Written for whole tensors,
vec(B^T d B) = (B^T x B^T) vec(d) with the Kronecker product x, so the two
transforms are matrix products as well.

A convolution that is bound by its products gains; one of few channels is bound
by memory and loses to the extra passes. `lgn_tf.backend.convolution` chooses.

Letters: B batch, H height, W width, C input and O output channels, T rows and
S columns of tiles, P = B T S tiles.

Reference:
    Lavin and Gray, Fast algorithms for convolutional neural networks, CVPR
    2016. Barabasz et al., Error analysis and improving the accuracy of
    Winograd convolution for deep neural networks, TOMS 2020.
"""

import numpy as np
from keras import ops

OUTPUTS = 4
KERNEL = 3
INPUTS = OUTPUTS + KERNEL - 1
POINTS = (0.0, 0.5**0.5, -(0.5**0.5), 2.0**0.5, -(2.0**0.5))
"""Points at which the polynomials are evaluated, besides infinity.

Points whose product is 1 keep the transforms small: less rounding than by the
usual 0, 1, -1, 2, -2, in float32 and in half precision.
"""

DTYPE = "float32"
"""Type in which kernels are transformed, whatever that of the inputs."""


def transforms():
    """Returns (A^T, G, B^T): float64 arrays (4, 6), (6, 3), (6, 6).

    Toom and Cook multiply two polynomials by their values at `POINTS` and
    infinity, and interpolate the product. The transposed way is a correlation.
    """
    points = np.array(POINTS)

    def values(terms):  # of the powers below `terms`; infinity sees the last
        rows = points[:, None] ** np.arange(terms)
        return np.vstack([rows, np.eye(terms)[-1]])

    interpolation = np.linalg.inv(values(INPUTS)).T
    # The denominators go to the kernel, whose transform is seldom computed:
    # what is left of B^T is small.
    scale = np.abs(interpolation).max(axis=1)
    scale[0] = scale[-1] = 1.0
    return (
        values(OUTPUTS).T,
        values(KERNEL) * scale[:, None],
        interpolation / scale[:, None],
    )


def _squares():
    """Returns the Kronecker squares of `transforms`, float32."""
    return [np.kron(one, one).astype(np.float32) for one in transforms()]


_OUTPUT, _KERNEL, _INPUT = _squares()


@ops.custom_gradient
def convolve(inputs, kernel):
    """Convolves with a 3 x 3 kernel, padded by 1 on all sides.

    The gradients use the same algorithm, and keep only the arguments.

    Args:
        inputs: tensor (batch, height, width, channels), height and width
            known.
        kernel: tensor (3, 3, channels, filters).

    Returns:
        A tensor (batch, height, width, filters) of the inputs' type.
    """

    def gradient(*args, upstream=None):
        (upstream,) = args if upstream is None else (upstream,)
        # The kernel turned by half a circle, input and output exchanged.
        turned = ops.transpose(ops.flip(kernel, (0, 1)), (0, 1, 3, 2))
        return (
            _convolve(upstream, turned),
            _kernel_gradient(inputs, upstream, kernel),
        )

    return _convolve(inputs, kernel), gradient


def _convolve(inputs, kernel):
    channels, filters = kernel.shape[2:]
    batch, (height, width) = ops.shape(inputs)[0], inputs.shape[1:3]
    rows, columns = -(-height // OUTPUTS), -(-width // OUTPUTS)
    # (36, 9) (9, C O) -> (36, C, O), in float32 as the kernel is stored
    flat = ops.reshape(ops.cast(kernel, DTYPE), (KERNEL**2, -1))
    weights = ops.reshape(
        ops.matmul(_KERNEL, flat), (INPUTS**2, channels, filters)
    )
    products = ops.matmul(
        transformed(inputs), ops.cast(weights, inputs.dtype)
    )  # (36, P, C) (36, C, O) -> (36, P, O)
    tiles = ops.matmul(
        ops.cast(_OUTPUT, inputs.dtype),
        ops.reshape(products, (INPUTS**2, -1)),
    )  # (16, P O)
    tiles = ops.reshape(
        tiles, (OUTPUTS, OUTPUTS, batch, rows, columns, filters)
    )
    outputs = ops.reshape(
        ops.transpose(tiles, (2, 3, 0, 4, 1, 5)),
        (batch, rows * OUTPUTS, columns * OUTPUTS, filters),
    )
    return outputs[:, :height, :width]


def transformed(inputs):
    """Returns B^T d B of all tiles and channels.

    Args:
        inputs: tensor (batch, height, width, channels).

    Returns:
        A tensor (36, tiles, channels).
    """
    height, width, channels = inputs.shape[1:]
    rows, columns = -(-height // OUTPUTS), -(-width // OUTPUTS)
    # One row of zeros above, as many below as fill up one more tile.
    planes = _planes(inputs, rows + 1, columns + 1, 1)
    # The last two rows of a tile are the first two of the next.
    planes = ops.concatenate(
        [planes[:, :, :, :rows], planes[:2, :, :, 1:]], axis=0
    )
    planes = ops.concatenate(
        [planes[:, :, :, :, :columns], planes[:, :2, :, :, 1:]], axis=1
    )  # (6, 6, B, T, S, C)
    tiles = ops.matmul(
        ops.cast(_INPUT, inputs.dtype), ops.reshape(planes, (INPUTS**2, -1))
    )
    return ops.reshape(tiles, (INPUTS**2, -1, channels))


def _planes(inputs, rows, columns, before):
    """Cuts into tiles of 4 x 4; returns (4, 4, B, rows, columns, C)."""
    batch, (height, width, channels) = ops.shape(inputs)[0], inputs.shape[1:]
    padding = (
        (0, 0),
        (before, rows * OUTPUTS - height - before),
        (before, columns * OUTPUTS - width - before),
        (0, 0),
    )
    if any(any(pair) for pair in padding):
        inputs = ops.pad(inputs, padding)
    tiles = ops.reshape(
        inputs, (batch, rows, OUTPUTS, columns, OUTPUTS, channels)
    )
    return ops.transpose(tiles, (2, 4, 0, 1, 3, 5))


def _kernel_gradient(inputs, upstream, kernel):
    """Returns the gradient of the kernel: the transposed transforms.

    The last one is computed in float32, as that of the kernel is.
    """
    channels, filters = kernel.shape[2:]
    rows = -(-inputs.shape[1] // OUTPUTS)
    columns = -(-inputs.shape[2] // OUTPUTS)
    planes = _planes(upstream, rows, columns, 0)
    products = ops.matmul(
        ops.cast(_OUTPUT.T, upstream.dtype),
        ops.reshape(planes, (OUTPUTS**2, -1)),
    )
    products = ops.reshape(products, (INPUTS**2, -1, filters))  # (36, P, O)
    weights = ops.matmul(
        ops.transpose(transformed(inputs), (0, 2, 1)), products
    )  # (36, C, P) (36, P, O) -> (36, C, O)
    flat = ops.reshape(ops.cast(weights, DTYPE), (INPUTS**2, -1))
    gradient = ops.reshape(
        ops.matmul(_KERNEL.T, flat), (KERNEL, KERNEL, channels, filters)
    )
    return ops.cast(gradient, kernel.dtype)
