"""Every data set that can be named, and how to add one.

Each data set that ships is one file in `registered`. Own code registers its
own in the same way.
"""

import dataclasses
import types
from collections.abc import Callable, Mapping
from pathlib import Path

from lgn_tf.config.schema import Config
from lgn_tf.data.datasets.dataset import Dataset, Labels
from lgn_tf.data.synthetic.walkways import Walkway

Finder = Callable[[Path, Path], list[Dataset]]
"""Returns the data sets that a folder holds, mostly none or one.

Its arguments are the folder, and the folder that the user named: that one, or
the one above it.
"""

Writer = Callable[[Walkway, Path, str], dict[str, Labels]]
"""Writes drawn videos into an empty folder.

Its arguments are the videos, the folder, and the name of label files. It
returns the labels of each test video, by its name and in their order.
"""


@dataclasses.dataclass(frozen=True)
class Layout:
    """A way in which videos, ground truth and masks lie on disk.

    Attributes:
        name: what `--layout` takes.
        find: returns what a folder holds in this layout.
        write: writes drawn videos in this layout; None where nothing does.
        last_resort: the same as `find`, asked where no layout was found.
    """

    name: str
    find: Finder
    write: Writer | None = None
    last_resort: Finder | None = None


@dataclasses.dataclass(frozen=True)
class PublishedNumbers:
    """The numbers of a complete copy, to check a copy against.

    Attributes:
        train_videos, train_frames, test_videos, test_frames: as named.
        scored: test frames without the first four of each video.
        abnormal: abnormal test frames, by version of the labels.
        test_counts: frames of each test video; empty where not published.
    """

    train_videos: int
    train_frames: int
    test_videos: int
    test_frames: int
    scored: int
    abnormal: Mapping[str, int] = dataclasses.field(default_factory=dict)
    test_counts: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class DatasetSpec:
    """A data set that can be named; all but the first three may be absent.

    Attributes:
        name: what `--dataset` takes.
        title: what it is called.
        preset: its hyper-parameters; `data.dataset` becomes `name`.
        layout: how its archive lies on disk.
        published: numbers of a complete copy.
        frame_rate: frames a second, to time alarms by.
        gray: whether its videos have no colour.
        paper_auc: micro AUC that the paper prints; the preset is then the
            paper's.
        origin: where it is offered.
        citation: what to cite.
        make: makes the data below a folder and returns where they lie; None
            for data that must be obtained.
    """

    name: str
    title: str
    preset: Config
    layout: Layout | None = None
    published: PublishedNumbers | None = None
    frame_rate: float | None = None
    gray: bool = False
    paper_auc: float | None = None
    origin: str = ""
    citation: str = ""
    make: Callable[[Path], Path] | None = None

    def __post_init__(self) -> None:
        """Writes the name into the preset."""
        data = dataclasses.replace(self.preset.data, dataset=self.name)
        named = dataclasses.replace(self.preset, data=data)
        object.__setattr__(self, "preset", named)


GENERAL_LAYOUTS = ("frame-pred", "own")
"""Names of the layouts that belong to no data set; see `layouts`."""

_specs: dict[str, DatasetSpec] = {}

DATASETS: Mapping[str, DatasetSpec] = types.MappingProxyType(_specs)
"""Every registered data set, by its name."""


def register_dataset(spec: DatasetSpec, *, overwrite: bool = False) -> None:
    """Adds a data set, so that its name can be trained on and verified.

    Args:
        spec: says all about it.
        overwrite: whether it may take the place of another one of its name.

    Raises:
        ValueError: where the name is empty or taken, or another layout has
            the name of its layout.

    Example:
        >>> from lgn_tf.data.datasets.dataset import Dataset, Video
        >>> from lgn_tf.data.datasets.registry import DatasetSpec, Layout
        >>> def find(folder, named):
        ...     files = sorted(folder.glob("platform-*.avi"))
        ...     videos = tuple(Video(f.stem, "all", f) for f in files)
        ...     return [Dataset(folder, "station", videos)] if videos else []
        >>> lgn_tf.register_dataset(
        ...     DatasetSpec(
        ...         name="station",
        ...         title="Platforms of our station",
        ...         preset=lgn_tf.preset("folder"),
        ...         layout=Layout("station", find),
        ...         frame_rate=12.5,
        ...     )
        ... )
        >>> lgn_tf.preset("station").data.dataset
        'station'
    """
    _require_new(spec, overwrite)
    _specs[spec.name] = spec


def _require_new(spec: DatasetSpec, overwrite: bool) -> None:
    if not spec.name or (spec.name in _specs and not overwrite):
        raise ValueError(
            "`name` must be new, or `overwrite` true. There are "
            f"{', '.join(_specs)}. Received: name={spec.name!r}"
        )
    taken = {
        one.layout.name: one.layout
        for one in _specs.values()
        if one.layout and one.name != spec.name
    }
    layout = spec.layout
    if layout and (
        layout.name in GENERAL_LAYOUTS
        or taken.get(layout.name, layout) != layout
    ):
        raise ValueError(
            "`layout` must have a name of its own, or be the layout of "
            f"another data set. Received: layout.name={layout.name!r}"
        )


def dataset_named(name: str) -> DatasetSpec:
    """Returns the data set of a name.

    Raises:
        ValueError: where none has it, naming those there are.
    """
    if name not in DATASETS:
        raise ValueError(
            f"`dataset` must be one of {', '.join(DATASETS)}. "
            f"Received: dataset={name!r}"
        )
    return DATASETS[name]


def paper_auc(name: str) -> float | None:
    """Returns the micro AUC that the paper prints; None where it has none."""
    return DATASETS[name].paper_auc if name in DATASETS else None


def frame_rate(name: str) -> float | None:
    """Returns the frames a second of a data set; None where nobody says."""
    return DATASETS[name].frame_rate if name in DATASETS else None
