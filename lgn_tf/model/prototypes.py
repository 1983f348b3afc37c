"""Reading and updating prototype items: pure functions of (items, queries).

With unit queries q_k and unit items p_i, and s[k,i] = q_k . p_i:

    read     F_glo_k = sum over i of softmax_i(s[k,i]) p_i         (Eq. 2, 3)
    update   v[k,i] = exp(s[k,i] - max over k of s[k,i])
             p_i <- normalise(p_i + sum over k in U_i of v[k,i] q_k)
                                                                (Eq. 4 to 6)

where U_i holds the queries whose nearest item is i. v is the softmax over the
queries divided by its maximum, so one maximum and one sum over all replicas
are all that several replicas have to exchange. No gradient passes through the
read weights nor the items. `docs/fidelity.md` says where this differs from
the paper's text. Everything here is float32 under every dtype policy.

Letters: B batch, H height, W width, N = B H W queries, D their dimension,
I items.
"""

from typing import Any, NamedTuple

import keras
from keras import ops

from lgn_tf.backend import distribution
from lgn_tf.model import losses

DTYPE = "float32"


class MemoryReadout(NamedTuple):
    """The result of a read, for each query.

    Attributes:
        features: (batch, height, width, dim), F_glo, the items weighted.
        weights: (batch, height, width, items), the read weights.
        nearest: (batch, height, width), int32, index of the nearest item.
        distance: (batch, height, width), mean squared difference to the
            nearest item: the map whose mean is D of Eq. 14.
        separateness: (batch, height, width), hinge of Eq. 11.
    """

    features: Any
    weights: Any
    nearest: Any
    distance: Any
    separateness: Any


def normalize(vectors):
    """Divides each vector of the last axis by its L2 norm, in float32."""
    return ops.normalize(ops.cast(vectors, DTYPE), axis=-1, epsilon=1e-12)


def read(queries, items, temperature=1.0):
    """Reads the memory, without changing it.

    Args:
        queries: float32 tensor (batch, height, width, dim) of unit vectors.
        items: float32 tensor (items, dim) of unit vectors.
        temperature: divides the similarities before the softmax.

    Returns:
        A `MemoryReadout`. Gradients reach the queries through `distance` and
        `separateness` alone.
    """
    items = ops.stop_gradient(items)
    similarity = _similarity(queries, items)  # (B, H, W, I)
    weights = ops.softmax(similarity / temperature, axis=-1)
    _, closest = ops.top_k(similarity, 2)  # (B, H, W, 2)
    first = ops.take(items, closest[..., 0], axis=0)  # (B, H, W, D)
    second = ops.take(items, closest[..., 1], axis=0)
    return MemoryReadout(
        features=ops.matmul(weights, items),
        weights=weights,
        nearest=ops.cast(closest[..., 0], "int32"),
        distance=losses.compactness(queries, first),
        separateness=losses.separateness(queries, first, second),
    )


def updated(queries, items, momentum=None, max_over_assigned=False):
    """Returns the items after an update by `queries`; nothing is written.

    An item that is nearest to no query stays as it is.

    Args:
        queries: float32 tensor (..., dim) of unit vectors; all queries of
            the batch, on each replica its own.
        items: float32 tensor (items, dim) of unit vectors.
        momentum: None adds the weighted queries to the item, as the paper
            does. A number m in [0, 1) moves the item to
            normalise(m p + (1 - m) c) instead, where c is the weighted sum of
            its queries at unit length.
        max_over_assigned: whether v is divided by its maximum over U_i, as the
            paper writes, or over all queries, as the authors' code does.

    Returns:
        A float32 tensor (items, dim), the same on all replicas.
    """
    queries = ops.stop_gradient(queries)
    queries = ops.reshape(queries, (-1, items.shape[-1]))  # (N, D)
    similarity = _similarity(queries, items)  # (N, I)
    assigned = ops.one_hot(
        ops.argmax(similarity, axis=-1), items.shape[0], dtype=DTYPE
    )
    candidates = similarity
    if max_over_assigned:
        # Below any cosine, and finite where U_i is empty.
        candidates = ops.where(assigned > 0, similarity, -2.0)
    maximum = distribution.all_max(ops.max(candidates, axis=0))  # (I,)
    weight = assigned * ops.exp(similarity - maximum)
    total = distribution.all_sum(
        ops.matmul(ops.transpose(weight), queries)
    )  # (I, D)
    if momentum is None:
        moved = normalize(items + total)
    else:
        moved = normalize(momentum * items + (1 - momentum) * normalize(total))
    return ops.where(used(assigned)[:, None], moved, items)


