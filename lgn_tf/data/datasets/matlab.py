"""Reads the arrays of a `.mat` file, of version 5 and of 7.3 (HDF5).

The libraries are imported where they are used: data sets are listed without
them.
"""

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lgn_tf.data.datasets import mat_elements
from lgn_tf.files import hdf5, untrusted
from lgn_tf.files.untrusted import MEBIBYTE

MOST_BYTES = 512 * MEBIBYTE
"""Of a cell array: masks of 2,300 frames of 360 x 640 pixels."""


def read_cell(path: Path, name: str) -> list[NDArray[Any]]:
    """Returns the entries of a cell array, in MATLAB's order.

    Args:
        path: the file.
        name: the variable: `gt` or `volLabel`.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: naming the file, where it cannot be read, holds no such
            cell array of numbers, or one of more than `MOST_BYTES`.
    """
    with untrusted.opened(path) as file:
        head = file.read(512)
    import h5py

    if b"MATLAB 7.3" not in head and not h5py.is_hdf5(path):
        return _read_classic(path, name)
    try:
        return _read_hdf5(path, name)
    except Exception as error:
        # A damaged file raises whatever its parser stumbled over.
        raise _no_cell(path, name, error) from error


def _no_cell(path: Path, name: str, error: Exception) -> ValueError:
    return ValueError(
        f"{path}: must hold a cell array `{name}`. Found there: {error}"
    )


def _read_classic(path: Path, name: str) -> list[NDArray[Any]]:
    import scipy.io

    contents = untrusted.read_bytes(path, MOST_BYTES)
    try:
        variables = mat_elements.variables(contents, MOST_BYTES)
    except Exception as error:
        raise ValueError(
            f"{path}: not a readable .mat file. Found there: {error}"
        ) from error
    if name not in variables:
        found = f"the variables {sorted(variables)}"
        raise _no_cell(path, name, ValueError(found))
    try:
        variables[name].require_cell_of_arrays()
        # SciPy's parser follows cells within cells until it crashes, so it
        # gets the one variable alone.
        one = io.BytesIO(contents[: mat_elements.HEAD] + variables[name].whole)
        cell = scipy.io.loadmat(one)[name]
        return [np.asarray(entry) for entry in cell.ravel(order="F")]
    except Exception as error:
        raise _no_cell(path, name, error) from error


def _read_hdf5(path: Path, name: str) -> list[NDArray[Any]]:
    import h5py

    with h5py.File(path, "r") as file:
        if name not in file:
            raise KeyError(f"the variables {list(file)[:20]}")
        if not isinstance(file.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"the link {name!r}")
        references = file[name]
        hdf5.require_plain(name, references, MEBIBYTE)
        if references.dtype != h5py.ref_dtype:
            raise TypeError(f"an array of {references.dtype}")
        entries = [file[each] for each in np.asarray(references).ravel()]
        left = MOST_BYTES
        for entry in entries:
            # The same array may be named any number of times.
            left -= hdf5.require_plain(f"an entry of {name}", entry, left)
        # HDF5 stores the axes of MATLAB in reverse.
        return [np.asarray(entry).T for entry in entries]
