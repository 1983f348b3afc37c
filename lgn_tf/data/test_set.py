"""The test videos of a data set, with all that they are judged by."""

import dataclasses
import functools

import numpy as np
from numpy.typing import NDArray

from lgn_tf.data.datasets import kinds, labels, masks
from lgn_tf.data.datasets.dataset import Dataset, Video
from lgn_tf.data.video.footage import Footage


@dataclasses.dataclass(frozen=True)
class TestSet:
    """Test videos with frame labels, kinds of anomaly and pixel masks.

    Labels and masks are read when they are first asked for.

    Example:
        >>> test_set = lgn_tf.load("runs/demo").test_set()
        >>> test_set.frame_counts
        {'Test001': 24, 'Test002': 24}
        >>> test_set.labels["Test001"].shape
        (24,)

    Attributes:
        dataset: the videos as they lie on disk, with their ground truth.
        footage: the same videos, at the size of a model.
        version: of the frame labels; empty for the preferred one.
    """

    # pytest shall not take it for a class of tests.
    __test__ = False

    dataset: Dataset
    footage: Footage
    version: str = ""

    @functools.cached_property
    def frame_counts(self) -> dict[str, int]:
        """Frames of each video, by its name."""
        footage = self.footage
        return dict(zip(footage.names, footage.frame_counts, strict=True))

    @functools.cached_property
    def labels(self) -> dict[str, NDArray[np.uint8]] | None:
        """Frame labels, uint8 (frames,) of each video; None without any.

        Raises:
            ValueError: where the version is not there, or does not fit.
        """
        if not self.dataset.ground_truths and not self.version:
            return None
        return labels.read_ground_truth(
            self.dataset, self.frame_counts, self.version
        )

    @property
    def label_version(self) -> str:
        """Version of the labels; empty where there are none."""
        if self.version or not self.dataset.ground_truths:
            return self.version
        return self.dataset.ground_truths[0].version

    @functools.cached_property
    def kinds(self) -> kinds.Kinds | None:
        """Frames of each kind of anomaly; None where nobody says which.

        Raises:
            ValueError: where the file is damaged, or the labels disagree.
        """
        return kinds.kinds_of(self.dataset, self.frame_counts, self.labels)

    @functools.cached_property
    def videos(self) -> dict[str, Video]:
        """The videos on disk, by name."""
        return {video.name: video for video in self.dataset.split("test")}

    @property
    def has_masks(self) -> bool:
        """Whether some video has pixel masks."""
        return any(video.mask for video in self.videos.values())

    def masks(self, name: str) -> NDArray[np.bool_] | None:
        """Returns the masks of one video, bool (frames, height, width).

        None where it has none.
        """
        video = self.videos[name]
        return None if video.mask is None else masks.read_masks(video)
