"""Training on several devices: strategies, and reductions over replicas.

No other module uses `tf.distribute`. TensorFlow is imported inside the
functions and on the TensorFlow backend alone. On other backends the reductions
return their argument: under `keras.distribution` on JAX one program sees the
whole batch already.
"""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import keras
from keras import ops

from lgn_tf.config.schema import STRATEGIES


def scope(strategy: str = "auto") -> Any:
    """Returns the context to build and compile a model in.

    Args:
        strategy: "single" uses one device; "mirrored" copies the model to all
            visible GPUs, each with its share of every batch; "auto" is
            "mirrored" where there are several GPUs, else "single". A process
            makes one mirrored strategy and keeps it: TensorFlow's collectives
            remember the tensors of an earlier one. "data_parallel" spreads
            every batch over the devices of one or several processes; it needs
            the JAX backend. The variables KERAS_DISTRIBUTION_JOB_ADDRESSES,
            KERAS_DISTRIBUTION_NUM_PROCESSES and KERAS_DISTRIBUTION_PROCESS_ID
            of the environment number the processes.

    Returns:
        A context manager.

    Raises:
        ValueError: for another name, "mirrored" on a backend other than
            TensorFlow, or "data_parallel" on one other than JAX.
    """
    if strategy not in STRATEGIES:
        raise ValueError(
            f"`strategy` must be one of {', '.join(STRATEGIES)}. "
            f"Received: strategy={strategy!r}"
        )
    backend = keras.backend.backend()
    if strategy == "data_parallel":
        return _data_parallel(backend)
    if backend != "tensorflow":
        if strategy == "mirrored":
            raise ValueError(
                "`strategy` 'mirrored' needs the TensorFlow backend; "
                "'data_parallel' does the same here. "
                f"Received: backend={backend!r}"
            )
        return contextlib.nullcontext()
    import tensorflow as tf

    gpus = tf.config.list_logical_devices("GPU")
    if strategy == "single" or (strategy == "auto" and len(gpus) < 2):
        return contextlib.nullcontext()
    return tf.distribute.MirroredStrategy().scope()


def _data_parallel(backend: str) -> Any:
    if backend != "jax":
        raise ValueError(
            "`strategy` 'data_parallel' needs KERAS_BACKEND=jax, see "
            f"docs/replicas.md. Received: backend={backend!r}"
        )
    from keras import distribution

    if "KERAS_DISTRIBUTION_NUM_PROCESSES" in os.environ:
        distribution.initialize()
    return distribution.DataParallel(
        devices=distribution.list_devices(), auto_shard_dataset=False
    ).scope()


def workers() -> tuple[int, int]:
    """Returns the number of processes that share a batch, and this one's."""
    if keras.backend.backend() != "jax":
        return 1, 0
    import jax

    return jax.process_count(), jax.process_index()


def wait_for_all() -> None:
    """Waits until every process has called this function."""
    if workers()[0] > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices("lgn_tf")


def is_chief() -> bool:
    """Returns whether this process writes the files of all of them."""
    return workers()[1] == 0


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Lets one process make variables that the others do not make.

    Under `keras.distribution` all processes make each variable together, and
    a process that makes one by itself would wait for ever.
    """
    shared = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(shared)


def devices() -> list[str]:
    """Returns the names of the accelerators, or of the CPU."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        found = tf.config.list_physical_devices("GPU")
        details = [tf.config.experimental.get_device_details(d) for d in found]
        return [d.get("device_name", "GPU") for d in details] or ["CPU"]
    if keras.backend.backend() == "jax":
        import jax

        return [device.device_kind for device in jax.devices()]
    return ["CPU"]


def make_deterministic() -> None:
    """Makes TensorFlow choose GPU kernels that give the same bits each time.

    Those of CPUs do so anyway, and there the switch would slow tf.data down.
    """
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        tf.config.experimental.enable_op_determinism()


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
