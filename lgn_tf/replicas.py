"""Several replicas that see the same truth: strategies and reductions.

The only user of `tf.distribute`. TensorFlow is imported inside the functions
and on the TensorFlow backend alone. Elsewhere the reductions are the identity:
under `keras.distribution` on JAX one program sees the whole batch already.
"""

import contextlib
from typing import Any

import keras
from keras import ops

STRATEGIES = ("auto", "single", "mirrored")


def scope(strategy: str = "auto") -> Any:
    """Returns the context to build and compile a model in.

    Args:
        strategy: "single" uses one device; "mirrored" copies the model to all
            visible GPUs, each with its share of every batch; "auto" is
            "mirrored" where there are several GPUs, else "single". A process
            makes one mirrored strategy and keeps it: TensorFlow's collectives
            remember the tensors of an earlier one.

    Returns:
        A context manager.

    Raises:
        ValueError: for another name, or "mirrored" on a backend other than
            TensorFlow; there `keras.distribution` does the same.
    """
    if strategy not in STRATEGIES:
        raise ValueError(
            f"`strategy` must be one of {', '.join(STRATEGIES)}. Several "
            "machines train through `keras.distribution` on the JAX backend, "
            f"see docs/replicas.md. Received: strategy={strategy!r}"
        )
    backend = keras.backend.backend()
    if backend != "tensorflow":
        if strategy == "mirrored":
            raise ValueError(
                "`strategy` 'mirrored' needs the TensorFlow backend; use "
                f"`keras.distribution` here. Received: backend={backend!r}"
            )
        return contextlib.nullcontext()
    import tensorflow as tf

    gpus = tf.config.list_logical_devices("GPU")
    if strategy == "single" or (strategy == "auto" and len(gpus) < 2):
        return contextlib.nullcontext()
    return tf.distribute.MirroredStrategy().scope()


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
