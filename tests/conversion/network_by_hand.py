"""The network once more, by hand, on the tensors of a source."""

import numpy as np

from tests.helpers import by_hand

BATCH, TIME, CHANNELS, HEIGHT, WIDTH = 2, 2, 3, 8, 16
UNITS, DIM, ITEMS = 2, 5, 4
CLIPS = np.tanh(by_hand.draw(BATCH, TIME, CHANNELS, HEIGHT, WIDTH))

ENCODER = [
    # Name of the stage, input and output channels; the latter twice.
    ("encoder.moduleConv1", TIME * CHANNELS, 2),
    ("encoder.moduleConv2", 2, 3),
    ("encoder.moduleConv3", 3, 4),
    ("encoder.moduleConv4", 4, DIM),
]
FRAME_ENCODER = [(0, CHANNELS, 3), (3, 3, 3), (6, 3, UNITS), (9, UNITS, UNITS)]
RAISING = [
    ("moduleConv", "moduleUpsample4", DIM, 4, 3),
    ("moduleDeconv3", "moduleUpsample3", 3, 4, 2),
    ("moduleDeconv2", "moduleUpsample2", 2, 3, 4),
]
LOCAL = 3
X_GATES = ["i", "f", "g", "i'", "f'", "g'", "o"]
H_GATES = ["i", "f", "g", "o"]
M_GATES = ["i'", "f'", "g'"]


def draw_weights(seed=3):
    """A state dict of the authors' names, of other channel counts."""
    rng = np.random.default_rng(seed)
    weights = {}

    def draw(name, *shape):
        weights[name] = rng.standard_normal(shape).astype(np.float32)

    def convolution(name, inputs, outputs, size=3, bias=True):
        draw(f"{name}.weight", outputs, inputs, size, size)
        weights[f"{name}.weight"] *= 1.5 / np.sqrt(inputs * size**2)
        if bias:
            draw(f"{name}.bias", outputs)

    def transposed(name, inputs, outputs):
        convolution(name, inputs, outputs)
        draw(f"{name}.weight", inputs, outputs, 3, 3)
        weights[f"{name}.weight"] *= 1 / np.sqrt(inputs)

    def norm(name, channels):
        draw(f"{name}.weight", channels)
        weights[f"{name}.weight"] = 1 + 0.3 * weights[f"{name}.weight"]
        draw(f"{name}.bias", channels)
        draw(f"{name}.running_mean", channels)
        draw(f"{name}.running_var", channels)
        variance = np.abs(weights[f"{name}.running_var"])
        weights[f"{name}.running_var"] = 0.5 + variance

    for name, inputs, outputs in ENCODER:
        convolution(f"{name}.0", inputs, outputs)
        norm(f"{name}.1", outputs)
        convolution(f"{name}.3", outputs, outputs)
        if name != ENCODER[-1][0]:
            norm(f"{name}.4", outputs)
    for place, inputs, outputs in FRAME_ENCODER:
        convolution(f"pred.encoder.{place}", inputs, outputs)
        norm(f"pred.encoder.{place + 1}", outputs)
    for layer in range(4):
        name = f"pred.convlstm_list.{layer}.conv"
        convolution(f"{name}_x.0", UNITS, 7 * UNITS, bias=False)
        convolution(f"{name}_h.0", UNITS, 4 * UNITS, bias=False)
        convolution(f"{name}_m.0", UNITS, 3 * UNITS, bias=False)
        convolution(f"{name}_o.0", 2 * UNITS, UNITS, bias=False)
        convolution(f"{name}_last", 2 * UNITS, UNITS, size=1, bias=False)
    for pair, raising, inputs, middle, outputs in RAISING:
        convolution(f"decoder.{pair}.0", inputs, middle)
        norm(f"decoder.{pair}.1", middle)
        convolution(f"decoder.{pair}.3", middle, middle)
        norm(f"decoder.{pair}.4", middle)
        transposed(f"decoder.{raising}.0", middle, outputs)
        norm(f"decoder.{raising}.1", outputs)
    for place, inputs, outputs in ((0, 2 * UNITS, 2), (3, 2, LOCAL)):
        transposed(f"st_decoder.{place}", inputs, outputs)
        norm(f"st_decoder.{place + 1}", outputs)
    name = "decoder.moduleDeconv1"
    convolution(f"{name}.0", 4 + LOCAL, 3)
    norm(f"{name}.1", 3)
    convolution(f"{name}.3", 3, 2)
    norm(f"{name}.4", 2)
    convolution(f"{name}.6", 2, CHANNELS)
    return weights


