"""The network in NumPy, straight from the authors' tensor names.

A second, slow computation that shares no line with the Keras layers: it is
what a conversion is compared with, and it needs no PyTorch. Inference only.

Letters: N batch, C channels, H height, W width, U units, I items, D query
dimension. Channels come first here, as in the source.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Array = NDArray[np.float32]
Weights = Mapping[str, Array]

BATCH_NORM_EPSILON = 1e-5
FORGET_BIAS = 1.0
LAYERS = 4


def convolve(
    inputs: Array, kernel: Array, bias: Array | None = None, stride: int = 1
) -> Array:
    """Convolution of an odd kernel, padded by half of it on all sides.

    Args:
        inputs: (N, C, H, W).
        kernel: (out, C, size, size).
        bias: (out,) or None.
        stride: step of the kernel.

    Returns:
        An array (N, out, ceil(H / stride), ceil(W / stride)).
    """
    size = kernel.shape[-1]
    edge = size // 2
    padded = np.pad(inputs, ((0, 0), (0, 0), (edge, edge), (edge, edge)))
    windows = np.lib.stride_tricks.sliding_window_view(
        padded, (1, 1, size, size)
    )[:, :, ::stride, ::stride, 0, 0]
    result = np.tensordot(windows, kernel, axes=((1, 4, 5), (1, 2, 3)))
    result = np.moveaxis(result, -1, 1)
    return result if bias is None else result + bias[:, None, None]


def convolve_transposed(inputs: Array, kernel: Array, bias: Array) -> Array:
    """Transposed 3 x 3 convolution that doubles both sides.

    Each input pixel adds its kernel at twice its place; the first row and
    column of the sum are cut off (padding 1, output padding 1).

    Args:
        inputs: (N, C, H, W).
        kernel: (C, out, 3, 3).
        bias: (out,).

    Returns:
        An array (N, out, 2 H, 2 W).
    """
    batch, _, height, width = inputs.shape
    shape = (batch, kernel.shape[1], 2 * height + 1, 2 * width + 1)
    result = np.zeros(shape, np.float32)
    for row in range(3):
        for column in range(3):
            part = np.tensordot(inputs, kernel[:, :, row, column], (1, 0))
            result[
                :,
                :,
                row : row + 2 * height : 2,
                column : column + 2 * width : 2,
            ] += np.moveaxis(part, -1, 1)
    return result[:, :, 1:, 1:] + bias[:, None, None]


def sigmoid(x: Array) -> Array:
    """Logistic function."""
    return np.asarray(expit(x), np.float32)


def normalize(x: Array) -> Array:
    """Divides by the L2 norm along the last axis."""
    return np.asarray(x / np.linalg.norm(x, axis=-1, keepdims=True), np.float32)


class Reference:
    """Computes from a mapping of the authors' names to arrays.

    Args:
        weights: the state dict of the authors' model.
        items: float32 (I, D), the memory items.
    """

    def __init__(self, weights: Weights, items: Array) -> None:
        """Stores the arguments."""
        self.weights = weights
        self.items = items

    def _block(
        self,
        x: Array,
        conv: str,
        norm: str | None,
        stride: int = 1,
        transposed: bool = False,
    ) -> Array:
        kernel = self.weights[f"{conv}.weight"]
        bias = self.weights[f"{conv}.bias"]
        if transposed:
            x = convolve_transposed(x, kernel, bias)
        else:
            x = convolve(x, kernel, bias, stride)
        if norm is None:
            return x
        scale, offset, mean, variance = (
            self.weights[f"{norm}.{name}"][:, None, None]
            for name in ("weight", "bias", "running_mean", "running_var")
        )
        x = scale * (x - mean) / np.sqrt(variance + BATCH_NORM_EPSILON) + offset
        return np.maximum(x, 0)

    def latent(self, clips: Array) -> Array:
        """Computes F_lat, (N, D, H / 8, W / 8), of clips (N, T, C, H, W)."""
        x = clips.reshape(len(clips), -1, *clips.shape[3:])
        for stage in range(1, 5):
            name = f"encoder.moduleConv{stage}"
            x = self._block(x, f"{name}.0", f"{name}.1")
            last = stage == 4
            x = self._block(x, f"{name}.3", None if last else f"{name}.4")
            if not last:
                n, c, h, w = x.shape
                x = x.reshape(n, c, h // 2, 2, w // 2, 2).max(axis=(3, 5))
        return x

    def cell(
        self, layer: int, x: Array, h: Array, c: Array, m: Array
    ) -> tuple[Array, Array, Array]:
        """One ST-LSTM cell with every gate computed, zero states too."""
        name = f"pred.convlstm_list.{layer}"
        kernel = {
            part: self.weights[f"{name}.conv_{part}.weight"]
            for part in ("x.0", "h.0", "m.0", "o.0", "last")
        }
        xi, xf, xg, xi2, xf2, xg2, xo = np.split(
            convolve(x, kernel["x.0"]), 7, axis=1
        )
        hi, hf, hg, ho = np.split(convolve(h, kernel["h.0"]), 4, axis=1)
        mi, mf, mg = np.split(convolve(m, kernel["m.0"]), 3, axis=1)
        c = sigmoid(xf + hf + FORGET_BIAS) * c + sigmoid(xi + hi) * np.tanh(
            xg + hg
        )
        m = sigmoid(xf2 + mf + FORGET_BIAS) * m + sigmoid(xi2 + mi) * np.tanh(
            xg2 + mg
        )
        both = np.concatenate([c, m], axis=1)
        o = sigmoid(xo + ho + convolve(both, kernel["o.0"]))
        return o * np.tanh(convolve(both, kernel["last"])), c, m

    def states(self, clips: Array) -> tuple[Array, Array]:
        """Computes H4 and M4 after the last frame, each (N, U, H/4, W/4)."""
        hidden: list[Array] = []
        cells: list[Array] = []
        memory = np.zeros(0, np.float32)
        for time in range(clips.shape[1]):
            x = clips[:, time]
            for place, stride in ((0, 2), (3, 1), (6, 2), (9, 1)):
                name = "pred.encoder"
                x = self._block(
                    x, f"{name}.{place}", f"{name}.{place + 1}", stride
                )
            if not hidden:
                hidden = [np.zeros_like(x) for _ in range(LAYERS)]
                cells = [np.zeros_like(x) for _ in range(LAYERS)]
                memory = np.zeros_like(x)
            for layer in range(LAYERS):
                x, cells[layer], memory = self.cell(
                    layer, x, hidden[layer], cells[layer], memory
                )
                hidden[layer] = x
        return hidden[-1], memory

    def queries(self, clips: Array) -> Array:
        """Computes the unit queries, (N, H / 8, W / 8, D)."""
        return normalize(np.moveaxis(self.latent(clips), 1, -1))

    def read_weights(self, queries: Array) -> Array:
        """Computes the softmax over the items, (..., I) (Eq. 3)."""
        weight = np.exp(queries @ self.items.T)
        return np.asarray(weight / weight.sum(axis=-1, keepdims=True))

    def predict(self, clips: Array) -> Array:
        """Predicts the frame after each clip.

        Args:
            clips: (N, T, C, H, W) in [-1, 1].

        Returns:
            An array (N, C, H, W).
        """
        queries = self.queries(clips)
        x = np.moveaxis(self.read_weights(queries) @ self.items, -1, 1)
        stages = (
            ("moduleConv", "moduleUpsample4"),
            ("moduleDeconv3", "moduleUpsample3"),
            ("moduleDeconv2", "moduleUpsample2"),
        )
        for pair, raising in stages:
            name = f"decoder.{pair}"
            x = self._block(x, f"{name}.0", f"{name}.1")
            x = self._block(x, f"{name}.3", f"{name}.4")
            name = f"decoder.{raising}"
            x = self._block(x, f"{name}.0", f"{name}.1", transposed=True)
        y = np.concatenate(self.states(clips), axis=1)
        for place in (0, 3):
            name = "st_decoder"
            y = self._block(
                y, f"{name}.{place}", f"{name}.{place + 1}", transposed=True
            )
        x = np.concatenate([x, y], axis=1)
        name = "decoder.moduleDeconv1"
        x = self._block(x, f"{name}.0", f"{name}.1")
        x = self._block(x, f"{name}.3", f"{name}.4")
        return np.tanh(self._block(x, f"{name}.6", None))

    def updated_items(self, queries: Array) -> Array:
        """Computes the items after an update by `queries` (Eq. 4 to 6)."""
        queries = queries.reshape(-1, queries.shape[-1])
        similarity = queries @ self.items.T
        nearest = similarity.argmax(axis=-1)
        weight = np.exp(similarity - similarity.max(axis=0))
        items = self.items.copy()
        for item in range(len(items)):
            chosen = nearest == item
            if chosen.any():
                total = weight[chosen, item] @ queries[chosen]
                items[item] = normalize(items[item] + total)
        return items
