"""The same clips in the same order as tf.data makes them."""

import numpy as np
import pytest
from keras import ops

from lgn_tf.data.pipelines import tf_data
from lgn_tf.data.pipelines.arrays import Batches
from lgn_tf.data.video.footage import InMemory

pytestmark = pytest.mark.latest

RANDOM = np.random.default_rng(0)
FOOTAGE = InMemory(
    ["a", "b", "c"],
    [
        RANDOM.integers(0, 256, (frames, 8, 12, 1), np.uint8)
        for frames in (7, 2, 9)
    ],
)
# n = 2: 5 + 0 + 7 clips, of which batches of 4 make 3 steps.
STEPS = 3
ARGUMENTS = {"inputs": 2, "channels": 3, "batch_size": 4, "seed": 3}


@pytest.mark.parametrize(
    "place",
    [
        {},
        {"epoch": 2, "start_step": 1},
        {"shards": 2, "index": 1},
    ],
)
def test_equal_the_pipeline(place):
    ours = Batches(FOOTAGE, **ARGUMENTS, **place)
    theirs = iter(tf_data.training_clips(FOOTAGE, **ARGUMENTS, **place))
    first = place.get("epoch", 0)
    for epoch in (first, first + 1):
        ours.begin(epoch)
        start = place.get("start_step", 0) if epoch == first else 0
        assert len(ours) == STEPS - start
        for step in range(len(ours)):
            for mine, other in zip(ours[step], next(theirs), strict=True):
                np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("stored", [1, 3])
def test_frames_on_the_device_give_the_same_clips(stored, channels):
    videos = [
        RANDOM.integers(0, 256, (frames, 8, 12, kept), np.uint8)
        for frames, kept in ((7, 1), (9, stored))
    ]
    footage = InMemory(["a", "b"], videos)
    arguments = ARGUMENTS | {"channels": channels}
    ours = Batches(footage, resident=True, **arguments)
    theirs = Batches(footage, **arguments)
    for epoch in (0, 1):
        for batches in (ours, theirs):
            batches.begin(epoch)
        for step in range(STEPS):
            for mine, other in zip(ours[step], theirs[step], strict=True):
                mine = ops.convert_to_numpy(mine)
                assert mine.dtype == np.float32
                np.testing.assert_array_equal(mine, other)


def test_each_epoch_has_an_order_of_its_own():
    batches = Batches(FOOTAGE, **ARGUMENTS)
    targets = []
    for epoch in (0, 1, 1):
        batches.begin(epoch)
        targets.append(np.stack([batches[step][1] for step in range(STEPS)]))
    assert not np.array_equal(targets[0], targets[1])
    np.testing.assert_array_equal(targets[1], targets[2])


@pytest.mark.parametrize("channels", [0, 2, 4])
def test_channels_are_one_or_three(channels):
    with pytest.raises(ValueError, match="`channels` must be"):
        Batches(FOOTAGE, **(ARGUMENTS | {"channels": channels}))
