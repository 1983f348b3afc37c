"""Small models of every variant, and videos to score."""

import numpy as np

from lgn_tf.data.video.footage import InMemory
from lgn_tf.model.lgn_net import LGNNet

SMALL = {"image_size": (16, 24), "channels": 1, "frames": 3, "width": 1 / 16}


def small(variant="glo_net", **arguments):
    """By default the variant that is compiled fastest."""
    model = LGNNet(
        **(SMALL | {"memory_items": 4, "variant": variant} | arguments)
    )
    model.build()
    if model.residual:
        # An untrained one predicts no change.
        model.decoder.scale.assign(1.0)
        last = model.decoder.last
        random = np.random.default_rng(9)
        last.kernel.assign(random.normal(0, 0.05, last.kernel.shape))
    return model


def videos(*lengths, channels=1, size=(16, 24)):
    random = np.random.default_rng(2)
    shape = (*size, channels)
    return InMemory(
        [f"{place:02d}" for place in range(len(lengths))],
        [
            random.integers(0, 256, (length, *shape), np.uint8)
            for length in lengths
        ],
    )
