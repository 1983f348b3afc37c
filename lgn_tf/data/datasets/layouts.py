"""Finds videos, ground truth and masks on disk, in every known layout.

`recognise` finds out which layout a folder has; nobody has to say.
`docs/data.md` draws a tree for each.
"""

import collections
import dataclasses
from pathlib import Path

from lgn_tf.data.datasets import frame_folders, label_files, own_videos
from lgn_tf.data.datasets.dataset import Dataset, Video, require_distinct
from lgn_tf.data.datasets.registry import DATASETS, Layout, Writer
from lgn_tf.files import listings
from lgn_tf.files.listings import folders

_LONGEST = 230
"""Bytes of a name: with what is written around it, a file may have 255."""


def known_layouts() -> dict[str, Layout]:
    """Returns every layout that is recognised, by its name.

    Those of the registered data sets come first.
    """
    archives = [one.layout for one in DATASETS.values() if one.layout]
    general = [frame_folders.LAYOUT, own_videos.LAYOUT]
    return {layout.name: layout for layout in (*archives, *general)}


def written_layouts() -> dict[str, Writer]:
    """Returns the layouts that drawn videos are written in, by name."""
    return {
        name: layout.write
        for name, layout in known_layouts().items()
        if layout.write is not None
    }


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
        layout: one of `known_layouts`, to settle a folder that holds two.

    Raises:
        FileNotFoundError: where `root` does not exist.
        ValueError: for a folder with no layout or with two, an unknown
            `layout`, a link that leaves the root, or two videos of one name.
    """
    known = known_layouts()
    if layout is not None and layout not in known:
        raise ValueError(
            f"`layout` must be one of {', '.join(known)}. "
            f"Received: layout={layout!r}"
        )
    if not root.exists():
        raise FileNotFoundError(f"{root}: no such file or folder")
    root = root.resolve()
    asked = [known[layout]] if layout else list(known.values())
    dataset = _only(root, _find(root, asked))
    if dataset is None:
        raise ValueError(
            f"{root}: no videos and no frames in any known layout. "
            f"Found there: {listings.summary(root)}"
        )
    return _checked(dataset, root, labels)


def _find(root: Path, asked: list[Layout]) -> list[Dataset]:
    """Returns what is there: in the folder, in one below, as a last resort."""
    own = own_videos.LAYOUT in asked
    archives = [one for one in asked if one is not own_videos.LAYOUT]
    found = [one for layout in archives for one in layout.find(root, root)]
    if found:
        if own:
            # Videos of one's own beside an archive are a second data set.
            taken = {video.source for one in found for video in one.videos}
            found += own_videos.loose(root, taken)
        return found
    for folder in folders(root) if archives else ():
        below = [one for each in archives for one in each.find(folder, root)]
        only = _only(folder, below)
        found += [only] if only else []
    if not found and own:
        found = own_videos.find(root, root)
    if not found:
        resorts = [one.last_resort for one in archives if one.last_resort]
        found = [one for resort in resorts for one in resort(root, root)]
    return found


def _only(root: Path, found: list[Dataset]) -> Dataset | None:
    if len(found) > 1:
        names = ", ".join(f"{one.layout} in {one.root}" for one in found)
        raise ValueError(
            f"{root}: one layout must be there, and {len(found)} are: {names}. "
            "Name the folder of one of them, or its layout"
        )
    return found[0] if found else None


def _checked(dataset: Dataset, root: Path, labels: Path | None) -> Dataset:
    names = collections.Counter((v.split, v.name) for v in dataset.videos)
    for (_, name), times in names.items():
        if times > 1:
            raise ValueError(
                f"{dataset.root}: each video of a split must have a name of "
                f"its own. Received twice: {name!r}"
            )
        if not listings.is_plain_name(name) or len(name.encode()) > _LONGEST:
            raise ValueError(
                f"{dataset.root}: the name of a video must be printable, in "
                f"UTF-8, and of at most {_LONGEST} bytes, since it names "
                f"files. Found there: {name!r}"
            )
    root = root if root.is_dir() else root.parent
    for video in dataset.videos:
        listings.require_inside(root, video.source)
        if video.mask is not None:
            listings.require_inside(root, video.mask)
    for one in dataset.ground_truths:
        listings.require_inside(root, one.path)
    if labels is None:
        _require_one_of_each(dataset)
        return dataset
    given = label_files.label_file(labels)
    others = (t for t in dataset.ground_truths if t.version != given.version)
    return dataclasses.replace(dataset, ground_truths=(given, *others))


def _require_one_of_each(dataset: Dataset) -> None:
    paths: dict[str, Path] = {}
    for one in dataset.ground_truths:
        other = paths.setdefault(one.version, one.path)
        if other is not one.path:
            raise ValueError(
                f"{dataset.root}: there must be one file of the labels "
                f"{one.version}. Found there: {other.name} and "
                f"{one.path.name}. `--labels` chooses one"
            )


def videos_at(*paths: Path | str) -> list[Video]:
    """Returns the videos that lie at some places.

    Args:
        *paths: each a video file, a folder of frames, or a folder of either.

    Returns:
        Each video once, and whole where a data set cuts it in parts.

    Raises:
        FileNotFoundError: where there is nothing.
        ValueError: where no video is recognised, or two have one name.
    """
    found = {
        video.source: video.whole()
        for path in paths
        for video in recognise(Path(path)).videos
    }
    require_distinct((one.name, one.source) for one in found.values())
    return list(found.values())
