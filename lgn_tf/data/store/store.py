"""The frame store: every video decoded and resized once, memory-mapped.

    store/
      manifest.json      the videos and their sources
      train/01.frames    uint8 (frames, height, width, channels), C order
      test/01.frames
      test/01.motion     float32 (frames, rows, columns), where it was asked
                         for

A video is written under another name, flushed to disk and renamed, and only
then the manifest is, so that a kill at any moment leaves nothing half written;
`preparation.prepare` goes on from there.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lgn_tf.data.datasets.dataset import Dataset
from lgn_tf.data.store.manifest import Entry, fingerprint, read_manifest
from lgn_tf.data.video import footage
from lgn_tf.files import listings


class Stored:
    """Footage of one split of a store; see `footage.Footage`.

    Args:
        folder: of the store.
        entries: the videos of the split.
        size: (height, width) of every frame.

    Raises:
        ValueError: where a file is not there or not of the size it must be.
    """

    def __init__(
        self, folder: Path, entries: Sequence[Entry], size: tuple[int, int]
    ) -> None:
        """Maps every file; none is read yet."""
        self.names = [entry.name for entry in entries]
        self.size = size
        self.frame_counts = [entry.frames for entry in entries]
        self._maps = [_map(folder, entry, size) for entry in entries]

    def read(self, video: int, start: int, stop: int) -> NDArray[np.uint8]:
        """Returns frames [start, stop), uint8 (frames, *size, 1 or 3)."""
        return self._maps[video][start:stop]

    def stream(self, video: int, length: int) -> Iterator[NDArray[np.uint8]]:
        """Yields all frames in order, at most `length` at a time."""
        return footage.pieces(self, video, length)


def _map(
    folder: Path, entry: Entry, size: tuple[int, int]
) -> NDArray[np.uint8]:
    path = folder / entry.path
    needed, found = entry.bytes(size), -1
    if path.is_file():
        listings.require_inside(folder, path)
        found = path.stat().st_size
    if found != needed:
        raise ValueError(
            f"{path}: must hold {needed} bytes. Found there: "
            f"{'no file' if found < 0 else found}. `lgn prepare` makes it anew"
        )
    shape = (entry.frames, *size, entry.channels)
    mapped = np.memmap(path, np.uint8, mode="r", shape=shape)
    # A plain view: slices of a memmap cost more to make than to read.
    return mapped.view(np.ndarray)


class Store:
    """An opened store.

    Args:
        folder: where it lies.

    Raises:
        FileNotFoundError: where there is no store.
        ValueError: where it is incomplete or damaged.
    """

    def __init__(self, folder: Path) -> None:
        """Reads the manifest."""
        self.folder = folder
        self.manifest = read_manifest(folder)
        if not self.manifest.complete:
            raise ValueError(
                f"{folder}: `lgn prepare` was interrupted; run it again. "
                f"Found there: {len(self.manifest.entries)} finished videos"
            )

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of every frame."""
        return self.manifest.size

    def split(self, name: str) -> Stored:
        """Returns the footage of `train` or `test`.

        Raises:
            ValueError: where the split has no videos, or a file is damaged.
        """
        entries = [e for e in self.manifest.entries if e.split in (name, "all")]
        if not entries:
            raise ValueError(f"{self.folder}: no videos of the split {name!r}")
        return Stored(self.folder, entries, self.size)

    def stale(self, dataset: Dataset) -> list[str]:
        """Compares the source of every video with what the store was made of.

        Reads the whole source once.

        Returns:
            A line for each video that changed, is new, or is gone.
        """
        entries = {(e.split, e.name): e for e in self.manifest.entries}
        lines = []
        for video in dataset.videos:
            entry = entries.pop((video.split, video.name), None)
            if entry is None:
                lines.append(f"{video.source}: not in the store")
            elif entry.source != fingerprint(video):
                lines.append(f"{video.source}: changed since it was stored")
        lines += [
            f"{split}/{name}: in the store, and its source is gone"
            for split, name in entries
        ]
        return lines


def open_store(folder: Path) -> Store:
    """Opens a store; see `Store`."""
    return Store(folder)
