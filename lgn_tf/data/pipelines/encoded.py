"""Videos that are decoded whenever they are read, without a frame store."""

import dataclasses
from collections.abc import Sequence

from lgn_tf.data.datasets.dataset import Dataset, Video
from lgn_tf.data.video.footage import Encoded


@dataclasses.dataclass(frozen=True)
class EncodedVideos:
    """The videos of a data set as they lie on disk.

    Stands for `store.Store` where a decoded copy would not fit on the disk.

    Attributes:
        dataset: the videos.
        size: (height, width) in pixels that frames are resized to.
        channels: of the model, 3 or 1.
    """

    dataset: Dataset
    size: tuple[int, int]
    channels: int

    def split(self, name: str) -> Encoded:
        """Returns the footage of `train` or `test`.

        Raises:
            ValueError: where the split has no videos.
        """
        videos = self.dataset.split(name)
        if not videos:
            raise ValueError(
                f"{self.dataset.root}: no videos of the split {name!r}"
            )
        return self.footage(videos)

    def footage(self, videos: Sequence[Video]) -> Encoded:
        """Returns the footage of some videos.

        On TensorFlow the frames of image files are decoded in a graph of
        tf.data; elsewhere, and those of video files, by OpenCV. The pixels are
        the same.
        """
        import keras

        if keras.backend.backend() == "tensorflow":
            # Imported here: it brings TensorFlow along.
            from lgn_tf.data.pipelines import tf_data

            return tf_data.GraphDecoded(videos, self.size, self.channels)
        return Encoded(videos, self.size)
