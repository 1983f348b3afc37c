"""Opens the files of the authors' checkpoint, safely.

`model.pth` is a state dict and `keys.pt` the memory items; .npz files with the
same names do as well. PyTorch is imported only to open its own files, and only
their tensors are loaded (`weights_only`).
"""

import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lgn_tf.files import atomic

Array = NDArray[np.float32]

# Batch norms count their batches; the network does not use it.
COUNTER = "num_batches_tracked"


def read_state(path: Path) -> dict[str, Array]:
    """Reads a state dict; batch counters are dropped.

    Names may carry the prefix `module.` that data parallel training adds.

    Raises:
        ValueError: naming the file, where it holds no state dict.
    """
    if path.suffix == ".npz":
        tensors = _read_npz(path)
    else:
        loaded = _read_torch(path)
        if not isinstance(loaded, Mapping):
            raise ValueError(
                f"{path}: expected a state dict of tensors, found "
                f"{type(loaded).__name__}"
            )
        tensors = {
            name: _to_numpy(tensor, path) for name, tensor in loaded.items()
        }
    return {
        name.removeprefix("module."): tensor.astype(np.float32)
        for name, tensor in tensors.items()
        if not name.endswith(COUNTER)
    }


def read_items(path: Path) -> Array:
    """Reads the memory items, float32 (items, dim) of unit rows.

    Raises:
        ValueError: naming the file, where it holds no such array.
    """
    if path.suffix == ".npz":
        arrays = list(_read_npz(path).values())
        if len(arrays) != 1:
            raise ValueError(
                f"{path}: expected one array of items, found {len(arrays)}"
            )
        items = arrays[0]
    else:
        items = _to_numpy(_read_torch(path), path)
    if items.ndim != 2 or not np.isfinite(items).all():
        raise ValueError(
            f"{path}: items must be finite numbers of shape (items, dim), "
            f"found shape {items.shape}"
        )
    norms = np.linalg.norm(items, axis=1)
    if not np.allclose(norms, 1, atol=1e-3):
        raise ValueError(
            f"{path}: items must be unit vectors, found norms from "
            f"{norms.min():.3g} to {norms.max():.3g}"
        )
    return items.astype(np.float32)


def _read_npz(path: Path) -> dict[str, Array]:
    try:
        return atomic.read_arrays(path)
    except FileNotFoundError:
        raise
    except (ValueError, OSError) as error:
        raise ValueError(f"{path}: not a readable .npz file: {error}") from None


def _read_torch(path: Path) -> object:
    try:
        import torch
    except ImportError:
        raise ValueError(
            f"{path}: PyTorch is needed to open this file: "
            "pip install 'lgn-tf[torch]'"
        ) from None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except (
        RuntimeError,
        OSError,
        EOFError,
        ValueError,
        pickle.UnpicklingError,
    ) as error:
        first_line = str(error).partition("\n")[0]
        raise ValueError(
            f"{path}: not a readable PyTorch file of tensors alone: "
            f"{first_line}"
        ) from None


def _to_numpy(tensor: object, path: Path) -> Array:
    if not hasattr(tensor, "detach"):
        raise ValueError(
            f"{path}: expected tensors, found {type(tensor).__name__}. A whole "
            "pickled model cannot be opened safely: save its `state_dict()`"
        )
    return np.asarray(tensor.detach().float().numpy())
