"""ShanghaiTech Campus: training videos as files, test videos as frames.

training/videos/01_001.avi
testing/frames/01_0014/000.jpg
testing/test_frame_mask/01_0014.npy   one label a frame
testing/test_pixel_mask/01_0014.npy   (frames, height, width)
"""

from pathlib import Path

import numpy as np

from lgn_tf.config.schema import (
    Config,
    ModelConfig,
    ScoringConfig,
    TrainingConfig,
)
from lgn_tf.data.datasets import frame_folders
from lgn_tf.data.datasets.dataset import Dataset, Labels, Video
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
    """Returns the data set of a folder that holds training videos as files."""
    del named  # All lies in the root.
    files = [f for f in children(root / "training/videos") if is_video(f)]
    train = [Video(file.stem, "train", file) for file in files]
    if not train:
        return []
    return [frame_folders.with_test_frames(root, "shanghaitech", train)]


def write(walkway: Walkway, root: Path, name: str) -> dict[str, Labels]:
    """Writes drawn videos: files for training, JPEG frames for the test."""
    del name  # Its label files have names of their own.
    for number, clip in enumerate(walkway.train, 1):
        path = root / f"training/videos/01_{number:03d}.avi"
        media.write_video(path, clip.frames)
    for part in ("test_frame_mask", "test_pixel_mask"):
        (root / "testing" / part).mkdir(parents=True)
    found = {}
    for number, clip in enumerate(walkway.test, 1):
        video = f"01_{number:04d}"
        folder = root / "testing/frames" / video
        media.write_images(folder, clip.frames, "{:03d}.jpg", 0)
        for part, array in (
            ("test_frame_mask", clip.labels.astype(np.int8)),
            ("test_pixel_mask", clip.masks),
        ):
            np.save(root / f"testing/{part}/{video}.npy", array)
        found[video] = clip.labels
    return found


register_dataset(
    DatasetSpec(
        name="shanghaitech",
        title="ShanghaiTech Campus",
        preset=Config(
            ModelConfig(memory_items=200),
            TrainingConfig(compactness_weight=1, separateness_weight=1),
            ScoringConfig(normality_weight=0.8, update_threshold=0.0135),
        ),
        layout=Layout("shanghaitech", find, write),
        # Papers print 42,883 test frames; the archive holds 40,791.
        published=PublishedNumbers(
            train_videos=330,
            train_frames=274515,
            test_videos=107,
            test_frames=40791,
            scored=40363,
            abnormal={"shanghaitech": 17326, "mnad": 17326},
        ),
        # As the training files say, but for some that say 25.
        frame_rate=24.0,
        paper_auc=0.730,
        origin="svip-lab.github.io/dataset/campus_dataset.html",
        citation="Luo, Liu, Gao, ICCV 2017",
    )
)
