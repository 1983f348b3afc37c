"""The layout `frame-pred`: folders of frames, as later publications have them.

training/frames/01/000.jpg
testing/frames/01/000.jpg
testing/masks/01/000.png        optional
testing/test_frame_mask/01.npy  optional, as ShanghaiTech's
NAME.mat, frame_labels_NAME.npy
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lgn_tf.data.datasets import label_files, labels
from lgn_tf.data.datasets.dataset import Dataset, GroundTruth, Labels, Video
from lgn_tf.data.datasets.registry import Layout
from lgn_tf.data.synthetic.walkways import Clip, Walkway
from lgn_tf.files import media
from lgn_tf.files.listings import children, folders


def find(root: Path, named: Path) -> list[Dataset]:
    """Returns the frames of a folder, and every version of their labels."""
    del named  # All lies in the root.
    train = [
        Video(folder.name, "train", folder)
        for folder in folders(root / "training/frames")
    ]
    test = folders(root / "testing/frames")
    if not train and (not test or (root / "training/videos").is_dir()):
        return []
    return [with_test_frames(root, "frame-pred", train)]


def with_test_frames(
    root: Path, layout: str, train: Sequence[Video]
) -> Dataset:
    """Adds the folders of test frames, their labels and masks.

    Args:
        root: the folder that holds `testing`.
        layout: name of the layout.
        train: the training videos.
    """
    test = []
    for folder in folders(root / "testing/frames"):
        pixels = root / f"testing/test_pixel_mask/{folder.name}.npy"
        images = root / "testing/masks" / folder.name
        mask = next((p for p in (pixels, images) if p.exists()), None)
        test.append(Video(folder.name, "test", folder, mask))
    found = label_files.published_later(root)
    arrays = root / "testing/test_frame_mask"
    if arrays.is_dir():
        read = label_files.read_each_array
        found.append(GroundTruth("shanghaitech", arrays, read, official=True))
    scripts = [f for f in children(root / "testing") if f.suffix == ".m"]
    found += map(label_files.label_file, scripts)
    return Dataset(root, layout, (*train, *test), tuple(found))


def write(walkway: Walkway, root: Path, name: str) -> dict[str, Labels]:
    """Writes drawn videos as folders of JPEG files."""
    for split, clips in (
        ("training", walkway.train),
        ("testing", walkway.test),
    ):
        for number, clip in enumerate(clips, 1):
            folder = root / split / f"frames/{number:02d}"
            media.write_images(folder, clip.frames, "{:03d}.jpg", 0)
    for clip in walkway.test:
        folder = root / "testing/masks" / clip.name
        media.write_masks(folder, clip.masks, "{:03d}.png", 0)
    write_intervals(root / f"{name}.mat", walkway.test)
    return {clip.name: clip.labels for clip in walkway.test}


def write_intervals(path: Path, clips: Sequence[Clip]) -> None:
    """Writes Frame-Pred's `.mat`: `gt`, for each clip 2 x N starts and ends."""
    import scipy.io

    cell = np.empty((1, len(clips)), object)
    for place, clip in enumerate(clips):
        intervals = labels.to_intervals(clip.labels)
        cell[0, place] = np.array(intervals, np.uint16).reshape(-1, 2).T
    scipy.io.savemat(path, {"gt": cell})


LAYOUT = Layout("frame-pred", find, write)
