"""What was found on disk: videos, frame labels, pixel masks."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from lgn_tf.files import listings

LAYOUTS = ("ucsd", "avenue", "shanghaitech", "frame-pred", "own")
"""The names of the layouts that are recognised."""


@dataclasses.dataclass(frozen=True)
class Video:
    """One video.

    Attributes:
        name: unique within its split, such as `01`.
        split: `train`, `test`, or `all` where the folder makes no difference.
        source: a folder of frames, or a video file.
        mask: folder or file with its pixel masks, or None.
    """

    name: str
    split: str
    source: Path
    mask: Path | None = None

    @property
    def is_file(self) -> bool:
        """Whether this is a video file rather than a folder of frames."""
        return listings.is_video(self.source)

    def frame_files(self) -> list[Path]:
        """Lists the frames of a folder in natural order; a file has none.

        Raises:
            ValueError: where the folder holds no frames, or two formats, or
                two files with one number, or a link out of the folder.
        """
        return [] if self.is_file else listings.frames(self.source)


@dataclasses.dataclass(frozen=True)
class Truth:
    """One version of the frame labels of the test videos.

    Attributes:
        version: its name: `ucsd`, `avenue-masks`, `shanghaitech`,
            `frame-pred`, `mnad` or `csv`.
        path: the file, or the folder with one file a video.
    """

    version: str
    path: Path


@dataclasses.dataclass(frozen=True)
class Dataset:
    """What was found under a root.

    Attributes:
        root: the folder that was recognised (it may lie below the one given).
        layout: one of `LAYOUTS`.
        videos: every video, training first, each split in natural order.
        truths: every version of the frame labels, the preferred one first.
        strays: ground truth of videos that are not there.
    """

    root: Path
    layout: str
    videos: tuple[Video, ...]
    truths: tuple[Truth, ...] = ()
    strays: tuple[Path, ...] = ()

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

    def describe(self) -> str:
        """Returns one line that says what was recognised."""
        masks = sum(video.mask is not None for video in self.videos)
        versions = ", ".join(truth.version for truth in self.truths)
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
