"""Decodes images; writes frames, masks and videos to disk."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_BOUND = "OPENCV_IO_MAX_IMAGE_PIXELS"
"""The variable of the environment that bounds images; `lgn_tf` sets it."""

LOSSLESS = "FFV1"
"""The codec of the AVI files: what is read back is what was written."""


def decode_image(
    contents: bytes, flags: int, where: str
) -> NDArray[Any] | None:
    """Decodes an image with OpenCV.

    Args:
        contents: the bytes of the file.
        flags: of `cv2.imdecode`.
        where: the name of the file, for errors.

    Returns:
        (height, width) or (height, width, channels); None where the file is
        unreadable.

    Raises:
        ValueError: where the image is too large.
    """
    if not contents:
        return None
    try:
        found: NDArray[Any] | None = cv2.imdecode(
            np.frombuffer(contents, np.uint8), flags
        )
    except cv2.error as error:
        if "MAX_IMAGE" not in str(error):
            return None
        raise too_large(where) from error
    return found


def too_large(where: str) -> ValueError:
    """Returns the error for a picture of more pixels than are decoded."""
    return ValueError(
        f"{where}: a frame must have at most {most_pixels():,} pixels; the "
        f"environment variable {_BOUND} allows more. Found there: a larger one"
    )


def most_pixels() -> int:
    """Returns how many pixels a picture may have."""
    try:
        return int(os.environ[_BOUND])
    except (KeyError, ValueError):
        return 2**30  # OpenCV's own bound.


def write_images(
    folder: Path, pictures: Iterable[NDArray[Any]], pattern: str, first: int
) -> None:
    """Writes one image a frame.

    Args:
        folder: made where it does not exist.
        pictures: uint8 (height, width, 1 or 3) or (height, width).
        pattern: of the names, such as `{:03d}.tif`.
        first: the number of the first.

    Raises:
        OSError: where a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(pictures, first):
        path = folder / pattern.format(number)
        _, encoded = cv2.imencode(path.suffix, picture)
        path.write_bytes(encoded.tobytes())


def write_masks(
    folder: Path, masks: NDArray[np.bool_], pattern: str, first: int
) -> None:
    """Writes one mask a frame, black and white; see `write_images`.

    Args:
        folder: made where it does not exist.
        masks: bool (frames, height, width); True becomes white.
        pattern: of the names, such as `{:03d}.png`.
        first: the number of the first.
    """
    write_images(folder, masks.astype(np.uint8) * 255, pattern, first)


def write_video(
    path: Path, pictures: NDArray[np.uint8], codec: str = LOSSLESS
) -> None:
    """Writes a video file of 25 frames a second.

    Args:
        path: its folder is made where it does not exist.
        pictures: uint8 (frames, height, width, 1 or 3).
        codec: four letters.

    Raises:
        OSError: where it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = pictures.shape[1:3]
    code = cv2.VideoWriter.fourcc(*codec)
    writer = cv2.VideoWriter(str(path), code, 25.0, (width, height))
    if not writer.isOpened():
        raise OSError(f"{path}: OpenCV cannot write a video there")
    for picture in pictures:
        writer.write(np.repeat(picture, 3 // picture.shape[-1], axis=-1))
    writer.release()
