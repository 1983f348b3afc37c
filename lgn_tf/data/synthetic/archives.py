"""Writes drawn videos to disk the way the published archives lie there."""

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import scipy.io
from numpy.typing import NDArray

from lgn_tf.data.datasets import kinds, labels
from lgn_tf.data.datasets.dataset import LAYOUTS
from lgn_tf.data.synthetic.walkways import Clip, Walkway

LOSSLESS = "FFV1"
"""The codec of the AVI files: what is read back is what was drawn."""

_TEST_NAMES = {
    "ucsd": "Test{number:03d}",
    "avenue": "{number:02d}",
    "shanghaitech": "01_{number:04d}",
    "frame-pred": "{number:02d}",
    "own": "{clip.name}",
}
"""What `layouts` calls the test videos; numbers count from 1."""


def write(
    walkway: Walkway, root: Path, layout: str, *, name: str = "synthetic"
) -> None:
    """Writes videos, labels, masks, and `kinds.csv` in the folder itself.

    Args:
        walkway: from `walkways.draw`.
        root: a folder that does not exist yet, or is empty.
        layout: one of `layouts.LAYOUTS`.
        name: what label files are named after.

    Raises:
        ValueError: for another layout, or a folder that holds something.
        OSError: where a file cannot be written.
    """
    if layout not in LAYOUTS:
        raise ValueError(
            f"`layout` must be one of {', '.join(LAYOUTS)}. "
            f"Received: layout={layout!r}"
        )
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise ValueError(f"{root}: must be empty or not exist")
    root.mkdir(parents=True, exist_ok=True)
    writers: dict[str, Callable[[Walkway, Path, str], None]] = {
        "ucsd": _ucsd,
        "avenue": _avenue,
        "shanghaitech": _shanghaitech,
        "frame-pred": _frame_pred,
        "own": _own,
    }
    writers[layout](walkway, root, name)
    pattern = _TEST_NAMES[layout]
    kinds.write(
        root / kinds.FILE,
        [
            (pattern.format(number=number, clip=clip), interval, clip.kind)
            for number, clip in enumerate(walkway.test, 1)
            for interval in labels.to_intervals(clip.labels)
        ],
    )


def write_images(
    folder: Path, pictures: Iterable[NDArray[Any]], pattern: str, first: int
) -> None:
    """Writes one image a frame.

    Args:
        folder: made where it does not exist.
        pictures: uint8 (height, width, 1 or 3) or (height, width).
        pattern: of the names, such as `{:03d}.tif`.
        first: the number of the first.

    Raises:
        OSError: where a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(pictures, first):
        path = folder / pattern.format(number)
        _, encoded = cv2.imencode(path.suffix, picture)
        path.write_bytes(encoded.tobytes())


def write_video(
    path: Path, pictures: NDArray[np.uint8], codec: str = LOSSLESS
) -> None:
    """Writes a video file of 25 frames a second.

    Args:
        path: its folder is made where it does not exist.
        pictures: uint8 (frames, height, width, 1 or 3).
        codec: four letters.

    Raises:
        OSError: where it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = pictures.shape[1:3]
    code = cv2.VideoWriter.fourcc(*codec)
    writer = cv2.VideoWriter(str(path), code, 25.0, (width, height))
    if not writer.isOpened():
        raise OSError(f"{path}: OpenCV cannot write a video there")
    for picture in pictures:
        writer.write(np.repeat(picture, 3 // picture.shape[-1], axis=-1))
    writer.release()


def write_intervals(path: Path, clips: Sequence[Clip]) -> None:
    """Writes Frame-Pred's `.mat`: `gt`, for each clip 2 x N starts and ends."""
    cell = np.empty((1, len(clips)), object)
    for place, clip in enumerate(clips):
        intervals = labels.to_intervals(clip.labels)
        cell[0, place] = np.array(intervals, np.uint16).reshape(-1, 2).T
    scipy.io.savemat(path, {"gt": cell})


def _ucsd(walkway: Walkway, root: Path, name: str) -> None:
    for number, clip in enumerate(walkway.train, 1):
        folder = root / f"Train/Train{number:03d}"
        write_images(folder, clip.frames, "{:03d}.tif", 1)
    lines = ["TestVideoFile = {};"]
    (root / "Test").mkdir()
    for number, clip in enumerate(walkway.test, 1):
        folder = root / f"Test/Test{number:03d}"
        write_images(folder, clip.frames, "{:03d}.tif", 1)
        masks = clip.masks.astype(np.uint8) * 255
        write_images(Path(f"{folder}_gt"), masks, "{:03d}.bmp", 1)
        intervals = labels.to_intervals(clip.labels)
        text = ", ".join(f"{start}:{end}" for start, end in intervals)
        lines.append(f"TestVideoFile{{end+1}}.gt_frame = [{text}];")
    (root / f"Test/{name}.m").write_text("\n".join(lines) + "\n")


def _avenue(walkway: Walkway, root: Path, name: str) -> None:
    del name
    for number, clip in enumerate(walkway.train, 1):
        write_video(root / f"training_videos/{number:02d}.avi", clip.frames)
    folder = root / "ground_truth_demo/testing_label_mask"
    folder.mkdir(parents=True)
    for number, clip in enumerate(walkway.test, 1):
        write_video(root / f"testing_videos/{number:02d}.avi", clip.frames)
        cell = np.empty((1, len(clip.masks)), object)
        for place, mask in enumerate(clip.masks):
            cell[0, place] = mask.astype(np.uint8)
        path = folder / f"{number}_label.mat"
        scipy.io.savemat(path, {"volLabel": cell}, do_compression=True)


def _shanghaitech(walkway: Walkway, root: Path, name: str) -> None:
    del name
    for number, clip in enumerate(walkway.train, 1):
        path = root / f"training/videos/01_{number:03d}.avi"
        write_video(path, clip.frames)
    for part in ("test_frame_mask", "test_pixel_mask"):
        (root / "testing" / part).mkdir(parents=True)
    for number, clip in enumerate(walkway.test, 1):
        video = f"01_{number:04d}"
        folder = root / "testing/frames" / video
        write_images(folder, clip.frames, "{:03d}.jpg", 0)
        for part, array in (
            ("test_frame_mask", clip.labels.astype(np.int8)),
            ("test_pixel_mask", clip.masks),
        ):
            np.save(root / f"testing/{part}/{video}.npy", array)


def _frame_pred(walkway: Walkway, root: Path, name: str) -> None:
    for split, clips in (
        ("training", walkway.train),
        ("testing", walkway.test),
    ):
        for number, clip in enumerate(clips, 1):
            folder = root / split / f"frames/{number:02d}"
            write_images(folder, clip.frames, "{:03d}.jpg", 0)
    _write_masks(root / "testing/masks", walkway.test)
    write_intervals(root / f"{name}.mat", walkway.test)


def _own(walkway: Walkway, root: Path, name: str) -> None:
    del name
    for split, clips in (("train", walkway.train), ("test", walkway.test)):
        for clip in clips:
            write_video(root / split / f"{clip.name}.avi", clip.frames)
    _write_masks(root / "masks", walkway.test)
    with (root / "labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["video", "start", "end"])
        for clip in walkway.test:
            for start, end in labels.to_intervals(clip.labels):
                rows.writerow([clip.name, start, end])


def _write_masks(root: Path, clips: Sequence[Clip]) -> None:
    for clip in clips:
        masks = clip.masks.astype(np.uint8) * 255
        write_images(root / clip.name, masks, "{:03d}.png", 0)
