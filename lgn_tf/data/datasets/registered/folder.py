"""A user's own videos, in any layout; see `own_videos`."""

from lgn_tf.config.schema import Config, ModelConfig
from lgn_tf.data.datasets.registry import DatasetSpec, register_dataset

register_dataset(
    DatasetSpec(
        name="folder",
        title="videos of your own",
        preset=Config(ModelConfig(residual=True)),
    )
)
