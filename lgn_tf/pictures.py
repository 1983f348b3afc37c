"""Frames that are worth a look: what was there, and what was predicted.

pictures/NAME/000123.npz   frame and prediction, uint8 (height, width,
channels), blue, green, red or gray
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lgn_tf.data import listings

FOLDER = "pictures"
COUNT = 3
"""Abnormal frames that are shown of a video."""

APART = 10
"""Frames that lie at least between two of them."""

Frame = NDArray[np.uint8]


def choose(abnormality: NDArray[np.float64]) -> list[int]:
    """Chooses the most abnormal frames of a video, and the median one.

    Args:
        abnormality: (frames,), high means abnormal.

    Returns:
        Places in the series, in ascending order: up to `COUNT` that are
        `APART` frames away from each other, and the one in the middle.
    """
    order = np.argsort(-abnormality, kind="stable")
    chosen: list[int] = []
    for place in order:
        far = all(abs(int(place) - other) >= APART for other in chosen)
        if far and len(chosen) < COUNT:
            chosen.append(int(place))
    return sorted({*chosen, int(order[len(order) // 2])})


def write(
    folder: Path, name: str, place: int, frame: Frame, prediction: Frame
) -> None:
    """Writes one frame of a video into an evaluation folder.

    Args:
        folder: an evaluation folder.
        name: of the video.
        place: of the frame in the video, from 0.
        frame: uint8 (height, width, channels).
        prediction: the same.

    Raises:
        OSError: where it cannot be written.
    """
    path = folder / FOLDER / name / f"{place:06d}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, frame=frame, prediction=prediction)


def read(folder: Path, name: str, place: int) -> tuple[Frame, Frame]:
    """Returns (frame, prediction) that `write` wrote.

    Raises:
        FileNotFoundError: where there is no such frame.
    """
    path = folder / FOLDER / name / f"{place:06d}.npz"
    with np.load(path, allow_pickle=False) as archive:
        return archive["frame"], archive["prediction"]


def places(folder: Path, name: str) -> Sequence[int]:
    """Returns which frames of a video were written, in order."""
    files = listings.children(folder / FOLDER / name)
    return [int(file.stem) for file in files if file.suffix == ".npz"]
