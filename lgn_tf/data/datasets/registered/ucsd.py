"""UCSD Ped1 and Ped2: two places of one archive, in one layout.

Train/Train001/001.tif
Test/Test001/001.tif
Test/Test001_gt/001.bmp   pixel masks; of Ped1 only ten test videos have
them
Test/UCSDped2.m           TestVideoFile{end+1}.gt_frame = [61:180];
"""

from pathlib import Path

from lgn_tf.config.schema import (
    Config,
    ModelConfig,
    ScoringConfig,
    TrainingConfig,
)
from lgn_tf.data.datasets import label_files, labels
from lgn_tf.data.datasets.dataset import Dataset, Labels, Video
from lgn_tf.data.datasets.registry import (
    DatasetSpec,
    Layout,
    PublishedNumbers,
    register_dataset,
)
from lgn_tf.data.synthetic.walkways import Walkway
from lgn_tf.files import media
from lgn_tf.files.listings import children, folders


def find(root: Path, named: Path) -> list[Dataset]:
    """Returns the data set of a folder that holds `Train` and `Test`."""
    del named  # All lies in the root.
    train = _numbered(root / "Train", "Train")
    test = _numbered(root / "Test", "Test")
    if not train and not test:
        return []
    videos = [Video(folder.name, "train", folder) for folder in train]
    for folder in test:
        mask = folder.with_name(folder.name + "_gt")
        videos.append(
            Video(folder.name, "test", folder, mask if mask.is_dir() else None)
        )
    scripts = [f for f in children(root / "Test") if f.suffix == ".m"]
    found = [label_files.label_file(script) for script in scripts]
    found += label_files.published_later(root)
    return [Dataset(root, "ucsd", tuple(videos), tuple(found))]


def _numbered(root: Path, prefix: str) -> list[Path]:
    return [
        folder
        for folder in folders(root)
        if folder.name.startswith(prefix)
        and folder.name.removeprefix(prefix).isdigit()
    ]


def write(walkway: Walkway, root: Path, name: str) -> dict[str, Labels]:
    """Writes drawn videos as TIFF files, with a mask for each test frame."""
    for number, clip in enumerate(walkway.train, 1):
        folder = root / f"Train/Train{number:03d}"
        media.write_images(folder, clip.frames, "{:03d}.tif", 1)
    lines = ["TestVideoFile = {};"]
    (root / "Test").mkdir()
    found = {}
    for number, clip in enumerate(walkway.test, 1):
        folder = root / f"Test/Test{number:03d}"
        media.write_images(folder, clip.frames, "{:03d}.tif", 1)
        media.write_masks(Path(f"{folder}_gt"), clip.masks, "{:03d}.bmp", 1)
        intervals = labels.to_intervals(clip.labels)
        text = ", ".join(f"{start}:{end}" for start, end in intervals)
        lines.append(f"TestVideoFile{{end+1}}.gt_frame = [{text}];")
        found[folder.name] = clip.labels
    (root / f"Test/{name}.m").write_text("\n".join(lines) + "\n")
    return found


LAYOUT = Layout("ucsd", find, write)

PRESET = Config(
    ModelConfig(memory_items=10),
    TrainingConfig(compactness_weight=10, separateness_weight=5),
    ScoringConfig(normality_weight=0.6, update_threshold=0.009),
)
"""The paper's for Ped2. It says nothing of Ped1."""

ORIGIN = (
    "Statistical Visual Computing Lab, UC San Diego: "
    "www.svcl.ucsd.edu/projects/anomaly"
)
CITATION = "Mahadevan et al., CVPR 2010"
FRAME_RATE = 10.0
"""The archive holds single frames and names no rate: 10 is customary."""

PED2_COUNTS = (180, 180, 150, 180, 150, 180, 180, 180, 120, 150, 180, 180)

register_dataset(
    DatasetSpec(
        name="ped2",
        title="UCSD Ped2",
        preset=PRESET,
        layout=LAYOUT,
        published=PublishedNumbers(
            train_videos=16,
            train_frames=2550,
            test_videos=12,
            test_frames=2010,
            scored=1962,
            abnormal={"ucsd": 1648, "frame-pred": 1648, "mnad": 1648},
            test_counts=PED2_COUNTS,
        ),
        frame_rate=FRAME_RATE,
        gray=True,
        paper_auc=0.971,
        origin=ORIGIN,
        citation=CITATION,
    )
)

register_dataset(
    DatasetSpec(
        name="ped1",
        title="UCSD Ped1",
        preset=PRESET,
        layout=LAYOUT,
        published=PublishedNumbers(
            train_videos=34,
            train_frames=6800,
            test_videos=36,
            test_frames=7200,
            scored=7056,
            test_counts=(200,) * 36,
        ),
        frame_rate=FRAME_RATE,
        gray=True,
        origin=ORIGIN,
        citation=CITATION,
    )
)
