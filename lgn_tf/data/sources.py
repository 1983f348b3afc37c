"""The videos that a configuration names, resized and ready to be read."""

import dataclasses
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lgn_tf.config.schema import Config
from lgn_tf.data.datasets import layouts
from lgn_tf.data.datasets.dataset import Dataset
from lgn_tf.data.store import preparation
from lgn_tf.data.store.manifest import Entry
from lgn_tf.data.store.store import Store, Stored
from lgn_tf.data.synthetic import archives, walkways
from lgn_tf.data.test_set import TestSet
from lgn_tf.files import locks

DRAWN: dict[str, Any] = {
    # The six videos that the preset holds out are, with this seed, as varied
    # as the others: what calibrates the online score has seen crowds.
    "seed": 3,
    "train": 46,
    "test": 18,
    "frames": 96,
    "size": (64, 96),
}
"""What the drawn data set holds: the same whatever the seed of a run."""

LABEL_FILES = (".m", ".mat", ".npy", ".csv")


@dataclasses.dataclass(frozen=True)
class Source:
    """The videos of a data set.

    Attributes:
        dataset: what was recognised on disk, with its labels and masks.
        store: the same videos, decoded and resized.
    """

    dataset: Dataset
    store: Store

    def test_set(self, version: str = "") -> TestSet:
        """Returns the test videos with one version of their labels."""
        return TestSet(self.dataset, self.store.split("test"), version)

    def training(self, holdout: int, seed: int) -> tuple[Stored, Stored | None]:
        """Splits the training videos.

        Args:
            holdout: number of videos that are not fitted on.
            seed: of the choice.

        Returns:
            The footage that is fitted on and the footage held out; None where
            `holdout` is 0.

        Raises:
            ValueError: where no video would be left.
        """
        entries = [
            entry
            for entry in self.store.manifest.entries
            if entry.split in ("train", "all")
        ]
        if holdout >= len(entries):
            raise ValueError(
                "`holdout` must leave at least one of the "
                f"{len(entries)} training videos of {self.dataset.root}. "
                f"Received: holdout={holdout}"
            )
        bits = np.random.Philox(key=[seed, 0]).random_raw(len(entries))
        chosen = set(np.argsort(bits, kind="stable")[:holdout].tolist())
        parts: list[list[Entry]] = [[], []]
        for place, entry in enumerate(entries):
            parts[place in chosen].append(entry)
        fitted, held_out = (
            Stored(self.store.folder, part, self.store.size) for part in parts
        )
        return fitted, held_out if holdout else None


def open_source(
    config: Config, progress: Callable[[int, int], None] | None = None
) -> Source:
    """Finds the videos, and decodes and resizes what is not yet stored.

    Args:
        config: its `data`, and the image size of its `model`.
        progress: called with the frames that are done and their number.

    Raises:
        FileNotFoundError: where there is no such folder.
        ValueError: where no data set is recognised, or a video is damaged.
    """
    stores = Path(config.data.stores)
    if config.data.dataset == "synthetic":
        root = _drawn(stores)
    elif not config.data.data_root:
        raise ValueError(
            "`data_root` must name the folder of the data set; docs/data.md "
            "says where to obtain it. "
            f"Received: dataset={config.data.dataset!r} without data_root"
        )
    else:
        root = Path(config.data.data_root)
    labels = Path(config.data.labels)
    dataset = layouts.recognise(
        root, labels=labels if labels.suffix in LABEL_FILES else None
    )
    height, width = config.model.image_size
    place = hashlib.sha256(str(dataset.root.resolve()).encode()).hexdigest()
    folder = stores / f"{config.data.dataset}-{height}x{width}-{place[:8]}"
    stores.mkdir(parents=True, exist_ok=True)
    # Two trainings may begin with the same data at the same time.
    made = preparation.prepare(
        dataset, folder, (height, width), progress=progress, wait=True
    )
    return Source(dataset, made)


def version(config: Config) -> str:
    """Returns the version of the labels to read; empty for the first found."""
    name = config.data.labels
    return "" if Path(name).suffix in LABEL_FILES else name


def _drawn(stores: Path) -> Path:
    """Draws the synthetic data set, once."""
    key = hashlib.sha256(repr(sorted(DRAWN.items())).encode()).hexdigest()[:8]
    root = stores / f"drawn-{key}"
    if root.exists():
        return root
    stores.mkdir(parents=True, exist_ok=True)
    with locks.alone(locks.beside(root), root, wait=True):
        if not root.exists():
            partial = root.with_name(f".{root.name}.partial")
            # A killed process may have left it.
            shutil.rmtree(partial, ignore_errors=True)
            archives.write(walkways.draw(**DRAWN), partial, "ucsd")
            partial.rename(root)
    return root
