"""Where videos, labels and masks lie on disk, in every published layout.

`recognise` finds out which layout a folder has; nobody has to say. The layouts
are (`docs/data.md` draws a tree for each):

| name | videos | ground truth |
|---|---|---|
| `ucsd` | `Train/Train001/001.tif`, `Test/Test001/001.tif` | `Test/*.m`, masks in `Test/Test001_gt` |
| `avenue` | `training_videos/01.avi`, `testing_videos/01.avi` | `testing_label_mask/1_label.mat` |
| `shanghaitech` | `training/videos/01_001.avi`, `testing/frames/01_0014/000.jpg` | `testing/test_frame_mask`, `testing/test_pixel_mask` |
| `frame-pred` | `training/frames/01/000.jpg`, `testing/frames/01/000.jpg` | `<set>.mat`, `frame_labels_<set>.npy` |
| `own` | videos or folders of frames, in `train` and `test` or side by side | `labels.csv`, masks in `masks/NAME` |
"""  # noqa: E501 - a table row cannot be broken.

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path

from lgn_tf.data.datasets import own_videos
from lgn_tf.data.datasets.dataset import LAYOUTS, Dataset, Truth, Video
from lgn_tf.files import listings
from lgn_tf.files.listings import children, folders, is_video


def recognise(
    root: Path, *, labels: Path | None = None, layout: str | None = None
) -> Dataset:
    """Finds out how the videos, labels and masks lie under a folder.

    Where the folder itself has no layout and exactly one folder in it has,
    as after unpacking an archive, that one is taken.

    Args:
        root: a folder, or one video file.
        labels: a file of frame labels that lies elsewhere: `.m`, `.mat`,
            `.npy` or `.csv`. It becomes the preferred version.
        layout: one of `LAYOUTS`, to settle a folder that holds two.

    Raises:
        FileNotFoundError: where `root` does not exist.
        ValueError: for a folder with no layout or with two, an unknown
            `layout`, a link that leaves the root, or two videos of one name.
    """
    if layout is not None and layout not in LAYOUTS:
        raise ValueError(
            f"`layout` must be one of {', '.join(LAYOUTS)}. "
            f"Received: layout={layout!r}"
        )
    if not root.exists():
        raise FileNotFoundError(f"{root}: no such file or folder")
    root = root.resolve()
    dataset = _only(root, _candidates(root, layout))
    if dataset is None:
        below = [
            _only(folder, _published(folder, layout, root))
            for folder in folders(root)
        ]
        dataset = _only(root, [found for found in below if found])
    if dataset is None and layout in (None, "own"):
        dataset = _only(root, own_videos.find(root))
    if dataset is None and layout in (None, "avenue"):
        # The ground truth alone can be looked at too.
        dataset = _avenue(root, root, bare=True)
    if dataset is None:
        raise ValueError(
            f"{root}: no videos and no frames in any known layout. "
            f"Found there: {listings.summary(root)}"
        )
    return _checked(dataset, root, labels)


def _candidates(root: Path, layout: str | None) -> list[Dataset]:
    found = _published(root, layout, root)
    # Videos of one's own beside a published layout are a second layout.
    if layout == "own":
        return own_videos.find(root)
    if layout is None and found:
        found += own_videos.loose(root)
    return found


def _published(root: Path, layout: str | None, top: Path) -> list[Dataset]:
    finders: dict[str, Callable[[Path], Dataset | None]] = {
        "ucsd": _ucsd,
        "avenue": functools.partial(_avenue, top=top),
        "shanghaitech": _shanghaitech,
        "frame-pred": _frame_pred,
    }
    return [
        found
        for name, find in finders.items()
        if layout in (None, name) and (found := find(root)) is not None
    ]


def _only(root: Path, found: list[Dataset]) -> Dataset | None:
    if len(found) > 1:
        names = ", ".join(f"{one.layout} in {one.root}" for one in found)
        raise ValueError(
            f"{root}: one layout must be there, and {len(found)} are: {names}. "
            "Name the folder of one of them, or its layout"
        )
    return found[0] if found else None


def _numbered(root: Path, prefix: str) -> list[Path]:
    return [
        folder
        for folder in folders(root)
        if folder.name.startswith(prefix)
        and folder.name.removeprefix(prefix).isdigit()
    ]


def _ucsd(root: Path) -> Dataset | None:
    train = _numbered(root / "Train", "Train")
    test = _numbered(root / "Test", "Test")
    if not train and not test:
        return None
    videos = [Video(folder.name, "train", folder) for folder in train]
    for folder in test:
        mask = folder.with_name(folder.name + "_gt")
        videos.append(
            Video(folder.name, "test", folder, mask if mask.is_dir() else None)
        )
    scripts = [f for f in children(root / "Test") if f.suffix == ".m"]
    truths = [Truth("ucsd", script) for script in scripts]
    return Dataset(root, "ucsd", tuple(videos), _with_arrays(truths, root))


