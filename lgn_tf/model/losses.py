"""The three losses of LGN-Net, as the authors' code computes them.

| loss | paper | here |
|---|---|---|
| intensity | Eq. 9, L2 norm | mean of squares over pixels and channels |
| compactness | Eq. 10, sum of L2 | mean of squares over queries and channels |
| separateness | Eq. 11, sum of hinges | mean of hinges over queries |

`docs/fidelity.md` says why. Letters: B batch, N queries, D query dimension.
"""

import keras
from keras import ops

SEPARATENESS_MARGIN = 1.0
"""alpha of Eq. 11."""

_DISTANCE_OFFSET = 1e-6
# PyTorch adds this to each difference before it takes the norm in its triplet
# loss, which keeps the gradient finite where a query equals an item.


def intensity(target, prediction):
    """Mean squared error between two batches of frames (Eq. 9).

    Args:
        target: tensor (batch, height, width, channels) in [-1, 1].
        prediction: tensor of the same shape.

    Returns:
        A scalar tensor.
    """
    return ops.mean(ops.square(prediction - target))


@keras.saving.register_keras_serializable("lgn_tf")
class Intensity(keras.losses.Loss):
    """`intensity` as a Keras loss, so that Keras scales it over replicas.

    Call arguments:
        y_true: tensor (batch, height, width, channels) in [-1, 1].
        y_pred: tensor of the same shape.

    Returns:
        A scalar tensor.
    """

    def __init__(self, name="intensity", **kwargs):
        """Takes the arguments of `keras.losses.Loss`."""
        super().__init__(name=name, **kwargs)

    def call(self, y_true, y_pred):
        """Returns the loss of each clip, (batch,)."""
        return ops.mean(ops.square(y_pred - y_true), axis=(1, 2, 3))


def compactness(queries, nearest):
    """Mean squared difference of each query to its nearest item (Eq. 10).

    Its mean over all queries is the loss.

    Args:
        queries: tensor (..., dim).
        nearest: tensor (..., dim), the item nearest to each query.

    Returns:
        A tensor (...), one value a query.
    """
    return ops.mean(ops.square(queries - nearest), axis=-1)


def separateness(queries, nearest, second, margin=SEPARATENESS_MARGIN):
    """Hinge of the distances to the two nearest items (Eq. 11).

    Its mean over all queries is the loss.

    Args:
        queries: tensor (..., dim).
        nearest: tensor (..., dim), the item nearest to each query.
        second: tensor (..., dim), the item second nearest to each query.
        margin: alpha of Eq. 11.

    Returns:
        A tensor (...), max(0, d_nearest - d_second + margin).
    """
    return ops.relu(
        _distance(queries, nearest) - _distance(queries, second) + margin
    )


def _distance(queries, items):
    difference = queries - items + _DISTANCE_OFFSET
    return ops.sqrt(ops.sum(ops.square(difference), axis=-1))
