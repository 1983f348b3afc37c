"""Writes one video into a frame store, and the motion in its frames."""

import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lgn_tf.data.datasets.dataset import Video
from lgn_tf.data.store.manifest import MOTION_TYPE, Entry, fingerprint
from lgn_tf.data.video import footage, optical_flow, preprocessing
from lgn_tf.files import atomic
from lgn_tf.files.spool import Spool


class StoppedError(Exception):
    """Another video failed, or the user pressed Ctrl-C."""


class VideoWriter:
    """Decodes, resizes and writes videos; threads may share one.

    Args:
        folder: of the store.
        size: (height, width) that frames are resized to.
        motion: whether the motion in the frames is measured, too.
        stop: set where the threads shall end.
        advance: called with the number of frames that were done.
        changing: called before a file of the store is replaced.
    """

    def __init__(
        self,
        folder: Path,
        size: tuple[int, int],
        motion: bool,
        stop: threading.Event,
        advance: Callable[[int], None],
        changing: Callable[[], None] = lambda: None,
    ) -> None:
        """Stores the arguments."""
        self.folder, self.size, self.motion = folder, size, motion
        self.stop, self._advance, self._changing = stop, advance, changing

    def write(self, video: Video, earlier: Entry | None) -> Entry:
        """Writes the frames of a video, and the motion in them.

        Args:
            video: the source.
            earlier: its entry of an earlier run, kept where source and files
                are still the same; or None.

        Returns:
            The entry of the video.

        Raises:
            StoppedError: where another thread set `stop`.
            ValueError: naming the file, where the video is damaged.
            OSError: naming the file, where it cannot be written.
        """
        source = fingerprint(video)
        if earlier is not None and earlier.source == source:
            if self.is_whole(earlier):
                self._advance(earlier.frames)
                return earlier
        entry = Entry(video.name, video.split, 0, 1, source)
        path = self.folder / entry.path
        path.parent.mkdir(exist_ok=True)
        with atomic.replaced(path) as partial:
            moved, channels = Spool(), 1
            written = self._write_frames(video, partial, channels, moved)
            if written is None:
                moved, channels = Spool(), 3
                written = self._write_frames(video, partial, channels, moved)
            if self.motion and written:
                # First: where the frames have their name, all is there.
                cells = moved.array()
                self._changing()
                with atomic.opened(self.folder / entry.motion_path) as file:
                    file.write(np.ascontiguousarray(cells).data)
                rows, columns = cells.shape[1:]
                entry = dataclasses.replace(entry, cells=(rows, columns))
            self._changing()
        return dataclasses.replace(
            entry, frames=written or 0, channels=channels
        )

    def is_whole(self, entry: Entry) -> bool:
        """Returns whether all files of a video have their right size."""
        if self.motion and not entry.motion:
            return False
        wanted = {entry.path: entry.bytes(self.size)}
        if entry.motion:
            wanted[entry.motion_path] = entry.motion_bytes
        paths = {self.folder / name: size for name, size in wanted.items()}
        return all(
            path.is_file() and path.stat().st_size == size
            for path, size in paths.items()
        )

    def _write_frames(
        self, video: Video, path: Path, channels: int, moved: Spool
    ) -> int | None:
        """Writes every frame; None where one of them has colour after all."""
        count = 0
        read = footage.read_frames(video)
        if self.motion:
            read = optical_flow.watched(
                read,
                lambda one: moved.append(one.cells[None].astype(MOTION_TYPE)),
            )
        # Written rather than mapped: a mapped write on a full disk kills the
        # process, a plain one raises.
        with path.open("wb") as file:
            for frame in read:
                if self.stop.is_set():
                    raise StoppedError
                if channels == 1:
                    if not preprocessing.is_gray(frame):
                        self._advance(-count)
                        return None
                    frame = frame[..., :1].copy()
                file.write(
                    preprocessing.prepare(frame, self.size, channels).data
                )
                count += 1
                self._advance(1)
        return count
