"""Scores of a predicted frame and of its queries, in `keras.ops`.

Training logs, evaluation and exported graphs share these functions. Frames lie
in [-1, 1]; errors are taken on [0, 1], as publications do. All results are
float32. Letters: B batch, H height, W width, C channels.

The online score compares the maps of a frame with `evidence.Statistics`,
which are handed in, so that a graph can hold them as weights.
"""

from keras import ops

from lgn_tf.data.video import optical_flow
from lgn_tf.scores import grids

MINIMAL_ERROR = 1e-10
"""Floor of the mean squared error: a perfect prediction has 100 dB, not inf."""


def error_map(target, prediction):
    """Returns the squared error on [0, 1] for each pixel and channel.

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
    """Returns the mean of `error_map` over each frame.

    Returns:
        A float32 tensor (batch,).
    """
    return ops.mean(error_map(target, prediction), axis=(1, 2, 3))


def psnr(target, prediction):
    """Returns the peak signal-to-noise ratio in dB, 10 log10(1 / MSE) (Eq. 13).

    The peak is 1, the largest value a frame can take, rather than the largest
    value of this frame.

    Returns:
        A float32 tensor (batch,), at most 100.
    """
    error = ops.maximum(mean_squared_error(target, prediction), MINIMAL_ERROR)
    return -10.0 * ops.log10(error)


def regular_score(target, prediction):
    """Returns the error weighted towards badly predicted pixels (Eq. 7 and 8).

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
    """Returns the mean distance to the nearest item, D (Eq. 14).

    Args:
        distance_map: tensor (batch, height, width), `MemoryReadout.distance`.

    Returns:
        A float32 tensor (batch,).
    """
    return ops.mean(ops.cast(distance_map, "float32"), axis=(1, 2))


def pooled(maps, size):
    """Averages cells of `size` x `size`.

    Where a side is no multiple of `size`, the cells at both ends are smaller,
    and are averaged over what they hold.

    Args:
        maps: tensor (batch, height, width).
        size: of a cell.

    Returns:
        A float32 tensor (batch, rows, columns), rounded up.
    """
    maps = ops.cast(maps, "float32")[..., None]
    return ops.average_pool(maps, size, strides=size, padding="same")[..., 0]


def stored_error_map(target, prediction):
    """Returns the absolute error on [0, 1], pooled as it is stored.

    Args:
        target: tensor (batch, height, width, channels) in [-1, 1].
        prediction: tensor of the same shape.

    Returns:
        A float32 tensor (batch, height / f, width / f), f from `grids.factor`:
        means over channels and cells.
    """
    target = ops.cast(target, "float32")
    prediction = ops.cast(prediction, "float32")
    errors = ops.mean(ops.abs(prediction - target), axis=-1) * 0.5
    return pooled(errors, grids.factor(target.shape[1:3]))


def largest(maps, sides, scale=1.0):
    """Returns the largest mean over a box of each map; see `grids.largest`.

    Args:
        maps: tensor (batch, rows, columns).
        sides: (rows, columns) of the box, odd.
        scale: that the mean around each place is divided by, (rows, columns).

    Returns:
        A float32 tensor (batch,).
    """
    maps = ops.cast(maps, "float32")[..., None]
    # Outside of the map there is nothing to average.
    boxed = ops.average_pool(maps, sides, strides=1, padding="same")[..., 0]
    return ops.max(boxed / scale, axis=(1, 2))


