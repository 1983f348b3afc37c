"""Scores of a predicted frame and of its queries, in `keras.ops`.

Training logs, evaluation and exported graphs share these functions. Frames lie
in [-1, 1]; errors are taken on [0, 1], as publications do. All results are
float32. Letters: B batch, H height, W width, C channels.
"""

from keras import ops

MINIMAL_ERROR = 1e-10
"""Floor of the mean squared error: a perfect prediction has 100 dB, not inf."""


def error_map(target, prediction):
    """Squared error on [0, 1] for each pixel and channel.

    Args:
        target: tensor (batch, height, width, channels) in [-1, 1].
        prediction: tensor of the same shape.

    Returns:
        A float32 tensor (batch, height, width, channels).
    """
    target = ops.cast(target, "float32")
    prediction = ops.cast(prediction, "float32")
    # [-1, 1] is twice as wide as [0, 1].
    return ops.square((prediction - target) * 0.5)


def mean_squared_error(target, prediction):
    """Mean of `error_map` over each frame.

    Returns:
        A float32 tensor (batch,).
    """
    return ops.mean(error_map(target, prediction), axis=(1, 2, 3))


def psnr(target, prediction):
    """Peak signal-to-noise ratio in dB, 10 log10(1 / MSE) (Eq. 13).

    The peak is 1, the largest value a frame can take, rather than the largest
    value of this frame.

    Returns:
        A float32 tensor (batch,), at most 100.
    """
    error = ops.maximum(mean_squared_error(target, prediction), MINIMAL_ERROR)
    return -10.0 * ops.log10(error)


def regular_score(target, prediction):
    """Error weighted towards the badly predicted pixels (Eq. 7 and 8).

    e is the squared error of a pixel and channel, w = (1 - exp(-e)) divided by
    its sum over the frame, and the score is the sum of w e. Frames whose score
    lies below gamma may update the memory at test time.

    Returns:
        A float32 tensor (batch,). A perfect prediction scores 0.
    """
    error = error_map(target, prediction)
    weight = -ops.expm1(-error)
    total = ops.sum(weight, axis=(1, 2, 3))
    score = ops.sum(weight * error, axis=(1, 2, 3))
    # Without an error the weights are 0 / 0; the score then is 0. What is not a
    # number stays so: it must not pass for a perfect prediction.
    return score / ops.where(total == 0, 1.0, total)


def feature_distance(distance_map):
    """Mean over a frame of the distance to the nearest item, D (Eq. 14).

    Args:
        distance_map: tensor (batch, height, width), `MemoryReadout.distance`.

    Returns:
        A float32 tensor (batch,).
    """
    return ops.mean(ops.cast(distance_map, "float32"), axis=(1, 2))
