"""The configuration of each data set, and the small one for two cores.

Those of Ped2, Avenue and ShanghaiTech are the paper's (section IV-B). It chose
gamma and lambda by the AUC on the test set (figures 9 and 10), for the full
size.

Reference:
    LGN-Net, arXiv 2211.07454.
"""

import dataclasses
from collections.abc import Iterator, Mapping

from lgn_tf.config.schema import Config
from lgn_tf.data.datasets.registry import DATASETS, dataset_named


class _Presets(Mapping[str, Config]):
    def __getitem__(self, name: str) -> Config:
        return DATASETS[name].preset

    def __iter__(self) -> Iterator[str]:
        return iter(DATASETS)

    def __len__(self) -> int:
        return len(DATASETS)


PRESETS: Mapping[str, Config] = _Presets()
"""The configuration of each registered data set, by its name."""

LITE_STEPS = 3200
"""Of four clips: 11 to 20 minutes of two cores with bfloat16 instructions;
docs/results.md has what other sizes and batches give in that time."""


def lite(config: Config) -> Config:
    """Returns `config` for a machine without a GPU.

    128 x 128 pixels, a quarter of the channels, gray where the data are, the
    change predicted, no update at test time, two training videos held out, and
    a fixed number of steps whose learning rate decays every step.
    """
    spec = DATASETS.get(config.data.dataset)
    model = dataclasses.replace(
        config.model,
        image_size=(128, 128),
        width=min(0.25, config.model.width),
        channels=1 if spec and spec.gray else config.model.channels,
        residual=True,
    )
    return dataclasses.replace(
        config,
        data=dataclasses.replace(config.data, holdout=2),
        model=model,
        training=dataclasses.replace(
            config.training,
            steps=LITE_STEPS,
            batch_size=4,
            learning_rate=1e-3,
            schedule="step",
        ),
        scoring=dataclasses.replace(config.scoring, update_threshold=0.0),
    )


_made_lite = lite  # The argument of `preset` has the same name.


def preset(name: str, *, lite: bool = False) -> Config:
    """Returns the settings for a data set.

    Args:
        name: of a registered data set.
        lite: for a machine without a GPU, see `presets.lite`.

    Raises:
        ValueError: where no data set has the name, naming those there are.

    Example:
        >>> lgn_tf.preset("ped2", lite=True).model.image_size
        (128, 128)
    """
    config = dataset_named(name).preset
    return _made_lite(config) if lite else config
