"""The paper's normality score of the frames of a video.

Pure NumPy, and for whole videos: the scores of the paper are divided by their
own range within the video (Eq. 15 and 16), which no camera can know ahead.

Reference:
    LGN-Net, section III-E, Eq. 15 to 17.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def min_max(values: ArrayLike, constant: float) -> NDArray[np.float64]:
    """Maps a video's values linearly onto [0, 1].

    Args:
        values: (frames,), finite.
        constant: what each frame gets where all values are equal, since the
            range then is 0 / 0.

    Returns:
        A float64 array (frames,).

    Raises:
        ValueError: for an empty series, or one that is not finite.
    """
    series = np.asarray(values, np.float64)
    if series.ndim != 1 or not series.size or not np.isfinite(series).all():
        raise ValueError(
            "`values` must be a series of finite numbers, one a frame. "
            f"Received: shape {series.shape}, "
            f"{np.count_nonzero(~np.isfinite(series))} not finite"
        )
    low, high = series.min(), series.max()
    if low == high:
        return np.full_like(series, constant)
    return np.asarray((series - low) / (high - low))


def normality(
    psnr: ArrayLike, distance: ArrayLike | None, weight: float
) -> NDArray[np.float64]:
    """Returns the normality of each frame of a video (Eq. 17).

    High means normal. N = lambda minmax(PSNR) + (1 - lambda) (1 - minmax(D)).
    A constant series says nothing about its frames and counts as full
    normality.

    Args:
        psnr: (frames,) in dB.
        distance: (frames,), D of Eq. 14; None for a model without memory,
            where `weight` must be 1.
        weight: lambda, between 0 and 1.

    Returns:
        A float64 array (frames,) in [0, 1].

    Raises:
        ValueError: for a weight out of bounds, or series that do not fit.
    """
    if not 0 <= weight <= 1:
        raise ValueError(
            f"`weight` must lie between 0 and 1. Received: weight={weight}"
        )
    quality = min_max(psnr, constant=1.0)
    if distance is None:
        if weight != 1:
            raise ValueError(
                "`weight` must be 1 where there is no `distance`. "
                f"Received: weight={weight}"
            )
        return quality
    nearness = 1 - min_max(distance, constant=0.0)
    if nearness.shape != quality.shape:
        raise ValueError(
            "`psnr` and `distance` must be of the same length. "
            f"Received: {len(quality)} and {len(nearness)}"
        )
    return np.asarray(weight * quality + (1 - weight) * nearness)
