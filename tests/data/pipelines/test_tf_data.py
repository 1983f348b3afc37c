import ast
import itertools
import logging
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from lgn_tf.data import sliding_windows
from lgn_tf.data.datasets import archives, layouts
from lgn_tf.data.store import preparation
from lgn_tf.data.video import footage, preprocessing

tf = pytest.importorskip("tensorflow")

from lgn_tf.data.pipelines import tf_data  # noqa: E402 - needs TensorFlow.

COMMON = {"inputs": 4, "channels": 1, "batch_size": 4, "seed": 5}


def numbered(counts=(9, 3, 12), size=(2, 2)):
    """Each frame is filled with its own number, so a clip tells its place."""
    videos, first = [], 0
    for count in counts:
        numbers = np.arange(first, first + count, dtype=np.uint8)
        shape = (count, *size, 1)
        videos.append(np.broadcast_to(numbers[:, None, None, None], shape))
        first += count
    names = [f"{place:02d}" for place in range(len(counts))]
    return footage.InMemory(names, videos)


def starts(dataset):
    """Returns the first frame of every clip and checks the other frames."""
    batches = []
    for past, target in dataset.as_numpy_iterator():
        levels = preprocessing.to_uint8(past)[..., 0, 0, 0].astype(int)
        after = preprocessing.to_uint8(target)[..., 0, 0, 0].astype(int)
        whole = np.concatenate([levels, after[:, None]], axis=1)
        np.testing.assert_array_equal(np.diff(whole), 1)
        batches.append(levels[:, 0].tolist())
    return batches


def test_shapes_types_and_range():
    dataset = tf_data.training_clips(numbered(), **COMMON)
    past, target = dataset.element_spec
    assert past == tf.TensorSpec((4, 4, 2, 2, 1), tf.float32)
    assert target == tf.TensorSpec((4, 2, 2, 1), tf.float32)


def test_every_clip_once_an_epoch_and_none_across_videos():
    dataset = tf_data.training_clips(
        numbered(), epochs=1, **{**COMMON, "batch_size": 1}
    )
    found = sorted(itertools.chain(*starts(dataset)))
    assert found == [0, 1, 2, 3, 4, *range(12, 20)]


def test_shuffled_over_the_whole_set_by_seed_and_epoch():
    def epoch(which, seed=5):
        return starts(
            tf_data.training_clips(
                numbered(), epoch=which, epochs=1, **{**COMMON, "seed": seed}
            )
        )

    assert epoch(0) == epoch(0)
    assert epoch(0) != epoch(1) != epoch(2)
    assert epoch(0) != epoch(0, seed=6)
    # The last partial batch of 13 clips is dropped.
    assert [len(batch) for batch in epoch(0)] == [4, 4, 4]
    assert any(min(batch) < 9 < max(batch) for batch in epoch(0))


@pytest.mark.parametrize(("epoch", "step"), [(0, 1), (0, 3), (1, 0), (2, 2)])
def test_a_run_goes_on_where_it_stopped(epoch, step):
    whole = tf_data.training_clips(numbered(), epochs=4, **COMMON)
    rest = tf_data.training_clips(
        numbered(), epoch=epoch, start_step=step, epochs=4 - epoch, **COMMON
    )
    assert starts(rest) == starts(whole)[3 * epoch + step :]


def test_without_end():
    dataset = tf_data.training_clips(numbered(), **COMMON)
    many = starts(dataset.take(10))
    four = tf_data.training_clips(numbered(), epochs=4, **COMMON)
    assert many == starts(four)[:10]


@pytest.mark.parametrize("shards", [2, 4])
def test_shards_together_see_each_batch(shards):
    whole = starts(tf_data.training_clips(numbered(), epochs=2, **COMMON))
    parts = [
        starts(
            tf_data.training_clips(
                numbered(), epochs=2, shards=shards, index=index, **COMMON
            )
        )
        for index in range(shards)
    ]
    joined = [list(itertools.chain(*each)) for each in zip(*parts, strict=True)]
    assert whole == joined


TWO_REPLICAS = """
import sys
sys.path.insert(0, sys.argv[1])
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import test_tf_data as t
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
dataset = t.tf_data.training_clips(t.numbered(), epochs=1, **t.COMMON)
found = []
for past, target in strategy.experimental_distribute_dataset(dataset):
    parts = strategy.experimental_local_results(past)
    levels = [t.preprocessing.to_uint8(p.numpy())[:, 0, 0, 0, 0] for p in parts]
    found.append([one.tolist() for one in levels])
print(found)
"""


