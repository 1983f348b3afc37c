"""The manifest of a frame store: its videos and their sources."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from lgn_tf.config.settings import Count
from lgn_tf.data.datasets.dataset import Video
from lgn_tf.files import atomic, listings, untrusted
from lgn_tf.files.arrays import LARGEST_SIDE

MANIFEST = "manifest.json"
FRAMES_SUFFIX = ".frames"
MOTION_SUFFIX = ".motion"
MOTION_TYPE = "<f4"
FORMAT = 1
MOST_BYTES = 64 * untrusted.MEBIBYTE
"""Of a manifest: some 200,000 videos."""

SPLITS = ("train", "test", "all")
"""Folders of a store."""

_BLOCK = 1 << 20

Side = Annotated[int, msgspec.Meta(ge=0, le=65_536)]
"""Pixels along a side."""

CellSide = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_SIDE)]
"""Cells of a map along a side."""


@dataclasses.dataclass(frozen=True)
class Source:
    """The files that a stored video was made from.

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
    frames: Count
    channels: int
    source: Source
    cells: tuple[CellSide, CellSide] = (0, 0)

    def __post_init__(self) -> None:
        """Refuses what would lead out of the store, or be no video."""
        for name, good, rule in (
            (
                "name",
                listings.is_plain_name(self.name),
                "a file name, and printable",
            ),
            ("split", self.split in SPLITS, f"one of {', '.join(SPLITS)}"),
            ("channels", self.channels in (1, 3), "1 or 3"),
        ):
            if not good:
                raise ValueError(
                    f"`{name}` must be {rule}. "
                    f"Received: {name}={getattr(self, name)!r:.80}"
                )

    @property
    def path(self) -> Path:
        """Path of the frames, below the folder of the store."""
        return Path(self.split) / f"{self.name}{FRAMES_SUFFIX}"

    @property
    def motion(self) -> bool:
        """True where the motion in the frames is stored beside them."""
        return all(self.cells)

    @property
    def motion_path(self) -> Path:
        """Path of the motion, below the folder of the store."""
        return self.path.with_suffix(MOTION_SUFFIX)

    @property
    def motion_bytes(self) -> int:
        """Size of the file of the motion in bytes."""
        rows, columns = self.cells
        return self.frames * rows * columns * np.dtype(MOTION_TYPE).itemsize

    def bytes(self, size: tuple[int, int]) -> int:
        """Returns the size of the file of the frames in bytes."""
        return self.frames * size[0] * size[1] * self.channels


@dataclasses.dataclass(frozen=True)
class Manifest:
    """The contents of a store.

    Attributes:
        layout: the layout of the source.
        size: (height, width) of every frame.
        complete: whether `prepare` came to its end.
        entries: the videos, training first, each split in natural order.
        skipped: for each video that was left out, why.
    """

    layout: str
    size: tuple[Side, Side]
    complete: bool
    entries: tuple[Entry, ...]
    skipped: tuple[str, ...] = ()


class _Stamp(msgspec.Struct):
    format: Literal[1]


def read_manifest(folder: Path) -> Manifest:
    """Reads the manifest of a store.

    Raises:
        FileNotFoundError: where there is none.
        ValueError: naming the file, where it is no manifest of this format.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: not there, so {folder} is no store. `lgn prepare` "
            "makes one"
        )
    listings.require_inside(folder, path)
    contents = untrusted.read_bytes(path, MOST_BYTES)
    try:
        # Apart: of another format, other fields say nothing.
        msgspec.json.decode(contents, type=_Stamp)
        return msgspec.json.decode(contents, type=Manifest)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path}: not a manifest of format {FORMAT}. Found there: {error}"
        ) from error


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Writes the manifest in one step: another reader sees the old or the new.

    Raises:
        OSError: naming the file, where there is no space left.
    """
    values = {"format": FORMAT, **msgspec.to_builtins(manifest)}
    text = msgspec.json.format(msgspec.json.encode(values), indent=1)
    with atomic.opened(folder / MANIFEST) as file:
        file.write(text)


def fingerprint(video: Video) -> Source:
    """Reads the source of a video, and returns its checksum and size.

    Raises:
        ValueError: where a folder holds no frames; see `Video.frame_files`.
    """
    files = video.frame_files() or [video.source]
    digest, size = hashlib.sha256(), 0
    if video.is_part:
        digest.update(f"frames {video.start} to {video.stop}\0".encode())
    for path in files:
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        size += path.stat().st_size
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    return Source(len(files), size, digest.hexdigest())


def manifest_counts(manifest: Manifest) -> dict[str, Any]:
    """Returns counts of a manifest: videos, frames, bytes, skipped."""
    return {
        "videos": len(manifest.entries),
        "frames": sum(entry.frames for entry in manifest.entries),
        "bytes": sum(e.bytes(manifest.size) for e in manifest.entries),
        "skipped": len(manifest.skipped),
    }
