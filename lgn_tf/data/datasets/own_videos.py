"""A user's own videos: files or folders of frames, with or without splits."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from lgn_tf.data.datasets.dataset import Dataset, Truth, Video
from lgn_tf.files import listings
from lgn_tf.files.listings import children, folders, is_image, is_video


def find(root: Path) -> list[Dataset]:
    """Returns the data sets of one's own that a folder holds, or is.

    Splits beside loose videos are two.
    """
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


def loose(root: Path) -> list[Dataset]:
    """Returns the videos right in a folder as a data set, or none."""
    videos = _videos(root, "all")
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
    table = folder / "labels.csv"
    truths = (Truth("csv", table),) if table.is_file() else ()
    masked = []
    for video in videos:
        mask = folder / "masks" / video.name
        if video.split != "train" and mask.is_dir():
            video = dataclasses.replace(video, mask=mask)
        masked.append(video)
    return Dataset(root, "own", tuple(masked), truths)