@pytest.mark.slow
def test_replicas_share_each_batch():
    """What `fit` does under a strategy: the batch is cut, the set is not."""
    command = [sys.executable, "-c", TWO_REPLICAS, str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = ast.literal_eval(done.stdout.splitlines()[-1])
    assert [[len(part) for part in batch] for batch in found] == [[2, 2]] * 3
    whole = starts(tf_data.training_clips(numbered(), epochs=1, **COMMON))
    assert [first + second for first, second in found] == whole


def test_every_worker_reads_its_own_part():
    dataset = tf_data.training_clips(numbered(), epochs=1, **COMMON)
    policy = dataset.options().experimental_distribute.auto_shard_policy
    assert policy == tf.data.experimental.AutoShardPolicy.OFF


def test_videos_shorter_than_a_clip_are_named(caplog):
    with caplog.at_level(logging.WARNING):
        tf_data.training_clips(numbered(), **COMMON)
    assert "1 videos are shorter than a clip of 5 frames" in caplog.text
    assert caplog.text.rstrip().endswith("skipped: 01")


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"channels": 2}, "channels=2"),
        ({"start_step": 4}, "start_step=4"),
        ({"start_step": -1}, "start_step=-1"),
        ({"epoch": -1}, "epoch=-1"),
        ({"batch_size": 14}, "batch_size=14"),
        ({"shards": 3}, "shards=3"),
        ({"shards": 2, "index": 2}, "index=2"),
    ],
)
def test_bounds(changed, match):
    with pytest.raises(ValueError, match=f"Received: .*{match}"):
        tf_data.training_clips(numbered(), **{**COMMON, **changed})


def test_only_short_videos():
    with pytest.raises(ValueError, match="takes 5 frames"):
        tf_data.training_clips(numbered((4, 2)), **COMMON)


@pytest.mark.parametrize("source", [1, 3])
@pytest.mark.parametrize("channels", [1, 3])
def test_one_channel_or_three(source, channels):
    rng = np.random.default_rng(0)
    video = rng.integers(0, 256, (5, 6, 8, source), dtype=np.uint8)
    held = footage.InMemory(["a"], [video])
    wanted = preprocessing.to_float(preprocessing.to_channels(video, channels))
    changed = {**COMMON, "batch_size": 1, "channels": channels}
    ((past, target),) = tf_data.training_clips(held, epochs=1, **changed)
    np.testing.assert_array_equal(past[0], wanted[:-1])
    np.testing.assert_array_equal(target[0], wanted[-1])


@pytest.mark.latest
@pytest.mark.parametrize("layout", ["ucsd", "frame-pred", "own"])
def test_the_store_and_decoding_on_the_fly_feed_the_same(
    tmp_path, coloured, layout
):
    root = tmp_path / layout
    archives.write_drawn(coloured, root, layout)
    dataset = layouts.recognise(root)
    made = preparation.prepare(dataset, tmp_path / "store", (24, 32))
    arguments = {**COMMON, "channels": 3}
    for split in ("train", "test"):
        stored = made.split(split)
        encoded = tf_data.GraphDecoded(dataset.split(split), (24, 32), 3)
        for video, name in enumerate(stored.names):
            # Decoded in order, as scoring reads them.
            pieces = list(encoded.stream(video, 5))
            assert max(map(len, pieces)) <= 5, name
            np.testing.assert_array_equal(
                np.concatenate(pieces),
                preprocessing.to_channels(stored._maps[video], 3),
            )
        pairs = zip(
            tf_data.training_clips(made.split(split), epochs=1, **arguments),
            tf_data.training_clips(encoded, epochs=1, **arguments),
            strict=True,
        )
        count = 0
        for (past, target), (other_past, other_target) in pairs:
            np.testing.assert_array_equal(past, other_past)
            np.testing.assert_array_equal(target, other_target)
            count += 1
        assert count == 4


def test_a_bad_frame_is_named_in_training(tmp_path, coloured):
    archives.write_drawn(coloured, tmp_path / "x", "shanghaitech")
    dataset = layouts.recognise(tmp_path / "x")
    bad = dataset.split("test")[0].frame_files()[3]
    bad.write_bytes(bad.read_bytes()[:300])
    encoded = footage.Encoded(dataset.split("test"), (24, 32))
    clip_count = len(sliding_windows.ClipTable(encoded.frame_counts, 4))
    ds = tf_data.training_clips(
        encoded, epochs=1, **{**COMMON, "batch_size": clip_count, "channels": 3}
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match=bad.name):
        list(ds)


def test_frames_of_two_sizes_are_named_as_in_a_store(tmp_path, coloured):
    archives.write_drawn(coloured, tmp_path / "x", "shanghaitech")
    videos = layouts.recognise(tmp_path / "x").split("test")
    bad = videos[0].frame_files()[3]
    cv2.imwrite(str(bad), np.zeros((20, 30, 3), np.uint8))
    decoded = tf_data.GraphDecoded(videos, (24, 32), 3)
    message = rf"{bad.name}: all frames of a video must be of one size"
    with pytest.raises(ValueError, match=message):
        list(decoded.stream(0, 5))
    clips = tf_data.training_clips(
        decoded, epochs=1, **{**COMMON, "batch_size": 2, "channels": 3}
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        list(clips)
