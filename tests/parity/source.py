"""Draws the weights and inputs that the numbers in official.npz belong to.

No weights are stored: anyone draws them again from a seed and their names.
"""

import re
import zlib
from pathlib import Path

import numpy as np

FIXTURE = Path(__file__).with_name("official.npz")


def load():
    """Returns the fixture as a dictionary of arrays."""
    with np.load(FIXTURE, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def draw(seed, name, shape):
    """Standard normal float32 numbers that depend on seed and name alone."""
    random = np.random.default_rng([seed, zlib.crc32(name.encode())])
    return random.standard_normal(shape, dtype=np.float32)


def draw_weights(fixture):
    """Returns the state dict of the authors' model, without counters."""
    return {
        str(name): _draw_weight(
            int(fixture["seed"]),
            str(name),
            tuple(int(size) for size in re.findall(r"\d+", str(shape))),
        )
        for name, shape in zip(fixture["names"], fixture["shapes"], strict=True)
    }


def _draw_weight(seed, name, shape):
    z = draw(seed, name, shape)
    if name.endswith("running_mean"):
        return 0.1 * z
    if name.endswith("running_var"):
        return 0.5 + np.abs(z)
    if z.ndim == 1:
        return 0.1 * z + np.float32(name.endswith(".weight"))
    return z / np.float32(np.sqrt(np.prod(shape[1:])))


def draw_items(seed):
    """Returns the memory items, unit rows (10, 512)."""
    items = draw(seed, "memory", (10, 512))
    return items / np.linalg.norm(items, axis=1, keepdims=True)


def draw_clip(seed):
    """Returns (inputs (2, 4, 256, 256, 3), target (2, 256, 256, 3))."""
    clip = np.clip(0.4 * draw(seed, "clip", (2, 5, 3, 256, 256)), -1, 1)
    clip = np.moveaxis(clip, 2, -1)
    return clip[:, :4], clip[:, 4]
