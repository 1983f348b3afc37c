"""Reads the arrays of a `.mat` file, old and new (v7.3 is HDF5).

The libraries are imported where they are used: data sets are listed without
them.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def read_cell(path: Path, name: str) -> list[NDArray[Any]]:
    """Returns the entries of a cell array, in MATLAB's order.

    Args:
        path: the file.
        name: the variable: `gt` or `volLabel`.

    Raises:
        ValueError: where the file cannot be read, or holds no such cell array.
    """
    import h5py

    try:
        with path.open("rb") as file:
            modern = file.read(512).find(b"MATLAB 7.3") >= 0
        if modern or h5py.is_hdf5(path):
            return _read_hdf5(path, name)
        return _read_classic(path, name)
    except (KeyError, TypeError, NotImplementedError, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(
            f"{path}: must hold a cell array `{name}`. Found there: {error}"
        ) from error


def _read_classic(path: Path, name: str) -> list[NDArray[Any]]:
    import scipy.io

    try:
        contents = scipy.io.loadmat(path)
    except Exception as error:
        # A damaged file raises whatever its parser stumbled over.
        raise ValueError(
            f"{path}: not a readable .mat file. Found there: {error}"
        ) from error
    if name not in contents:
        found = [key for key in contents if not key.startswith("__")]
        raise KeyError(f"the variables {found}")
    cell = contents[name]
    if cell.dtype != object:
        raise TypeError(f"an array of {cell.dtype}")
    return [np.asarray(entry) for entry in cell.ravel(order="F")]


def _read_hdf5(path: Path, name: str) -> list[NDArray[Any]]:
    import h5py

    with h5py.File(path, "r") as file:
        if name not in file:
            raise KeyError(f"the variables {list(file)}")
        references = file[name]
        if references.dtype != h5py.ref_dtype:
            raise TypeError(f"an array of {references.dtype}")
        # HDF5 stores the axes of MATLAB in reverse.
        return [
            np.asarray(file[reference]).T
            for reference in np.asarray(references).ravel()
        ]
