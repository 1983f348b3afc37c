"""The videos that a configuration names, resized and ready to be read."""

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lgn_tf.config.schema import Config
from lgn_tf.data.datasets import label_files, layouts, registry
from lgn_tf.data.datasets.dataset import Dataset
from lgn_tf.data.pipelines.encoded import EncodedVideos
from lgn_tf.data.store import preparation
from lgn_tf.data.store.store import Store, Stored
from lgn_tf.data.test_set import TestSet
from lgn_tf.data.video.footage import Footage


@dataclasses.dataclass(frozen=True)
class Source:
    """The videos of a data set.

    Attributes:
        dataset: what was recognised on disk, with its labels and masks.
        store: the same videos, decoded and resized; or still encoded.
    """

    dataset: Dataset
    store: Store | EncodedVideos

    def test_set(self, version: str = "") -> TestSet:
        """Returns the test videos with one version of their labels."""
        return TestSet(self.dataset, self.store.split("test"), version)

    def training(
        self, holdout: int, seed: int
    ) -> tuple[Footage, Footage | None]:
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
        entries: list[Any] = self._training_entries()
        if holdout >= len(entries):
            raise ValueError(
                "`holdout` must leave at least one of the "
                f"{len(entries)} training videos of {self.dataset.root}. "
                f"Received: holdout={holdout}"
            )
        bits = np.random.Philox(key=[seed, 0]).random_raw(len(entries))
        chosen = set(np.argsort(bits, kind="stable")[:holdout].tolist())
        parts: list[list[Any]] = [[], []]
        for place, entry in enumerate(entries):
            parts[place in chosen].append(entry)
        fitted, held_out = map(self._footage, parts)
        return fitted, held_out if holdout else None

    def _training_entries(self) -> list[Any]:
        if isinstance(self.store, EncodedVideos):
            return list(self.dataset.split("train"))
        entries = self.store.manifest.entries
        return [entry for entry in entries if entry.split in ("train", "all")]

    def _footage(self, entries: list[Any]) -> Footage:
        if isinstance(self.store, EncodedVideos):
            return self.store.footage(entries)
        return Stored(self.store.folder, entries, self.store.size)


def open_source(
    config: Config, progress: Callable[[int, int], None] | None = None
) -> Source:
    """Finds the videos, and decodes and resizes what is not yet stored.

    Where `data.store` is off nothing is stored: frames are decoded whenever
    they are read.

    Args:
        config: its `data`, and the image size of its `model`.
        progress: called with the frames that are done and their number.

    Raises:
        FileNotFoundError: where there is no such folder.
        ValueError: where no data set has the name, none is recognised, or a
            video is damaged.
    """
    stores = Path(config.data.stores)
    spec = registry.dataset_named(config.data.dataset)
    if spec.make is not None:
        root = spec.make(stores)
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
        root, labels=labels if labels.suffix in label_files.SUFFIXES else None
    )
    height, width = config.model.image_size
    if not config.data.store:
        encoded = EncodedVideos(
            dataset, config.model.image_size, config.model.channels
        )
        return Source(dataset, encoded)
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
    return "" if Path(name).suffix in label_files.SUFFIXES else name
