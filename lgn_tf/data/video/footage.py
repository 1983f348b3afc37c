"""Frames of several videos, wherever they are: in memory or still encoded.

A `Footage` hands out uint8 frames of one size. So does `store.Stored`, of a
frame store.
"""

import itertools
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent import futures
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from lgn_tf.data.datasets.dataset import Video
from lgn_tf.data.video import containers, decoding, preprocessing
from lgn_tf.files import media

Frames = NDArray[np.uint8]


class Footage(Protocol):
    """Frames of several videos.

    Attributes:
        names: of the videos, in natural order.
        size: (height, width) of every frame.
        frame_counts: frames of each video.
    """

    @property
    def names(self) -> Sequence[str]:
        """Names of the videos."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of every frame."""
        ...

    @property
    def frame_counts(self) -> Sequence[int]:
        """Frames of each video."""
        ...

    def read(self, video: int, start: int, stop: int) -> Frames:
        """Returns frames [start, stop), uint8 (frames, *size, 1 or 3)."""
        ...

    def stream(self, video: int, length: int) -> Iterator[Frames]:
        """Yields all frames in order, at most `length` at a time."""
        ...


class InMemory:
    """Footage of arrays.

    Args:
        names: of the videos.
        videos: for each, uint8 (frames, height, width, 1 or 3), all of one
            height and width.

    Raises:
        ValueError: for an array of another shape, type or size.
    """

    def __init__(self, names: Sequence[str], videos: Sequence[Frames]) -> None:
        """Checks shapes."""
        for name, video in zip(names, videos, strict=True):
            if video.dtype != np.uint8 or video.ndim != 4:
                raise ValueError(
                    "A video must be uint8 (frames, height, width, channels). "
                    f"Received: {name} of {video.dtype} {video.shape}"
                )
        sizes = {(video.shape[1], video.shape[2]) for video in videos}
        if len(sizes) != 1:
            raise ValueError(
                "Videos must be of one height and width. "
                f"Received: {sorted(sizes)}"
            )
        self.names = list(names)
        self.size: tuple[int, int] = sizes.pop()
        self.frame_counts = [len(video) for video in videos]
        self._videos = list(videos)

    def read(self, video: int, start: int, stop: int) -> Frames:
        """Returns frames [start, stop) of one video."""
        return self._videos[video][start:stop]

    def stream(self, video: int, length: int) -> Iterator[Frames]:
        """Yields all frames in order, at most `length` at a time."""
        return pieces(self, video, length)


def pieces(footage: Footage, video: int, length: int) -> Iterator[Frames]:
    """Reads a video from its start to its end, `length` frames at a time."""
    for start in range(0, footage.frame_counts[video], length):
        stop = min(start + length, footage.frame_counts[video])
        yield footage.read(video, start, stop)


def ahead(read: Iterable[Frames]) -> Iterator[Frames]:
    """Reads the next piece while the last one is worked on.

    What `read` raises comes out here, in the place of the piece.
    """
    iterator = iter(read)
    with futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(next, iterator, None)
        while (piece := waiting.result()) is not None:
            waiting = pool.submit(next, iterator, None)
            yield piece


class Encoded:
    """Footage that is decoded and resized when it is asked for.

    Right for one pass in order. Random reads of a video file decode it from
    its start; `preparation.prepare` is made for them.

    Args:
        videos: the videos on disk.
        size: (height, width) that frames are resized to.
    """

    def __init__(self, videos: Sequence[Video], size: tuple[int, int]) -> None:
        """Lists nothing and opens nothing yet."""
        self.names = [video.name for video in videos]
        self.size = size
        self._videos = list(videos)
        self._files: list[list[Path]] | None = None
        self._counts: list[int] | None = None
        # Several threads may ask for the lists at once.
        self._lock = threading.Lock()

    @property
    def files(self) -> list[list[Path]]:
        """The frame files of each video; none for a video file."""
        with self._lock:
            if self._files is None:
                self._files = [video.frame_files() for video in self._videos]
            return self._files

    @property
    def frame_counts(self) -> list[int]:
        """Frames of each video; a video file is decoded to count them."""
        files = self.files
        with self._lock:
            if self._counts is None:
                self._counts = [
                    len(found) or sum(1 for _ in read_frames(video))
                    for video, found in zip(self._videos, files, strict=True)
                ]
            return self._counts

    def read(self, video: int, start: int, stop: int) -> Frames:
        """Returns frames [start, stop) of one video.

        Raises:
            ValueError: for a frame that is unreadable, naming the file.
        """
        files = self.files[video]
        if files:
            found = list(read_images(files[start:stop]))
        else:
            read = read_frames(self._videos[video])
            found = list(itertools.islice(read, start, stop))
        return _stack(found, self.size)

    def stream(self, video: int, length: int) -> Iterator[Frames]:
        """Yields all frames in order, each decoded once."""
        return resized(read_frames(self._videos[video]), self.size, length)


