"""Data sets as they were found on disk: videos, ground truth, masks."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lgn_tf.files import listings

Labels = NDArray[np.uint8]
"""1 where a frame is abnormal, else 0, (frames,)."""

LabelReader = Callable[[Path, Mapping[str, int]], dict[str, Labels]]
"""Reads a path, given the frames of each test video, into their labels."""

MaskReader = Callable[[Path], NDArray[Any]]
"""Reads a path into masks of two values, (frames, height, width)."""


@dataclasses.dataclass(frozen=True)
class Video:
    """One video, which may be a part of what lies on disk.

    Ground truth, masks and kinds of anomaly count the frames of the source,
    not those of the part. Labels and kinds must end where the part ends.

    Attributes:
        name: unique within its split, such as `01`.
        split: `train`, `test`, or `all` where the folder makes no difference.
        source: a folder of frames, or a video file.
        mask: folder or file with its pixel masks, or None.
        mask_reader: reads that file where its format is not a shared one.
        start: first frame of the source that belongs to the video, from 0.
        stop: frame of the source behind the last one; None for the end.
    """

    name: str
    split: str
    source: Path
    mask: Path | None = None
    mask_reader: MaskReader | None = dataclasses.field(
        default=None, compare=False
    )
    start: int = 0
    stop: int | None = None

    @property
    def is_file(self) -> bool:
        """True for a video file, False for a folder of frames."""
        return listings.is_video(self.source)

    @property
    def is_part(self) -> bool:
        """True where the source holds frames that are not of this video."""
        return self.start > 0 or self.stop is not None

    def whole(self) -> "Video":
        """Returns all of the source as one video."""
        return dataclasses.replace(self, start=0, stop=None)

    def frame_files(self) -> list[Path]:
        """Lists the frames of a folder in natural order; a file has none.

        Raises:
            ValueError: where the folder holds no frames, or two formats, or
                two files with one number, or a link out of the folder.
        """
        if self.is_file:
            return []
        return listings.frames(self.source)[self.start : self.stop]


@dataclasses.dataclass(frozen=True)
class GroundTruth:
    """One version of the frame labels of the test videos.

    Attributes:
        version: its name, such as `ucsd`, `avenue-masks` or `csv`.
        path: the file, or the folder with one file a video.
        read: reads it.
        official: whether it is the archive's own, made from its masks.
    """

    version: str
    path: Path
    read: LabelReader = dataclasses.field(compare=False)
    official: bool = False


@dataclasses.dataclass(frozen=True)
class Dataset:
    """The videos and the ground truth under a root.

    Attributes:
        root: the folder that was recognised (it may lie below the one given).
        layout: name of the layout, see `layouts.known_layouts`.
        videos: every video, training first, each split in natural order.
        ground_truths: every version of the frame labels, the preferred one
            first.
        strays: videos that have masks and are not there themselves.
    """

    root: Path
    layout: str
    videos: tuple[Video, ...]
    ground_truths: tuple[GroundTruth, ...] = ()
    strays: tuple[Video, ...] = ()

    def split(self, name: str) -> tuple[Video, ...]:
        """Returns the videos of `train` or `test`, in natural order.

        Raises:
            ValueError: for another name.
        """
        if name not in ("train", "test"):
            raise ValueError(
                f"`split` must be 'train' or 'test'. Received: split={name!r}"
            )
        return tuple(v for v in self.videos if v.split in (name, "all"))

    def summary(self) -> str:
        """Returns one line that says what was recognised."""
        masks = sum(video.mask is not None for video in self.videos)
        versions = ", ".join(one.version for one in self.ground_truths)
        return (
            f"{self.root}: layout {self.layout}, "
            f"{len(self.split('train'))} training and "
            f"{len(self.split('test'))} test videos, "
            f"labels: {versions or 'none'}, videos with masks: {masks}"
        )


def require_distinct(
    sources: Iterable[tuple[str, Path]], hint: str = ""
) -> None:
    """Raises where two videos of one name would write the same files.

    Args:
        sources: name and place of each video; one may come twice.
        hint: what helps, for the message.

    Raises:
        ValueError: naming both.
    """
    seen: dict[str, Path] = {}
    for name, source in sources:
        other = seen.setdefault(name, source)
        if other != source:
            raise ValueError(
                "Videos must have different names: each names its files"
                f"{hint}. Received: {other} and {source}"
            )