def online_evidence(errors, distances, statistics, size):
    """Returns the evidence against a frame, and the anomaly map.

    A sum of cues, each in units of its spread on normal video: by how much the
    largest mean over a box, divided by the local scale, exceeds what is usual,
    times the weight of the cue. The map is the same sum, place by place, and
    not averaged over a box.

    Args:
        errors: tensor (batch, ...), from `stored_error_map`.
        distances: tensor (batch, rows, columns), `MemoryReadout.distance`;
            None where there is no memory.
        statistics: `evidence.Statistics`.
        size: (height, width) of the frames.

    Returns:
        (evidence, map): float32 tensors (batch,) and (batch, rows, columns) on
        the grid of cells of `grids.CELL` pixels.
    """
    cell = grids.CELL // grids.factor(size)
    cues = [(errors, cell, statistics.error, grids.ERROR_SHARE)]
    if distances is not None:
        cues.append((distances, 1, statistics.distance, grids.DISTANCE_SHARE))
    evidence = places = 0.0
    for maps, cell, usual, share in cues:
        # A cue without weight costs nothing; one at least has some.
        if usual.weight:
            factor = usual.weight / usual.spread
            sides = grids.box(maps.shape[1:], share)
            found = largest(maps, sides, usual.scale)
            evidence += factor * (found - usual.median)
            scaled = pooled(ops.cast(maps, "float32") / usual.scale, cell)
            places += factor * (scaled - usual.median)
    return evidence, places


def motion_evidence(cells, sides, statistics):
    """Returns the evidence of the motion, which a graph is told.

    Args:
        cells: tensor (batch, rows, columns), `optical_flow.Motion.cells`.
        sides: (rows, columns) of the box that they are averaged over.
        statistics: `evidence.Statistics` with motion.

    Returns:
        A float32 tensor (batch,).
    """
    usual = statistics.motion
    found = largest(cells, sides, usual.scale)
    return usual.weight / usual.spread * (found - usual.median)


def online_score(evidence, statistics):
    """Maps the evidence to [0, 1] by what it is on normal frames.

    1 minus the score estimates the share of normal frames that have as much
    evidence: a threshold of 0.99 raises a false alarm in one of a hundred.
    Linear between the knots. Beyond the last one, which nearly all abnormal
    frames are, the share that is left falls as 1 / (1 + distance / tail), so
    that the score goes on rising; below the first one likewise.

    Args:
        evidence: tensor (batch,).
        statistics: `evidence.Statistics`.

    Returns:
        A float32 tensor (batch,), high for abnormal frames.
    """
    levels = ops.convert_to_tensor(statistics.levels)
    knots = ops.convert_to_tensor(statistics.knots)
    value = ops.cast(evidence, "float32")[:, None]
    share = (value - knots[:-1]) / (knots[1:] - knots[:-1])
    share = ops.clip(share, 0.0, 1.0)
    inner = levels[0] + ops.sum(share * (levels[1:] - levels[:-1]), axis=-1)
    above = ops.maximum(value[:, 0] - knots[-1], 0.0) / statistics.tail
    below = ops.maximum(knots[0] - value[:, 0], 0.0) / statistics.tail
    score = ops.where(
        above > 0, 1.0 - (1.0 - levels[-1]) / (1.0 + above), inner
    )
    return ops.where(below > 0, levels[0] / (1.0 + below), score)


def all_scores(
    target, prediction, distances, statistics, *, motion=None, regular=None
):
    """Returns every score and map of predicted frames, by name.

    Args:
        target: tensor (batch, height, width, channels) in [-1, 1].
        prediction: tensor of the same shape.
        distances: tensor (batch, rows, columns), `MemoryReadout.distance`;
            None where there is no memory.
        statistics: `evidence.Statistics`, or None for no online score.
        motion: tensor (batch, rows, columns), `optical_flow.Motion.cells`, that
            the online score takes in; or None.
        regular: tensor (batch,), the regular score where it is known.

    Returns:
        float32 tensors. `psnr`, `regular_score`, `distance` and `online` are
        (batch,); `error_map`, `distance_map` and `online_map`, the anomaly map,
        are (batch, rows, columns). Those of the distance and those of the
        online score are left out where there is none.
    """
    if regular is None:
        regular = regular_score(target, prediction)
    errors = stored_error_map(target, prediction)
    result = {"psnr": psnr(target, prediction), "regular_score": regular}
    result["error_map"] = errors
    if distances is not None:
        result["distance"] = feature_distance(distances)
        result["distance_map"] = distances
    if statistics is not None:
        evidence, places = online_evidence(
            errors, distances, statistics, target.shape[1:3]
        )
        if motion is not None:
            sides = (optical_flow.BOX,) * 2
            evidence += motion_evidence(motion, sides, statistics)
        result["online"] = online_score(evidence, statistics)
        result["online_map"] = places
    return result
