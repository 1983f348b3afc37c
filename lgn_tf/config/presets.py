"""One configuration a dataset: the hyper-parameters of the paper.

Those of the three benchmarks are the paper's (section IV-B). It chose gamma
and lambda by the AUC on the test set (figures 9 and 10), for the full size.

Reference:
    LGN-Net, arXiv 2211.07454.
"""

import dataclasses
import types
from collections.abc import Mapping

from lgn_tf.config.schema import (
    Config,
    DataConfig,
    ModelConfig,
    ScoringConfig,
    TrainingConfig,
)

PRESETS: Mapping[str, Config] = types.MappingProxyType(
    {
        "ped2": Config(
            ModelConfig(memory_items=10),
            TrainingConfig(compactness_weight=10, separateness_weight=5),
            ScoringConfig(normality_weight=0.6, update_threshold=0.009),
            DataConfig("ped2"),
        ),
        "avenue": Config(
            ModelConfig(memory_items=10),
            TrainingConfig(compactness_weight=10, separateness_weight=2),
            ScoringConfig(normality_weight=0.5, update_threshold=0.006),
            DataConfig("avenue"),
        ),
        "shanghaitech": Config(
            ModelConfig(memory_items=200),
            TrainingConfig(compactness_weight=1, separateness_weight=1),
            ScoringConfig(normality_weight=0.8, update_threshold=0.0135),
            DataConfig("shanghaitech"),
        ),
        # Drawn videos: small, gray, learned in a minute or two.
        "synthetic": Config(
            ModelConfig(
                image_size=(64, 96), channels=1, width=0.125, residual=True
            ),
            TrainingConfig(steps=600, learning_rate=2e-3, schedule="step"),
            ScoringConfig(normality_weight=0.6),
            DataConfig("synthetic", holdout=6),
        ),
        "folder": Config(ModelConfig(residual=True), data=DataConfig("folder")),
    }
)
"""The configuration of each dataset."""

GRAY = ("ped2", "synthetic")
"""Datasets without colour."""

LITE_STEPS = 3200
"""Of four clips: 11 to 20 minutes of two cores with bfloat16 instructions;
docs/results.md has what other sizes and batches give in that time."""


def lite(config: Config) -> Config:
    """Returns `config` for a machine without a GPU.

    128 x 128 pixels, a quarter of the channels, gray where the data are, the
    change predicted, no update at test time, two training videos held out, and
    a fixed number of steps whose learning rate decays every step.
    """
    model = dataclasses.replace(
        config.model,
        image_size=(128, 128),
        width=min(0.25, config.model.width),
        channels=1 if config.data.dataset in GRAY else config.model.channels,
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