def resized(
    read: Iterable[Frames], size: tuple[int, int], length: int
) -> Iterator[Frames]:
    """Makes the pieces of a `Footage` from frames in their own size.

    Args:
        read: see `read_frames`; no more frames are held than a piece has.
        size: (height, width) that frames are resized to.
        length: frames of a piece; the last one may be shorter.

    Yields:
        uint8 (frames, *size, 1 or 3).
    """
    iterator = iter(read)
    while piece := list(itertools.islice(iterator, length)):
        yield _stack(piece, size)


def _stack(found: list[Frames], size: tuple[int, int]) -> Frames:
    channels = max(frame.shape[-1] for frame in found)
    return np.stack(
        [preprocessing.prepare(frame, size, channels) for frame in found]
    )


def read_frames(video: Video) -> Iterator[Frames]:
    """Decodes the frames of a video in order, in their own size.

    Yields:
        uint8 (height, width, 1 or 3), blue, green, red.

    Raises:
        ValueError: for a frame or video that is unreadable, cut short, or of
            another size than the first frame, naming the file.
    """
    if video.is_file:
        return itertools.islice(
            read_video(video.source), video.start, video.stop
        )
    return read_images(video.frame_files())


def read_images(files: Sequence[Path]) -> Iterator[Frames]:
    """Decodes image files; see `read_frames`."""
    shape = None
    for file in files:
        frame = decoding.decode(file.read_bytes(), str(file))
        shape = shape or frame.shape[:2]
        require_size(file, frame, shape)
        yield frame


def require_size(
    file: Path | str, frame: Frames, shape: tuple[int, ...]
) -> None:
    """Raises ValueError where a frame has another (height, width)."""
    if frame.shape[:2] != shape:
        raise ValueError(
            f"{file}: all frames of a video must be of one size, "
            f"{shape[0]} x {shape[1]}. "
            f"Found there: {frame.shape[0]} x {frame.shape[1]}"
        )


def read_video(path: Path) -> Iterator[Frames]:
    """Decodes a video file with OpenCV; see `read_frames`."""
    containers.require_container(path)
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            raise ValueError(
                f"{path}: not a readable video, or cut short. "
                f"Found there: {path.stat().st_size} bytes"
            )
        promised = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        height = capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        if height * capture.get(cv2.CAP_PROP_FRAME_WIDTH) > media.most_pixels():
            raise media.too_large(str(path))
        found = 0
        while True:
            good, frame = capture.read()
            if not good:
                break
            found += 1
            yield frame
        if not found or containers.is_cut_short(path, promised, found):
            raise ValueError(
                f"{path}: the video is damaged or cut short: its header "
                f"promises {promised} frames. Found there: {found}"
            )
    finally:
        capture.release()


def promised_frames(video: Video) -> int:
    """Returns the number of frames by the header, without decoding any."""
    if not video.is_file:
        return len(video.frame_files())
    try:
        containers.require_container(video.source)
    except ValueError:
        return 0  # Who decodes it says so.
    capture = cv2.VideoCapture(str(video.source), cv2.CAP_FFMPEG)
    try:
        whole = max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        return len(range(whole)[video.start : video.stop])
    finally:
        capture.release()
