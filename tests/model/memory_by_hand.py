"""The memory restated in NumPy, query by query, and what it is asked about."""

import numpy as np

from lgn_tf.model.memory import PrototypeMemory
from lgn_tf.model.prototypes import MemoryReadout
from tests.helpers import by_hand

BATCH, HEIGHT, WIDTH, DIM, ITEMS = 2, 3, 4, 6, 5
POSITIONS = list(np.ndindex(BATCH, HEIGHT, WIDTH))


def draw_towards_first_axis(*shape, seed):
    """Unit vectors of a positive first component."""
    values = by_hand.draw(*shape, seed=seed)
    values[..., 0] = np.abs(values[..., 0]) + 0.3
    return by_hand.unit(values).astype(np.float32)


def draw_queries(seed=1):
    return draw_towards_first_axis(BATCH, HEIGHT, WIDTH, DIM, seed=seed)


def draw_items(seed=2):
    """Items, the last of which is no query's nearest: it points away."""
    items = draw_towards_first_axis(ITEMS, DIM, seed=seed)
    items[-1] = -np.eye(DIM)[0]
    return items


QUERIES, OLD_ITEMS = draw_queries(), draw_items()


def ranked(query, items):
    """Indices of the items, the most similar first."""
    return sorted(range(len(items)), key=lambda item: -(query @ items[item]))


def distance(query, item):
    """PyTorch's: the norm of (difference + 1e-6)."""
    return np.sqrt(sum((query - item + 1e-6) ** 2))


def read_by_hand(queries, items, temperature=1.0):
    queries, items = queries.astype(np.float64), items.astype(np.float64)
    shape = queries.shape[:-1]
    features = np.zeros(queries.shape)
    weights = np.zeros((*shape, len(items)))
    nearest = np.zeros(shape, int)
    squares = np.zeros(shape)
    hinges = np.zeros(shape)
    for place in np.ndindex(shape):
        query = queries[place]
        for item in range(len(items)):
            weights[place][item] = np.exp(query @ items[item] / temperature)
        weights[place] /= weights[place].sum()
        for item in range(len(items)):
            features[place] += weights[place][item] * items[item]
        first, second = ranked(query, items)[:2]
        nearest[place] = first
        squares[place] = ((query - items[first]) ** 2).sum() / query.size
        hinges[place] = max(
            0.0,
            distance(query, items[first]) - distance(query, items[second]) + 1,
        )
    return MemoryReadout(features, weights, nearest, squares, hinges)


def updated_by_hand(queries, items, momentum=None, max_over_assigned=False):
    """Eq. 4 to 6, item by item."""
    queries = queries.reshape(-1, queries.shape[-1]).astype(np.float64)
    items = items.astype(np.float64)
    result = items.copy()
    nearest = [ranked(query, items)[0] for query in queries]
    for item in range(len(items)):
        similarity = queries @ items[item]
        assigned = [k for k in range(len(queries)) if nearest[k] == item]
        if not assigned:
            continue
        rivals = assigned if max_over_assigned else range(len(queries))
        highest = max(similarity[k] for k in rivals)
        total = np.zeros(items.shape[1])
        for k in assigned:
            total += np.exp(similarity[k] - highest) * queries[k]
        if momentum is None:
            moved = items[item] + total
        else:
            centroid = by_hand.unit(total)
            moved = momentum * items[item] + (1 - momentum) * centroid
        result[item] = by_hand.unit(moved)
    return result


def assert_same(readout, expected, tolerance=1e-5):
    for name in MemoryReadout._fields:
        np.testing.assert_allclose(
            getattr(readout, name),
            getattr(expected, name),
            rtol=tolerance,
            atol=tolerance,
            err_msg=name,
        )


def layer_with(items=OLD_ITEMS, **kwargs):
    layer = PrototypeMemory(len(items), **kwargs)
    layer.build((None, HEIGHT, WIDTH, items.shape[-1]))
    layer.items.assign(items)
    return layer
