"""A causal average of online scores: steadier, and a little later."""

import math

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]

SECONDS = 0.3
"""Of the average: as long as an alarm must last to be raised."""


def share_of_newest(
    seconds: float | None, frame_rate: float | None
) -> float | None:
    """Returns the share of the newest frame in the average.

    Args:
        seconds: after which a frame counts a third (1 / e) of what it did; None
            for `SECONDS`, where the frame rate is known.
        frame_rate: frames a second; None where nobody knows.

    Returns:
        The share; None where nothing is averaged.

    Raises:
        ValueError: for seconds out of bounds, or without a frame rate.
    """
    if seconds is None:
        seconds = SECONDS if frame_rate else 0.0
    if not 0 <= seconds < math.inf:
        raise ValueError(
            "`smoothing` must be seconds, not below 0. "
            f"Received: smoothing={seconds}"
        )
    if not seconds:
        return None
    if not frame_rate:
        raise ValueError(
            "`smoothing` takes the frames a second of the videos, and the data "
            f"set says none: give --fps. Received: smoothing={seconds:g}"
        )
    return -math.expm1(-1 / (seconds * frame_rate))


def smooth(series: Series, share: float) -> Series:
    """Returns the exponential moving average of a series.

    Args:
        series: (frames,).
        share: of the newest frame; 1 smooths nothing.

    Returns:
        (frames,); the first frame stays as it is.
    """
    result = np.empty_like(series)
    level = series[0]
    for place, value in enumerate(series):
        level = share * value + (1 - share) * level
        result[place] = level
    return result
