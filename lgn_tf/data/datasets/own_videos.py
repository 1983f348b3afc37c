"""The layout `own`: a user's own videos, with or without splits.

train/monday.avi          files, or folders of frames
test/tuesday.mp4
labels.csv                optional
masks/tuesday/000.png     optional
"""

import dataclasses
from collections.abc import Collection, Iterable
from pathlib import Path

from lgn_tf.data.datasets import label_files, labels, tables
from lgn_tf.data.datasets.dataset import Dataset, Labels, Video
from lgn_tf.data.datasets.registry import Layout
from lgn_tf.data.synthetic.walkways import Walkway
from lgn_tf.files import listings, media
from lgn_tf.files.listings import children, folders, is_image, is_video

TABLE = "labels.csv"
"""The file of the labels."""


def find(root: Path, named: Path) -> list[Dataset]:
    """Returns the data sets of one's own that a folder holds, or is.

    Splits beside loose videos are two.
    """
    del named  # All lies in the root.
    videos: list[Video] = []
    for split, names in (
        ("train", ("train", "training")),
        ("test", ("test", "testing")),
    ):
        for name in names:
            videos += _videos(root / name, split)
    beside = loose(root)
    if videos:
        return [_dataset(root, videos), *beside]
    if beside:
        return beside
    if is_video(root) or any(is_image(file) for file in children(root)):
        name = root.name if root.is_dir() else root.stem
        return [_dataset(root, [Video(name, "all", root)])]
    return []


def loose(root: Path, taken: Collection[Path] = ()) -> list[Dataset]:
    """Returns the videos right in a folder as a data set, or none.

    Args:
        root: the folder.
        taken: videos that belong to another data set.
    """
    videos = [v for v in _videos(root, "all") if v.source not in taken]
    return [_dataset(root, videos)] if videos else []


def _videos(root: Path, split: str) -> list[Video]:
    videos = [Video(f.stem, split, f) for f in children(root) if is_video(f)]
    videos += [
        Video(folder.name, split, folder)
        for folder in folders(root)
        if any(is_image(file) for file in children(folder))
    ]
    return sorted(videos, key=lambda video: listings.natural(video.name))


def _dataset(root: Path, videos: Iterable[Video]) -> Dataset:
    folder = root if root.is_dir() else root.parent
    table = folder / TABLE
    ground_truths = (label_files.label_file(table),) if table.is_file() else ()
    masked = []
    for video in videos:
        mask = folder / "masks" / video.name
        if video.split != "train" and mask.is_dir():
            video = dataclasses.replace(video, mask=mask)
        masked.append(video)
    return Dataset(root, "own", tuple(masked), ground_truths)


def write(walkway: Walkway, root: Path, name: str) -> dict[str, Labels]:
    """Writes drawn videos as files in `train` and `test`."""
    del name  # Its label file has a name of its own.
    for split, clips in (("train", walkway.train), ("test", walkway.test)):
        for clip in clips:
            media.write_video(root / split / f"{clip.name}.avi", clip.frames)
    for clip in walkway.test:
        folder = root / "masks" / clip.name
        media.write_masks(folder, clip.masks, "{:03d}.png", 0)
    found = {clip.name: clip.labels for clip in walkway.test}
    write_labels(root / TABLE, found)
    return found


def write_labels(path: Path, found: dict[str, Labels]) -> None:
    """Writes the labels of each video, by its name, as a table."""
    rows = [
        (video, *interval)
        for video, marks in found.items()
        for interval in labels.to_intervals(marks)
    ]
    tables.write_table(path, rows)


LAYOUT = Layout("own", find, write)
