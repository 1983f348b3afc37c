"""Pixel masks of the abnormal regions, in every published format."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lgn_tf.data.datasets import label_files
from lgn_tf.data.datasets.dataset import Video
from lgn_tf.files import listings, media

Masks = NDArray[np.bool_]

MOST_PIXELS = 2**30
"""Of the masks of a video: 4,600 frames of 360 x 640 pixels."""


def read_masks(video: Video) -> Masks:
    """Reads the masks of one video.

    Args:
        video: one whose `mask` is not None: a folder of images, a `.npy` file
            (frames, height, width), or what its `mask_reader` reads.

    Returns:
        bool, (frames, height, width); True where a pixel is abnormal.

    Raises:
        ValueError: where there are no masks, where they are not binary or not
            of one size, naming the file.
    """
    path = video.mask
    if path is None:
        raise ValueError(f"{video.source}: the video has no masks")
    found = (video.mask_reader or _read)(path)[video.start : video.stop]
    if found.ndim != 3:
        raise ValueError(
            f"{path}: masks must be (frames, height, width). "
            f"Found there: {found.shape}"
        )
    return _binary(path, found)


def stack(path: Path, masks: list[NDArray[Any]]) -> NDArray[Any]:
    """Stacks the masks of a file or folder, each of two values.

    Args:
        path: what an error names.
        masks: one a frame, (height, width).

    Returns:
        bool (frames, height, width).

    Raises:
        ValueError: where they are not binary or not of one size.
    """
    sizes = sorted({mask.shape for mask in masks})
    if len(sizes) != 1 or len(sizes[0]) != 2:
        raise ValueError(
            f"{path}: masks must be of one size, height x width. "
            f"Found there: {sizes}"
        )
    return np.stack([_binary(path, mask) for mask in masks])


def _read(path: Path) -> NDArray[Any]:
    if path.is_dir():
        return stack(path, [_image(file) for file in listings.frames(path)])
    found = label_files.load(path)
    if found.size > MOST_PIXELS:
        raise ValueError(
            f"{path}: must hold at most {MOST_PIXELS:,} pixels. "
            f"Found there: {found.size:,}"
        )
    return found


def _image(path: Path) -> NDArray[Any]:
    flags = cv2.IMREAD_GRAYSCALE
    mask = media.decode_image(path.read_bytes(), flags, str(path))
    if mask is None:
        raise ValueError(f"{path}: not a readable mask")
    return mask


def _binary(path: Path, mask: NDArray[Any]) -> Masks:
    # 0 and 1, or 0 and 255: two values, one of which is 0.
    if mask.dtype == bool:
        return mask
    largest = mask.max(initial=0)
    result: Masks = mask == largest if largest else np.zeros(mask.shape, bool)
    if not np.array_equal(result, mask != 0):
        raise ValueError(
            f"{path}: a mask must hold 0 and one other value. "
            f"Found there: {np.unique(mask)[:5].tolist()}"
        )
    return result
