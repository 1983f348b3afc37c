"""The frame store: every video decoded and resized once, memory-mapped.

    store/
      manifest.json      what is there, made from which sources
      train/01.frames    uint8 (frames, height, width, channels), C order
      test/01.frames
      test/01.motion     float32 (frames, rows, columns), where it was asked
                         for

A video is written under another name, flushed to disk and renamed, and only
then the manifest is, so that a kill at any moment leaves nothing half written;
`preparation.prepare` goes on from there.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lgn_tf.data.datasets.dataset import Dataset, Video
from lgn_tf.data.video import footage
from lgn_tf.files import atomic

MANIFEST = "manifest.json"
MOTION = ".motion"
MOTION_TYPE = "<f4"
FORMAT = 1
_BLOCK = 1 << 20


@dataclasses.dataclass(frozen=True)
class Source:
    """What a stored video was made from.

    Attributes:
        files: number of files.
        size: their bytes together.
        checksum: SHA-256 of their names and contents.
    """

    files: int
    size: int
    checksum: str


@dataclasses.dataclass(frozen=True)
class Entry:
    """One stored video.

    Attributes:
        name: of the video.
        split: `train`, `test` or `all`.
        frames: their number.
        channels: 1 where no frame of the video holds colour, else 3.
        source: what it was made from.
        cells: rows and columns of the motion in its frames, which lies beside
            them, measured in their own size; 0 where it does not.
    """

    name: str
    split: str
    frames: int
    channels: int
    source: Source
    cells: tuple[int, int] = (0, 0)

    @property
    def path(self) -> Path:
        """Where it lies, below the folder of the store."""
        return Path(self.split) / f"{self.name}.frames"

    @property
    def motion(self) -> bool:
        """Whether the motion in its frames lies beside them."""
        return all(self.cells)

    @property
    def motion_path(self) -> Path:
        """Where its motion lies."""
        return self.path.with_suffix(MOTION)

    @property
    def motion_bytes(self) -> int:
        """How large that file must be."""
        rows, columns = self.cells
        return self.frames * rows * columns * np.dtype(MOTION_TYPE).itemsize

    def bytes(self, size: tuple[int, int]) -> int:
        """Returns how large the file must be."""
        return self.frames * size[0] * size[1] * self.channels


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What a store holds.

    Attributes:
        layout: the layout of the source.
        size: (height, width) of every frame.
        complete: whether `prepare` came to its end.
        entries: the videos, training first, each split in natural order.
        skipped: for each video that was left out, why.
    """

    layout: str
    size: tuple[int, int]
    complete: bool
    entries: tuple[Entry, ...]
    skipped: tuple[str, ...] = ()


def read_manifest(folder: Path) -> Manifest:
    """Reads the manifest of a store.

    Raises:
        FileNotFoundError: where there is none.
        ValueError: where it is no manifest of this format.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: not there, so {folder} is no store. `lgn prepare` "
            "makes one"
        )
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values.pop("format") != FORMAT:
            raise ValueError("another format")
        entries = tuple(
            Entry(
                **{
                    **entry,
                    "source": Source(**entry["source"]),
                    "cells": tuple(entry.get("cells", (0, 0))),
                }
            )
            for entry in values.pop("entries")
        )
        height, width = values.pop("size")
        skipped = tuple(values.pop("skipped"))
        return Manifest(
            size=(height, width), entries=entries, skipped=skipped, **values
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path}: not a manifest of format {FORMAT}. Found there: {error}"
        ) from error


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Writes the manifest in one step: another reader sees the old or the new.

    Raises:
        OSError: where there is no space left.
    """
    values = {"format": FORMAT, **dataclasses.asdict(manifest)}
    temporary = folder / f"{MANIFEST}.partial"
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(values, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / MANIFEST)
    atomic.sync_folder(folder)


def fingerprint(video: Video) -> Source:
    """Reads the source of a video and returns its checksum.

    Raises:
        ValueError: where a folder holds no frames; see `Video.frame_files`.
    """
    files = video.frame_files() or [video.source]
    digest, size = hashlib.sha256(), 0
    for path in files:
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        size += path.stat().st_size
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    return Source(len(files), size, digest.hexdigest())


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


def manifest_counts(manifest: Manifest) -> dict[str, Any]:
    """Returns counts of a manifest: videos, frames, bytes, skipped."""
    return {
        "videos": len(manifest.entries),
        "frames": sum(entry.frames for entry in manifest.entries),
        "bytes": sum(e.bytes(manifest.size) for e in manifest.entries),
        "skipped": len(manifest.skipped),
    }
