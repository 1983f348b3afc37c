"""CUHK Avenue. Its ground truth is an archive of its own.

training_videos/01.avi
testing_videos/01.avi
ground_truth_demo/testing_label_mask/1_label.mat   beside the videos, or
beside their folder
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lgn_tf.config.schema import (
    Config,
    ModelConfig,
    ScoringConfig,
    TrainingConfig,
)
from lgn_tf.data.datasets import label_files, masks, matlab
from lgn_tf.data.datasets.dataset import Dataset, GroundTruth, Labels, Video
from lgn_tf.data.datasets.registry import (
    DatasetSpec,
    Layout,
    PublishedNumbers,
    register_dataset,
)
from lgn_tf.data.synthetic.walkways import Walkway
from lgn_tf.files import media
from lgn_tf.files.listings import children, is_video


def find(root: Path, named: Path) -> list[Dataset]:
    """Returns the data set of a folder that holds the videos."""
    found = _dataset(root, named)
    return [found] if found.videos else []


def find_ground_truth(root: Path, named: Path) -> list[Dataset]:
    """Returns the ground truth of a folder without videos."""
    found = _dataset(root, named)
    return [found] if found.strays else []


def _dataset(root: Path, named: Path) -> Dataset:
    train = [f for f in children(root / "training_videos") if is_video(f)]
    test = [f for f in children(root / "testing_videos") if is_video(f)]
    masks_of, folder = _mask_files(root, named)
    videos = [Video(file.stem, "train", file) for file in train]
    for file in test:
        mask = masks_of.pop(_number(file.stem), None)
        videos.append(Video(file.stem, "test", file, mask, read_masks))
    found = label_files.published_later(root)
    if folder is not None:
        own = GroundTruth("avenue-masks", folder, read_labels, official=True)
        found.insert(0, own)
    strays = tuple(
        Video(number, "test", root / "testing_videos", mask, read_masks)
        for number, mask in masks_of.items()
    )
    return Dataset(root, "avenue", tuple(videos), tuple(found), strays)


def _mask_files(root: Path, named: Path) -> tuple[dict[str, Path], Path | None]:
    for folder in (
        root / "ground_truth_demo" / "testing_label_mask",
        named / "ground_truth_demo" / "testing_label_mask",
        root / "testing_label_mask",
        root,
    ):
        files = [f for f in children(folder) if f.name.endswith("_label.mat")]
        if files:
            names = (f.name.removesuffix("_label.mat") for f in files)
            return dict(zip(map(_number, names), files, strict=True)), folder
    return {}, None


def _number(name: str) -> str:
    return name.lstrip("0") or "0"


def read_masks(path: Path) -> NDArray[Any]:
    """Reads `volLabel`: a cell of one mask a frame."""
    return masks.stack(path, matlab.read_cell(path, "volLabel"))


def read_labels(path: Path, counts: Mapping[str, int]) -> dict[str, Labels]:
    """Calls each frame abnormal whose mask marks a pixel.

    Raises:
        ValueError: where masks are not as many as the frames.
    """
    result = {}
    for name, frames in counts.items():
        file = path / f"{_number(name)}_label.mat"
        cell = matlab.read_cell(file, "volLabel")
        of = f"frames of {name}"
        label_files.require_length(file, of, cell, frames)
        result[name] = np.array([mask.any() for mask in cell], np.uint8)
    return result


def write(walkway: Walkway, root: Path, name: str) -> dict[str, Labels]:
    """Writes drawn videos as AVI files, with a cell of masks for each."""
    import scipy.io

    del name  # Its label files have names of their own.
    for number, clip in enumerate(walkway.train, 1):
        path = root / f"training_videos/{number:02d}.avi"
        media.write_video(path, clip.frames)
    folder = root / "ground_truth_demo/testing_label_mask"
    folder.mkdir(parents=True)
    for number, clip in enumerate(walkway.test, 1):
        path = root / f"testing_videos/{number:02d}.avi"
        media.write_video(path, clip.frames)
        cell = np.empty((1, len(clip.masks)), object)
        for place, mask in enumerate(clip.masks):
            cell[0, place] = mask.astype(np.uint8)
        path = folder / f"{number}_label.mat"
        scipy.io.savemat(path, {"volLabel": cell}, do_compression=True)
    return {
        f"{number:02d}": clip.labels
        for number, clip in enumerate(walkway.test, 1)
    }


# fmt: off
COUNTS = (
    1439, 1211, 923, 947, 1007, 1283, 605, 36, 1175, 841, 472, 1271, 549, 507,
    1001, 740, 426, 294, 248, 273, 76,
)
# fmt: on

register_dataset(
    DatasetSpec(
        name="avenue",
        title="CUHK Avenue",
        preset=Config(
            ModelConfig(memory_items=10),
            TrainingConfig(compactness_weight=10, separateness_weight=2),
            ScoringConfig(normality_weight=0.5, update_threshold=0.006),
        ),
        layout=Layout("avenue", find, write, last_resort=find_ground_truth),
        published=PublishedNumbers(
            train_videos=16,
            train_frames=15328,
            test_videos=21,
            test_frames=15324,
            scored=15240,
            # The labels of later publications differ from the official masks
            # in 441 frames: results name their version.
            abnormal={"avenue-masks": 3712, "frame-pred": 3867, "mnad": 3867},
            test_counts=COUNTS,
        ),
        # As the AVI files say.
        frame_rate=25.0,
        paper_auc=0.893,
        origin="Chinese University of Hong Kong: "
        "www.cse.cuhk.edu.hk/leojia/projects/detectabnormal",
        citation="Lu, Shi, Jia, ICCV 2013",
    )
)
