"""Several replicas that see the same truth: strategies and reductions.

The only user of `tf.distribute`. TensorFlow is imported inside the functions
and on the TensorFlow backend alone. Elsewhere the reductions are the identity:
under `keras.distribution` on JAX one program sees the whole batch already.
"""

from typing import Any

import keras
from keras import ops


def count() -> int:
    """Returns the number of replicas of the strategy that is in scope."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return int(tf.distribute.get_strategy().num_replicas_in_sync)


def _replica_context() -> Any:
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    # None outside of `strategy.run`, where there is nothing to reduce.
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return None
    return context


def share(loss: Any) -> Any:
    """Returns this replica's share of a loss that is a mean over its batch.

    Keras adds up the gradients of all replicas.
    """
    return loss / count()


def all_sum(value: Any) -> Any:
    """Returns the sum of `value` over all replicas, the same on each."""
    context = _replica_context()
    return value if context is None else context.all_reduce("SUM", value)


def all_gather(value: Any) -> Any:
    """Returns the rows of all replicas, joined along axis 0 in their order."""
    context = _replica_context()
    return value if context is None else context.all_gather(value, axis=0)


def all_max(value: Any) -> Any:
    """Returns the element-wise maximum of `value` over all replicas.

    `tf.distribute` reduces by sum and mean only, hence the gather.
    """
    if _replica_context() is None:
        return value
    return ops.max(all_gather(ops.expand_dims(value, 0)), axis=0)
