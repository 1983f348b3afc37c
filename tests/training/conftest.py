"""A run of two epochs, as its callbacks write it."""

import numpy as np
import pytest

from lgn_tf.model.lgn_net import LGNNet
from lgn_tf.training import epoch_log, telemetry

STEPS, BATCH, EPOCHS = 3, 2, 2


@pytest.fixture(scope="package")
def model():
    model = LGNNet((16, 24), 1, 2, 1 / 16, "glo_net", memory_items=3)
    model.build()
    model.compile()
    return model


@pytest.fixture(scope="package")
def run_dir(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    random = np.random.default_rng(0)
    clips = random.uniform(-1, 1, (6, 2, 16, 24, 1)).astype(np.float32)
    targets = random.uniform(-1, 1, (6, 16, 24, 1)).astype(np.float32)
    with telemetry.ProgressBar(EPOCHS, STEPS, 0, BATCH) as bar:
        model.fit(
            clips,
            targets,
            batch_size=BATCH,
            epochs=EPOCHS,
            verbose=0,
            callbacks=[
                bar,
                epoch_log.EpochLog(folder, 0, lambda: 12.34),
                telemetry.Events(folder, clips[:2], targets[:2], STEPS, BATCH),
            ],
        )
    return folder
