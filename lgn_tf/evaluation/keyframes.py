"""Pictures of frames: the frame itself, and the prediction of it.

pictures/NAME/000123.npz   frame and prediction, uint8 (height, width,
channels), blue, green, red or gray; and where it moves
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lgn_tf.files import arrays, atomic, listings
from lgn_tf.files.arrays import LARGEST_SIDE, Header

FOLDER = "pictures"
COUNT = 3
"""Abnormal frames that are shown of a video."""

APART = 10
"""Frames that lie at least between two of them."""

Frame = NDArray[np.uint8]
Cells = NDArray[np.float32]


class Pictured(NamedTuple):
    """One frame of a video.

    Attributes:
        frame: uint8 (height, width, channels), as the model saw it.
        prediction: the same.
        motion: `optical_flow.Motion.cells` since the frame before, float32
            (rows, columns); None where it was not measured.
    """

    frame: Frame
    prediction: Frame
    motion: Cells | None


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


def write_keyframe(
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
    path = _path(folder, name, place)
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = {"frame": frame, "prediction": prediction}
    atomic.write_arrays(path, pictures, compressed=True)


def add_motion(folder: Path, name: str, place: int, cells: Cells) -> None:
    """Adds the motion to a frame that was written.

    Args:
        folder: an evaluation folder.
        name: of the video.
        place: of the frame in the video, from 0.
        cells: float32 (rows, columns), see `Pictured`.

    Raises:
        FileNotFoundError: where there is no such frame.
        OSError: where it cannot be written.
    """
    found = read_keyframe(folder, name, place)
    pictures: dict[str, NDArray[Any]] = {
        "frame": found.frame,
        "prediction": found.prediction,
        "motion": cells,
    }
    atomic.write_arrays(_path(folder, name, place), pictures, compressed=True)


def read_keyframe(folder: Path, name: str, place: int) -> Pictured:
    """Reads one frame of a video from an evaluation folder.

    Args:
        folder: an evaluation folder.
        name: of the video.
        place: of the frame in the video, from 0.

    Raises:
        FileNotFoundError: where there is no such frame.
        ValueError: naming the file, where it holds no such pictures.
    """
    path = _path(folder, name, place)

    def accept(found: Mapping[str, Header]) -> None:
        if not _are_pictures(found):
            raise ValueError(
                f"{path}: must hold a frame and a prediction of one size, "
                f"uint8 (height, width, channels), at most {LARGEST_SIDE} "
                f"pixels a side. Found there: {arrays.shapes(found)}"
            )

    found = arrays.read_arrays(path, accept=accept)
    if not np.isfinite(found.get("motion", 0)).all():
        raise ValueError(f"{path}: the motion must be finite numbers")
    return Pictured(found["frame"], found["prediction"], found.get("motion"))


def _are_pictures(found: Mapping[str, Header]) -> bool:
    frame, prediction = found.get("frame"), found.get("prediction")
    motion = found.get("motion")
    if frame is None or prediction is None or len(frame.shape) != 3:
        return False
    height, width, channels = frame.shape
    return (
        prediction.shape == frame.shape
        and frame.dtype == prediction.dtype == np.uint8
        and 0 < min(height, width) <= max(height, width) <= LARGEST_SIDE
        and channels in (1, 3)
        and (
            motion is None
            or arrays.are_floats(motion, 2)
            or arrays.are_floats(motion, 2, 64)
        )
    )


def _path(folder: Path, name: str, place: int) -> Path:
    return folder / FOLDER / name / f"{place:06d}.npz"


def places(folder: Path, name: str) -> Sequence[int]:
    """Returns the places of the frames that were written, in order."""
    files = listings.children(folder / FOLDER / name)
    return [
        int(file.stem)
        for file in files
        if file.suffix == ".npz" and re.fullmatch(r"[0-9]{6,9}", file.stem)
    ]
