"""Opens the files of the authors' checkpoint, safely.

`model.pth` is a state dict and `keys.pt` the memory items; .npz files with the
same names do as well. PyTorch is imported only to open its own files, and only
their tensors are loaded (`weights_only`).
"""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lgn_tf.files import arrays, untrusted
from lgn_tf.files.arrays import Header

Array = NDArray[np.float32]

# Batch norms count their batches; the network does not use it.
COUNTER = "num_batches_tracked"

MOST_BYTES = 512 * untrusted.MEBIBYTE
"""Of all tensors; those of the authors' code have 91 MB."""


def read_state(path: Path) -> dict[str, Array]:
    """Reads a state dict; batch counters are dropped.

    Names may carry the prefix `module.` that data parallel training adds.

    Raises:
        ValueError: naming the file, where it holds no state dict.
    """
    tensors: Mapping[str, Array]
    if path.suffix == ".npz":
        tensors = _read_npz(path)
    else:
        loaded = _read_torch(path)
        if not isinstance(loaded, Mapping):
            raise ValueError(
                f"{path}: expected a state dict of tensors, found "
                f"{type(loaded).__name__}"
            )
        tensors = _all_to_numpy(loaded, path)
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
        found = list(_read_npz(path).values())
        if len(found) != 1:
            raise ValueError(
                f"{path}: expected one array of items, found {len(found)}"
            )
        items = found[0]
    else:
        items = _all_to_numpy({"items": _read_torch(path)}, path)["items"]
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
    def accept(found: Mapping[str, Header]) -> None:
        for name, header in found.items():
            if header.dtype.kind not in "biuf":
                raise ValueError(
                    f"{path}: expected numbers, found {header.dtype} in "
                    f"{name!r:.80}"
                )

    return arrays.read_arrays(path, most=MOST_BYTES, accept=accept)


def _read_torch(path: Path) -> object:
    try:
        import torch
    except ImportError:
        raise ValueError(
            f"{path}: PyTorch is needed to open this file: "
            "pip install 'lgn-tf[torch]'"
        ) from None
    contents = untrusted.read_bytes(path, MOST_BYTES)
    try:
        return torch.load(
            io.BytesIO(contents), map_location="cpu", weights_only=True
        )
    except Exception as error:
        # A damaged file raises what its parser stumbled over.
        first_line = str(error).partition("\n")[0]
        raise ValueError(
            f"{path}: not a readable PyTorch file of tensors alone: "
            f"{first_line}"
        ) from None


def _all_to_numpy(tensors: Mapping[str, Any], path: Path) -> dict[str, Array]:
    for tensor in tensors.values():
        if not hasattr(tensor, "detach"):
            raise ValueError(
                f"{path}: expected tensors, found {type(tensor).__name__}. A "
                "whole pickled model cannot be opened safely: save its "
                "`state_dict()`"
            )
    # A few stored numbers may be repeated along any number of axes.
    size = sum(4 * tensor.numel() for tensor in tensors.values())
    if size > MOST_BYTES:
        raise ValueError(
            f"{path}: expected tensors of at most {MOST_BYTES:,} bytes, found "
            f"{size:,}"
        )
    try:
        return {
            str(name): np.asarray(tensor.detach().float().numpy())
            for name, tensor in tensors.items()
        }
    except (RuntimeError, TypeError) as error:
        first_line = str(error).partition("\n")[0]
        raise ValueError(
            f"{path}: expected tensors of numbers: {first_line}"
        ) from error
