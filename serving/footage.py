"""What a client sends: picture files, folders of them, or videos."""

import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

AS_THEY_ARE = (".jpg", ".jpeg", ".png")
"""Files that the server decodes itself."""

TO_ENCODE = (".bmp", ".tif", ".tiff")


def is_picture(path: Path) -> bool:
    """Whether a file is a picture, by its ending."""
    return path.suffix.lower() in (*AS_THEY_ARE, *TO_ENCODE)


def open_footage(
    path: Path, encoding: str = ".png"
) -> tuple[Iterator[bytes], int | None]:
    """Returns the frames of a folder of pictures or of a video.

    Args:
        path: a folder, whose pictures are taken in natural order, or a video.
        encoding: how frames that are no files travel: ".png" changes nothing,
            ".jpg" is smaller.

    Returns:
        The encoded frames, and how many there are, or None where the video
        does not say.

    Raises:
        ValueError: for a folder without pictures or a file that is no video.
    """
    if path.is_dir():
        files = sorted(filter(is_picture, path.iterdir()), key=_natural)
        files = [each for each in files if not each.name.startswith(".")]
        if not files:
            raise ValueError(f"{path}: must hold pictures. Found there: none")
        return (read_picture(each) for each in files), len(files)
    video = cv2.VideoCapture(str(path))
    if not video.isOpened():
        raise ValueError(f"{path}: not a readable video")
    promised = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    return _frames(video, encoding), promised if promised > 0 else None


def _natural(path: Path) -> list[tuple[int, str]]:
    parts = re.findall(r"\d+|\D+", path.name)
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in parts
    ]


def read_picture(path: Path) -> bytes:
    """Returns a picture as it can travel; JPEG and PNG are sent as they are.

    Raises:
        ValueError: where another kind of file cannot be decoded.
        OSError: where it cannot be read.
    """
    contents = path.read_bytes()
    if path.suffix.lower() in AS_THEY_ARE:
        return contents
    frame = cv2.imdecode(np.frombuffer(contents, np.uint8), cv2.IMREAD_ANYCOLOR)
    if frame is None:
        raise ValueError(f"{path}: not a readable picture")
    return encode(np.asarray(frame, np.uint8), ".png")


def encode(frame: NDArray[np.uint8], encoding: str) -> bytes:
    """Encodes one frame; blue, green, red, or gray.

    Raises:
        ValueError: where OpenCV does not know the encoding.
    """
    done, contents = cv2.imencode(encoding, frame)
    if not done:
        raise ValueError(f"a frame cannot be encoded as {encoding}")
    return contents.tobytes()


def _frames(video: cv2.VideoCapture, encoding: str) -> Iterator[bytes]:
    try:
        while True:
            found, frame = video.read()
            if not found:
                return
            yield encode(np.asarray(frame, np.uint8), encoding)
    finally:
        video.release()
