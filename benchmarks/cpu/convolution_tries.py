"""Tries on single convolutions: other ways to compute the same numbers.

Each returns candidates for `benchmarks.cpu.tries`, whose results were compared.
"""

import numpy as np
import tensorflow as tf

from lgn_tf.backend import convolution, winograd

CELL = (64, 256, 512)
"""Side, input and output channels: [x, h] of a cell, at full size."""


def _drawn(side, inputs, outputs, batch=1):
    image = tf.random.normal((batch, side, side, inputs))
    kernel = tf.random.normal((3, 3, inputs, outputs)) / (9 * inputs) ** 0.5
    return image, kernel


def _compared(candidates, allowed=1e-3):
    """Returns the candidates, once they agree with the first.

    Raises:
        ValueError: where one does not.
    """
    expected = None
    for name, step in candidates.items():
        found = step()
        expected = found if expected is None else expected
        off = float(np.abs(found - expected).max())
        if not off < allowed:
            raise ValueError(f"{name} must compute the same. Found: {off:.1e}")
    return candidates


def _graph(function, *inputs):
    graph = tf.function(function, jit_compile=False)
    return lambda: graph(*inputs).numpy()


def _direct(image, kernel):
    return tf.nn.conv2d(image, kernel, 1, "SAME")


def _strided_tiles(options):
    """36 strided slices of the image instead of reshapes and four slices."""
    del options
    image, _ = _drawn(*CELL)

    def sliced(image):
        _, height, width, channels = image.shape
        padded = tf.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)))
        tiles = tf.stack(
            [
                padded[:, i : i + height - 3 : 4, j : j + width - 3 : 4]
                for i in range(6)
                for j in range(6)
            ]
        )
        tiles = tf.matmul(winograd._INPUT, tf.reshape(tiles, (36, -1)))
        return tf.reshape(tiles, (36, -1, channels))

    return _compared(
        {
            "reshapes": _graph(winograd.transformed, image),
            "strided slices": _graph(sliced, image),
        }
    )


def _separate_products(options):
    """36 matrix products by themselves instead of one batched product."""
    del options
    tiles = tf.random.normal((36, 256, CELL[1]))
    weights = tf.random.normal((36, *CELL[1:])) / CELL[1] ** 0.5
    return _compared(
        {
            "batched": _graph(tf.matmul, tiles, weights),
            "separate": _graph(
                lambda x, k: tf.stack(
                    [
                        tf.matmul(one, two)
                        for one, two in zip(
                            tf.unstack(x), tf.unstack(k), strict=True
                        )
                    ]
                ),
                tiles,
                weights,
            ),
        }
    )


def _tile(options):
    """F(6 x 6, 3 x 3): a fifth of the products, larger transforms."""
    del options
    image, kernel = _drawn(*CELL)
    own = winograd.OUTPUTS, winograd.INPUTS, winograd.POINTS
    own_squares = winograd._OUTPUT, winograd._KERNEL, winograd._INPUT

    def larger(image, kernel):
        # The points of F(6, 3) that are usual: 0, 1, 2, 1/2 and infinity.
        winograd.OUTPUTS, winograd.INPUTS = 6, 8
        winograd.POINTS = (0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5)
        _set_squares(winograd._squares())
        try:
            return winograd._convolve(image, kernel)
        finally:
            winograd.OUTPUTS, winograd.INPUTS, winograd.POINTS = own
            _set_squares(own_squares)

    return _compared(
        {
            "direct": _graph(_direct, image, kernel),
            "tiles of 4 x 4": _graph(winograd._convolve, image, kernel),
            "tiles of 6 x 6": _graph(larger, image, kernel),
        },
        allowed=1e-2,
    )


def _set_squares(squares):
    winograd._OUTPUT, winograd._KERNEL, winograd._INPUT = squares


def _window_by_window(options):
    """A batch in one go, or window by window to stay in the caches."""
    del options
    image, kernel = _drawn(*CELL, batch=8)

    def apart(image, kernel):
        return tf.concat(
            [
                winograd._convolve(one, kernel)
                for one in tf.split(image, 8, axis=0)
            ],
            axis=0,
        )

    return _compared(
        {
            "direct": _graph(_direct, image, kernel),
            "a batch of 8": _graph(winograd._convolve, image, kernel),
            "window by window": _graph(apart, image, kernel),
        }
    )


def _padded_channels(options):
    """Three colours filled up to 16 channels of zeros."""
    del options
    image, kernel = _drawn(256, 12, 64)

    def padded(image, kernel):
        image = tf.pad(image, ((0, 0), (0, 0), (0, 0), (0, 4)))
        kernel = tf.pad(kernel, ((0, 0), (0, 0), (0, 4), (0, 0)))
        return _direct(image, kernel)

    return _compared(
        {
            "12 channels": _graph(_direct, image, kernel),
            "16 channels": _graph(padded, image, kernel),
        }
    )


def _phases(options):
    """A transposed convolution as one of 2 x 2 to four phases of outputs."""
    del options
    image = tf.random.normal((1, 64, 64, 256))
    kernel = tf.random.normal((3, 3, 128, 256)) / 48

    def phases(image, kernel):
        # Output row 2 y takes kernel row 1 at y; row 2 y + 1 takes rows 2 at y
        # and 0 at y + 1. Columns likewise; what is not taken is zero.
        taken = ((1, None), (2, 0))
        zero = tf.zeros_like(kernel[0, 0])
        parts = [
            [
                [
                    zero if None in (i, j) else kernel[i, j]
                    for j in taken[column]
                ]
                for i in taken[row]
            ]
            for row in (0, 1)
            for column in (0, 1)
        ]
        joint = tf.transpose(tf.stack(parts), (1, 2, 4, 0, 3))
        joint = tf.reshape(joint, (2, 2, 256, -1))  # (2, 2, in, 4 out)
        padded = tf.pad(image, ((0, 0), (0, 1), (0, 1), (0, 0)))
        return tf.nn.depth_to_space(tf.nn.conv2d(padded, joint, 1, "VALID"), 2)

    return _compared(
        {
            "transposed": _graph(
                convolution.convolve_transposed, image, kernel
            ),
            "four phases": _graph(phases, image, kernel),
        }
    )


TRIES = {
    "strided-tiles": _strided_tiles,
    "separate-products": _separate_products,
    "tile": _tile,
    "window-by-window": _window_by_window,
    "padded-channels": _padded_channels,
    "phases": _phases,
}
