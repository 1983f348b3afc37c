"""Weights drawn by chance, under the names of an authors' checkpoint."""

import numpy as np

from lgn_tf.conversion import mapping


def draw_source(model, seed=0):
    """Draws the state dict of an authors' checkpoint of the model's shape.

    Args:
        model: a built `LGNNet`, of any width.
        seed: of the numbers.

    Returns:
        (weights, items): a mapping of the authors' tensor names to float32
        arrays, and float32 items (items, dim) of unit rows.
    """
    random = np.random.default_rng(seed)
    targets = {v.path.split("/", 1)[1]: v for v in model.variables}
    source = {}
    for rule in mapping.rules():
        shape = tuple(targets[rule.target].shape)
        if len(shape) == 4:
            shape = (shape[3], shape[2], shape[0], shape[1])
        value = random.standard_normal(shape, dtype=np.float32)
        if len(shape) == 4:
            value /= np.sqrt(np.prod(shape[1:]))
        elif rule.source.endswith("running_var"):
            value = 0.5 + np.abs(value)
        else:
            value = 0.1 * value + rule.target.endswith("gamma")
        source[rule.source] = value.astype(np.float32)
    items = random.standard_normal(model.memory.items.shape, dtype=np.float32)
    return source, items / np.linalg.norm(items, axis=1, keepdims=True)
