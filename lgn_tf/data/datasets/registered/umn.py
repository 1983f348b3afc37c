"""UMN: eleven clips of a crowd that walks, and then runs away.

    Trim1.mp4 ... Trim11.mp4
    labels.csv                video,start,end

There is no official split. Of each clip the first 60 % of what lies before its
first abnormal frame is for training, and the rest is the test.
"""

import re
from pathlib import Path

import numpy as np

from lgn_tf.config.schema import Config, ModelConfig
from lgn_tf.data.datasets import label_files, own_videos, tables
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
    """Returns the two parts of every clip.

    Raises:
        ValueError: where the table does not say when a clip becomes abnormal.
    """
    del named  # All lies in the root.
    files = [
        file
        for file in children(root)
        if is_video(file) and re.fullmatch(r"Trim\d+", file.stem)
    ]
    table = root / own_videos.TABLE
    if not files or not table.is_file():
        return []
    first: dict[str, int] = {}
    for clip, (start, _), _ in tables.read_table(table):
        first[clip] = min(start, first.get(clip, start))
    train, test = [], []
    for file in files:
        if file.stem not in first:
            raise ValueError(
                f"{table}: must say when each clip becomes abnormal. "
                f"Found there: nothing of {file.stem}. Without the split of "
                "UMN it is `--layout own`"
            )
        fitted = 6 * (first[file.stem] - 1) // 10
        if fitted:
            train.append(Video(file.stem, "train", file, stop=fitted))
        test.append(Video(file.stem, "test", file, start=fitted))
    videos = (*train, *test)
    return [Dataset(root, "umn", videos, (label_files.label_file(table),))]


def write(walkway: Walkway, root: Path, name: str) -> dict[str, Labels]:
    """Writes clips that begin as a training video and end as a test video."""
    del name  # Its label file has a name of its own.
    found = {}
    for number, clip in enumerate(walkway.test, 1):
        parts, marks = [clip.frames], [clip.labels]
        if walkway.train:
            normal = walkway.train[(number - 1) % len(walkway.train)]
            parts.insert(0, normal.frames)
            marks.insert(0, normal.labels)
        path = root / f"Trim{number}.avi"
        media.write_video(path, np.concatenate(parts))
        found[path.stem] = np.concatenate(marks)
    own_videos.write_labels(root / own_videos.TABLE, found)
    return found


register_dataset(
    DatasetSpec(
        name="umn",
        title="UMN Unusual Crowd Activity",
        preset=Config(ModelConfig(residual=True)),
        layout=Layout("umn", find, write),
        # Nobody published numbers of a split: these follow from the clips.
        published=PublishedNumbers(
            train_videos=11,
            train_frames=3631,
            test_videos=11,
            test_frames=3772,
            scored=3728,
            abnormal={"csv": 1163},
            test_counts=(307, 401, 310, 331, 411, 301, 442, 311, 305, 311, 342),
        ),
        frame_rate=30.0,
        origin="University of Minnesota: mha.cs.umn.edu/proj_events.shtml",
        citation="Mehran, Oyama, Shah, CVPR 2009",
    )
)
