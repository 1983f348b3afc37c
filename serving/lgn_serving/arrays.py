"""The arrays that a model takes and returns, and the names of their types."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
"""A tensor; strings are arrays of `bytes` objects."""


def dtype_of(array: Array) -> str:
    """Returns TensorFlow's name of an array's type.

    Example:
        >>> dtype_of(np.zeros(2, np.uint8)), dtype_of(np.array([b"a"], object))
        ('uint8', 'string')
    """
    return "string" if array.dtype == np.object_ else str(array.dtype.name)


def dtype_name(number: int) -> str:
    """Returns the name of a type that TensorFlow's messages give by number.

    Example:
        >>> dtype_name(1), dtype_name(7)
        ('float32', 'string')
    """
    import tensorflow as tf

    return str(tf.dtypes.as_dtype(number).name)