def used(assigned):
    """Marks the items that are nearest to a query on any replica.

    Args:
        assigned: float32 tensor (queries, items), one-hot rows.

    Returns:
        A bool tensor (items,).
    """
    return distribution.all_sum(ops.sum(assigned, axis=0)) > 0


def usage(nearest, items):
    """Counts the queries that are nearest to each item, over all replicas.

    Args:
        nearest: int32 tensor (batch, height, width).
        items: number of items.

    Returns:
        A float32 tensor (items,).
    """
    chosen = ops.one_hot(ops.reshape(nearest, (-1,)), items, dtype=DTYPE)
    return distribution.all_sum(ops.sum(chosen, axis=0))


def revived(queries, items, dead):
    """Puts the queries that are farthest from all items in place of dead ones.

    Each distance is that to the given items: two dead items can get queries
    that are near to each other.

    Args:
        queries: float32 tensor (..., dim) of unit vectors.
        items: float32 tensor (items, dim) of unit vectors.
        dead: bool tensor (items,).

    Returns:
        (items, replaced): a float32 tensor (items, dim) and a bool tensor
        (items,), the same on all replicas. Where there are more dead items
        than queries, the surplus stays.
    """
    queries = ops.stop_gradient(queries)
    queries = ops.reshape(queries, (-1, items.shape[-1]))
    # Each replica offers its farthest; the farthest of all are among them.
    queries = _farthest(queries, items)
    queries = _farthest(distribution.all_gather(queries), items)
    count = ops.shape(queries)[0]
    # The first dead item takes the first query, and so on.
    order = ops.cumsum(ops.cast(dead, "int32")) - 1
    rank = ops.clip(order, 0, count - 1)
    replaced = ops.logical_and(dead, order < count)
    chosen = ops.take(queries, rank, axis=0)
    return ops.where(replaced[:, None], chosen, items), replaced


def _farthest(queries, items):
    """Returns the queries farthest from all items, one an item at most."""
    nearness = ops.max(_similarity(queries, items), axis=-1)
    return ops.take(queries, ops.argsort(nearness)[: items.shape[0]], axis=0)


def nearest(queries, items):
    """Finds the item nearest to each query.

    Args:
        queries: float32 tensor (..., dim) of unit vectors.
        items: float32 tensor (items, dim) of unit vectors.

    Returns:
        An integer tensor (...), indices of items.
    """
    return ops.argmax(_similarity(queries, items), axis=-1)


def _similarity(queries, items):
    return ops.matmul(ops.stop_gradient(queries), ops.transpose(items))


@keras.saving.register_keras_serializable("lgn_tf")
class UnitRows(keras.initializers.Initializer):
    """Rows of U[0, 1), divided by their L2 norm: the start of the items.

    Args:
        seed: an int, or None for another start each time.
    """

    def __init__(self, seed=None):
        self.seed = seed

    def __call__(self, shape, dtype=None):
        """Returns a tensor of `shape`."""
        uniform = keras.initializers.RandomUniform(0.0, 1.0, seed=self.seed)
        return normalize(uniform(shape, dtype=dtype))

    def get_config(self):
        """Returns the arguments."""
        return {"seed": self.seed}
