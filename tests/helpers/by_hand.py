"""The equations in plain NumPy, pixel by pixel, in float64.

What the layers are compared with. Slow and plain on purpose, and written from
the equations: nothing here calls the package. Channels come last; a kernel is
(height, width, in, out), a transposed one (height, width, out, in).
"""

import numpy as np

EPSILON = 1e-5


def convolve(inputs, kernel, stride=1):
    """Sums over the zero-padded window around every `stride`-th pixel."""
    batch, height, width, _ = inputs.shape
    edge = kernel.shape[0] // 2
    rows, columns = -(-height // stride), -(-width // stride)
    outputs = np.zeros((batch, rows, columns, kernel.shape[-1]))
    for n, row, column in np.ndindex(batch, rows, columns):
        for i, j in np.ndindex(kernel.shape[:2]):
            y, x = row * stride + i - edge, column * stride + j - edge
            if 0 <= y < height and 0 <= x < width:
                outputs[n, row, column] += inputs[n, y, x] @ kernel[i, j]
    return outputs


def convolve_transposed(inputs, kernel):
    """Each pixel adds its kernel around twice its place, shifted by one."""
    batch, height, width, _ = inputs.shape
    outputs = np.zeros((batch, 2 * height, 2 * width, kernel.shape[2]))
    for n, row, column in np.ndindex(batch, height, width):
        for i, j in np.ndindex(3, 3):
            y, x = 2 * row + i - 1, 2 * column + j - 1
            if 0 <= y < 2 * height and 0 <= x < 2 * width:
                outputs[n, y, x] += kernel[i, j] @ inputs[n, row, column]
    return outputs


def max_pool(inputs):
    """The largest of each 2 x 2 pixels."""
    batch, height, width, channels = inputs.shape
    outputs = np.zeros((batch, height // 2, width // 2, channels))
    for n, row, column in np.ndindex(outputs.shape[:3]):
        window = inputs[n, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        outputs[n, row, column] = window.max(axis=(0, 1))
    return outputs


def pool_cells(maps, size):
    """Averages cells of `size` x `size`; those at both ends may be smaller."""
    missing = [-side % size for side in maps.shape[1:]]
    margins = [(lack // 2, lack - lack // 2) for lack in missing]
    padded = np.pad(
        maps.astype(float), [(0, 0), *margins], constant_values=np.nan
    )
    rows, columns = (side // size for side in padded.shape[1:])
    cells = padded.reshape(len(maps), rows, size, columns, size)
    return np.nanmean(cells, axis=(2, 4))


def batch_norm(inputs, gamma, beta, mean, variance):
    return gamma * (inputs - mean) / np.sqrt(variance + EPSILON) + beta


def relu(x):
    return np.where(x > 0, x, 0.0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def unit(vectors):
    """Each vector of the last axis by its L2 norm."""
    return vectors / np.sqrt((vectors**2).sum(axis=-1, keepdims=True))


def array(variable):
    """A weight or a tensor, as float64."""
    # By way of float32, which every half-precision format fits into.
    return np.asarray(variable).astype(np.float32).astype(np.float64)


def conv(layer, inputs, stride=1, transposed=False):
    """What a `Conv` gives with its present weights."""
    kernel, bias = array(layer.kernel), array(layer.bias)
    if transposed:
        return convolve_transposed(inputs, kernel) + bias
    return convolve(inputs, kernel, stride) + bias


def conv_bn_relu(layer, inputs, stride=1, transposed=False, training=False):
    """What a `ConvBNReLU` gives with its present weights."""
    features = conv(layer.conv, inputs, stride, transposed)
    mean = array(layer.norm.moving_mean)
    variance = array(layer.norm.moving_variance)
    if training:
        mean = features.mean(axis=(0, 1, 2))
        variance = ((features - mean) ** 2).mean(axis=(0, 1, 2))
    gamma, beta = array(layer.norm.gamma), array(layer.norm.beta)
    return relu(batch_norm(features, gamma, beta, mean, variance))


def st_lstm(x, h, c, m, kernels, forget_bias=1.0):
    """One step; `kernels` by gate: "xi", "hi", "xi'", "mi'", ... "o", "last".

    Returns:
        The next h, c and m.
    """
    k = kernels
    g = np.tanh(convolve(x, k["xg"]) + convolve(h, k["hg"]))
    i = sigmoid(convolve(x, k["xi"]) + convolve(h, k["hi"]))
    f = sigmoid(convolve(x, k["xf"]) + convolve(h, k["hf"]) + forget_bias)
    c = f * c + i * g
    g = np.tanh(convolve(x, k["xg'"]) + convolve(m, k["mg'"]))
    i = sigmoid(convolve(x, k["xi'"]) + convolve(m, k["mi'"]))
    f = sigmoid(convolve(x, k["xf'"]) + convolve(m, k["mf'"]) + forget_bias)
    m = f * m + i * g
    both = np.concatenate([c, m], axis=-1)
    o = sigmoid(
        convolve(x, k["xo"]) + convolve(h, k["ho"]) + convolve(both, k["o"])
    )
    return o * np.tanh(convolve(both, k["last"])), c, m


def conv_lstm(x, h, c, kernels, forget_bias=1.0):
    """One step without peepholes nor biases; returns the next h and c."""
    f, i, g, o = (
        convolve(x, kernels["x" + gate]) + convolve(h, kernels["h" + gate])
        for gate in "figo"
    )
    c = sigmoid(f + forget_bias) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gate_kernels(cell):
    """The kernels of an `STLSTMCell` or a `ConvLSTMCell`, by gate.

    The order of the gates is that of saved weights, hence spelled out.
    """
    kernels = {}
    spatial = hasattr(cell, "m_kernel")
    orders = {"x": ["f", "i", "g", "o"], "h": ["f", "i", "g", "o"]}
    if spatial:
        orders["x"] += ["i'", "g'", "f'"]
        orders["m"] = ["i'", "g'", "f'"]
        kernels["o"] = array(cell.o_kernel)
        kernels["last"] = array(cell.last_kernel)
    for source, order in orders.items():
        fused = array(getattr(cell, f"{source}_kernel"))
        assert fused.shape[-1] == len(order) * cell.units
        for place, gate in enumerate(order):
            span = slice(place * cell.units, (place + 1) * cell.units)
            kernels[source + gate] = fused[..., span]
    return kernels


def draw_weights(layer, seed=0):
    """Gives every weight a value that leaves nothing at zero or one."""
    rng = np.random.default_rng(seed)
    for weight in layer.weights:
        values = rng.standard_normal(weight.shape)
        if weight.name.endswith("kernel"):
            values *= 1.5 / np.sqrt(np.prod(weight.shape[:-1]))
        elif weight.name == "gamma":
            values = 1 + 0.3 * values
        elif weight.name == "moving_variance":
            values = 0.5 + np.abs(values)
        else:
            values *= 0.3
        weight.assign(values)


def draw(*shape, seed=1):
    """Standard normal float32 values."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape).astype(np.float32)
