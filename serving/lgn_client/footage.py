"""Pictures, folders of pictures and videos as the files that are sent."""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

AS_THEY_ARE = (".jpg", ".jpeg", ".png")
"""Endings of files that the server decodes itself."""

TO_ENCODE = (".bmp", ".tif", ".tiff")
"""Endings of pictures that are sent as PNG files."""

Frame = NDArray[np.uint8]


def is_picture(path: Path) -> bool:
    """Returns whether a file is a picture, by its ending."""
    return path.suffix.lower() in (*AS_THEY_ARE, *TO_ENCODE)


def open_footage(
    path: Path, encoding: str = ".png"
) -> tuple[Iterator[bytes], int | None]:
    """Returns the frames of a folder of pictures or of a video.

    Args:
        path: a folder, whose pictures are taken in natural order, or a video.
        encoding: the format in which frames of a video are sent: ".png" loses
            nothing, ".jpg" is smaller.

    Returns:
        The encoded frames, and how many there are, or None where the video
        does not say.

    Raises:
        ValueError: for a folder without pictures or a file that is no video.
    """
    if path.is_dir():
        files = _pictures(path)
        return map(read_picture, files), len(files)
    video = _opened(path)
    promised = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    encoded = (encode(frame, encoding) for frame in _frames(video))
    return encoded, promised if promised > 0 else None


def decoded(path: Path) -> Iterator[Frame]:
    """Returns the frames of `open_footage` before they are encoded.

    Args:
        path: a folder of pictures, or a video.

    Returns:
        uint8 (height, width, 3) blue, green, red, or gray (height, width), in
        their own size.

    Raises:
        ValueError: as `open_footage`, and for a picture that cannot be
            decoded.
    """
    if path.is_dir():
        return map(decode_picture, _pictures(path))
    return _frames(_opened(path))


def _pictures(folder: Path) -> list[Path]:
    files = sorted(filter(is_picture, folder.iterdir()), key=_natural)
    files = [each for each in files if not each.name.startswith(".")]
    if not files:
        raise ValueError(f"{folder}: must hold pictures. Found there: none")
    return files


def _opened(path: Path) -> cv2.VideoCapture:
    if not path.is_file() or _is_text(path):
        raise ValueError(f"{path}: not a readable video")
    video = cv2.VideoCapture(str(path))
    if not video.isOpened():
        raise ValueError(f"{path}: not a readable video")
    height = video.get(cv2.CAP_PROP_FRAME_HEIGHT)
    if height * video.get(cv2.CAP_PROP_FRAME_WIDTH) > _most_pixels():
        raise ValueError(
            f"{path}: not a readable video: its frames are too large"
        )
    return video


def _most_pixels() -> int:
    """Returns how many pixels a frame may have; see `lgn_client/__init__`."""
    try:
        return int(os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"])
    except (KeyError, ValueError):
        return 2**30  # OpenCV's own bound.


def _is_text(path: Path) -> bool:
    """Returns whether a file may be a list of videos, whatever its name.

    A decoder goes by the contents, and would open the files and addresses in a
    list. No container of a video begins with so much text.
    """
    with path.open("rb") as file:
        head = file.read(64)
    return head.isascii() and all(
        each >= 32 or each in b"\t\r\n" for each in head
    )


def _natural(path: Path) -> list[tuple[int, str]]:
    parts = re.findall(r"\d+|\D+", path.name)
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in parts
    ]


def read_picture(path: Path) -> bytes:
    """Returns a picture as a JPEG or PNG file; such files stay as they are.

    Raises:
        ValueError: where another kind of file cannot be decoded.
        OSError: where it cannot be read.
    """
    if path.suffix.lower() in AS_THEY_ARE:
        return path.read_bytes()
    return encode(decode_picture(path), ".png")


def decode_picture(path: Path) -> Frame:
    """Returns the pixels of a picture; see `decoded`.

    Raises:
        ValueError: where it cannot be decoded.
        OSError: where it cannot be read.
    """
    contents = np.frombuffer(path.read_bytes(), np.uint8)
    # The server does not rotate pictures either.
    flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_IGNORE_ORIENTATION
    frame = None
    # OpenCV refuses an empty file and one that is too large.
    with contextlib.suppress(cv2.error):
        frame = cv2.imdecode(contents, flags)
    if frame is None:
        raise ValueError(f"{path}: not a readable picture, or too large")
    return np.asarray(frame, np.uint8)


def encode(frame: Frame, encoding: str) -> bytes:
    """Encodes one frame; blue, green, red, or gray.

    Raises:
        ValueError: where OpenCV does not know the encoding.
    """
    done, contents = cv2.imencode(encoding, frame)
    if not done:
        raise ValueError(f"a frame cannot be encoded as {encoding}")
    return contents.tobytes()


def _frames(video: cv2.VideoCapture) -> Iterator[Frame]:
    try:
        while True:
            found, frame = video.read()
            if not found:
                return
            yield np.asarray(frame, np.uint8)
    finally:
        video.release()