def _avenue(root: Path, top: Path, bare: bool = False) -> Dataset | None:
    train = [f for f in children(root / "training_videos") if is_video(f)]
    test = [f for f in children(root / "testing_videos") if is_video(f)]
    masks, folder = _avenue_masks(root, top)
    if not train and not test and not (bare and masks):
        return None
    videos = [Video(file.stem, "train", file) for file in train]
    for file in test:
        mask = masks.pop(_number(file.stem), None)
        videos.append(Video(file.stem, "test", file, mask))
    truths = [Truth("avenue-masks", folder)] if folder else []
    return Dataset(
        root,
        "avenue",
        tuple(videos),
        _with_arrays(truths, root),
        tuple(masks.values()),
    )


def _avenue_masks(root: Path, top: Path) -> tuple[dict[str, Path], Path | None]:
    # The ground truth is an archive of its own and may be unpacked beside the
    # folder of the videos, which is then one level below `top`.
    for folder in (
        root / "ground_truth_demo" / "testing_label_mask",
        top / "ground_truth_demo" / "testing_label_mask",
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


def _shanghaitech(root: Path) -> Dataset | None:
    files = [f for f in children(root / "training/videos") if is_video(f)]
    if not files:
        return None
    train = [Video(file.stem, "train", file) for file in files]
    return _with_test_frames(root, "shanghaitech", train)


def _frame_pred(root: Path) -> Dataset | None:
    train = [
        Video(folder.name, "train", folder)
        for folder in folders(root / "training/frames")
    ]
    test = folders(root / "testing/frames")
    if not train and (not test or (root / "training/videos").is_dir()):
        return None
    return _with_test_frames(root, "frame-pred", train)


def _with_test_frames(root: Path, layout: str, train: list[Video]) -> Dataset:
    test, masks = [], root / "testing/test_pixel_mask"
    for folder in folders(root / "testing/frames"):
        pixels = masks / f"{folder.name}.npy"
        images = root / "testing/masks" / folder.name
        mask = next((p for p in (pixels, images) if p.exists()), None)
        test.append(Video(folder.name, "test", folder, mask))
    arrays = root / "testing/test_frame_mask"
    truths = [Truth("shanghaitech", arrays)] if arrays.is_dir() else []
    truths += [
        Truth("ucsd", f) for f in children(root / "testing") if f.suffix == ".m"
    ]
    return Dataset(
        root, layout, (*train, *test), _with_arrays(truths, root, first=True)
    )


def _with_arrays(
    truths: list[Truth], root: Path, first: bool = False
) -> tuple[Truth, ...]:
    """Adds the label files of later publications to the archive's own."""
    kinds = {".mat": "frame-pred", ".npy": "mnad"}
    found = [
        Truth(kinds[file.suffix], file)
        for file in children(root)
        if (file.suffix == ".mat" and not file.name.endswith("_label.mat"))
        or (file.suffix == ".npy" and file.name.startswith("frame_labels"))
    ]
    return tuple(found + truths if first else truths + found)


def _checked(dataset: Dataset, root: Path, labels: Path | None) -> Dataset:
    names = [(video.split, video.name) for video in dataset.videos]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f"{dataset.root}: each video of a split must have a name of "
                f"its own. Received twice: {name[1]!r}"
            )
    root = root if root.is_dir() else root.parent
    for video in dataset.videos:
        listings.require_inside(root, video.source)
        if video.mask is not None:
            listings.require_inside(root, video.mask)
    for truth in dataset.truths:
        listings.require_inside(root, truth.path)
    if labels is None:
        _require_one_of_each(dataset)
        return dataset
    kinds = {".m": "ucsd", ".mat": "frame-pred", ".npy": "mnad", ".csv": "csv"}
    if labels.suffix not in kinds:
        raise ValueError(
            f"`labels` must be a file of {', '.join(kinds)}. "
            f"Received: labels={str(labels)!r}"
        )
    given = Truth(kinds[labels.suffix], labels)
    others = tuple(t for t in dataset.truths if t.version != given.version)
    return dataclasses.replace(dataset, truths=(given, *others))


def _require_one_of_each(dataset: Dataset) -> None:
    paths: dict[str, Path] = {}
    for truth in dataset.truths:
        other = paths.setdefault(truth.version, truth.path)
        if other is not truth.path:
            raise ValueError(
                f"{dataset.root}: there must be one file of the labels "
                f"{truth.version}. Found there: {other.name} and "
                f"{truth.path.name}. `--labels` chooses one"
            )