WEIGHTS = draw_weights()
OLD_ITEMS = by_hand.unit(by_hand.draw(ITEMS, DIM, seed=5)).astype(np.float32)


def channels_last(array):
    return np.moveaxis(np.asarray(array, np.float64), -3, -1)


def channels_first(array):
    return np.moveaxis(array, -1, -3)


def kernel(name):
    """(out, in, h, w) -> (h, w, in, out), or both swapped if transposed."""
    return WEIGHTS[f"{name}.weight"].astype(np.float64).transpose(2, 3, 1, 0)


def block(x, conv, norm, stride=1, transposed=False):
    """Convolution, batch norm and ReLU by hand, channels last."""
    if transposed:
        x = by_hand.convolve_transposed(x, kernel(conv))
    else:
        x = by_hand.convolve(x, kernel(conv), stride)
    x = x + WEIGHTS[f"{conv}.bias"]
    if norm is None:
        return x
    names = ("weight", "bias", "running_mean", "running_var")
    parts = [WEIGHTS[f"{norm}.{name}"].astype(np.float64) for name in names]
    return by_hand.relu(by_hand.batch_norm(x, *parts))


def latent_by_hand():
    x = np.concatenate(
        [channels_last(CLIPS[:, time]) for time in range(TIME)], axis=-1
    )
    for name, _, _ in ENCODER[:3]:
        x = block(x, f"{name}.0", f"{name}.1")
        x = block(x, f"{name}.3", f"{name}.4")
        x = by_hand.max_pool(x)
    x = block(x, "encoder.moduleConv4.0", "encoder.moduleConv4.1")
    return block(x, "encoder.moduleConv4.3", None)


def cell_kernels(layer):
    kernels = {}
    for source, gates in (("x", X_GATES), ("h", H_GATES), ("m", M_GATES)):
        fused = kernel(f"pred.convlstm_list.{layer}.conv_{source}.0")
        for place, gate in enumerate(gates):
            span = slice(place * UNITS, (place + 1) * UNITS)
            kernels[source + gate] = fused[..., span]
    kernels["o"] = kernel(f"pred.convlstm_list.{layer}.conv_o.0")
    kernels["last"] = kernel(f"pred.convlstm_list.{layer}.conv_last")
    return kernels


def states_by_hand():
    kernels = [cell_kernels(layer) for layer in range(4)]
    zero = np.zeros((BATCH, HEIGHT // 4, WIDTH // 4, UNITS))
    h, c, m = [zero] * 4, [zero] * 4, zero
    for time in range(TIME):
        x = channels_last(CLIPS[:, time])
        for (place, _, _), stride in zip(
            FRAME_ENCODER, (2, 1, 2, 1), strict=True
        ):
            name = "pred.encoder"
            x = block(x, f"{name}.{place}", f"{name}.{place + 1}", stride)
        for layer in range(4):
            h[layer], c[layer], m = by_hand.st_lstm(
                x, h[layer], c[layer], m, kernels[layer]
            )
            x = h[layer]
    return h[-1], m


def read_weights_by_hand(queries):
    weights = np.exp(queries @ OLD_ITEMS.T.astype(np.float64))
    return weights / weights.sum(axis=-1, keepdims=True)


def prediction_by_hand():
    queries = by_hand.unit(latent_by_hand())
    x = read_weights_by_hand(queries) @ OLD_ITEMS
    for pair, raising, _, _, _ in RAISING:
        name = f"decoder.{pair}"
        x = block(x, f"{name}.0", f"{name}.1")
        x = block(x, f"{name}.3", f"{name}.4")
        name = f"decoder.{raising}"
        x = block(x, f"{name}.0", f"{name}.1", transposed=True)
    y = np.concatenate(states_by_hand(), axis=-1)
    y = block(y, "st_decoder.0", "st_decoder.1", transposed=True)
    y = block(y, "st_decoder.3", "st_decoder.4", transposed=True)
    x = np.concatenate([x, y], axis=-1)
    name = "decoder.moduleDeconv1"
    x = block(x, f"{name}.0", f"{name}.1")
    x = block(x, f"{name}.3", f"{name}.4")
    return np.tanh(block(x, f"{name}.6", None))
