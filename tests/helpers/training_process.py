"""A small training run in a process of its own, to be killed.

python -m tests.helpers.training_process DATA RUN_DIR STORES [resume] [mirrored]

`mirrored` splits the processor in two devices, and holds out a video.
"""

import sys
from pathlib import Path

from lgn_tf.config.schema import Config, DataConfig, ModelConfig, TrainingConfig


def configuration(root, stores, holdout=0, **training):
    """Returns a run of two epochs of some tiny steps."""
    return Config(
        ModelConfig(
            # It has all that a run has to keep, and is quickly traced.
            variant="glo_net",
            image_size=(16, 24),
            channels=1,
            frames=2,
            width=1 / 16,
            memory_items=4,
        ),
        TrainingConfig(
            **{"epochs": 2, "batch_size": 4, "strategy": "single"} | training
        ),
        data=DataConfig(
            dataset="folder",
            data_root=str(root),
            stores=str(stores),
            holdout=holdout,
        ),
    )


if __name__ == "__main__":
    import os

    from lgn_tf.training import train as training

    strategy = "single"
    if "KERAS_DISTRIBUTION_PROCESS_ID" in os.environ:
        strategy = "data_parallel"
    if "mirrored" in sys.argv:
        import tensorflow as tf

        strategy = "mirrored"
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0],
            [tf.config.LogicalDeviceConfiguration()] * 2,
        )

    training.train(
        # A snapshot after every step.
        configuration(
            sys.argv[1],
            sys.argv[3],
            save_every=1e-9,
            strategy=strategy,
            holdout=int(strategy == "mirrored"),
        ),
        Path(sys.argv[2]),
        resume="resume" in sys.argv,
    )
