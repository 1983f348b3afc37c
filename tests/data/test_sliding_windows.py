import numpy as np
import pytest

from lgn_tf.data import sliding_windows


@pytest.mark.parametrize("frames", range(0, 12))
@pytest.mark.parametrize("inputs", [1, 2, 4])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_every_clip_and_no_other(frames, inputs, stride):
    wanted = [
        start
        for start in range(0, frames, stride)
        if start + inputs + 1 <= frames
    ]
    assert sliding_windows.count(frames, inputs, stride) == len(wanted)
    if wanted:
        table = sliding_windows.ClipTable([2, frames, frames], inputs, stride)
        extra = sliding_windows.count(2, inputs, stride)
        found = [table.window(n) for n in range(extra, len(table))]
        assert found == [
            sliding_windows.Window(video, start)
            for video in (1, 2)
            for start in wanted
        ]


def test_scored_frames():
    assert list(sliding_windows.scored(6, 4)) == [4, 5]
    assert list(sliding_windows.scored(3, 4)) == []


def test_short_videos_are_known():
    table = sliding_windows.ClipTable([4, 5, 0, 9], 4)
    assert table.too_short == [0, 2]
    assert len(table) == 6


def test_no_clip_at_all():
    with pytest.raises(ValueError, match="takes 5 frames"):
        sliding_windows.ClipTable([4, 3], 4)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [((5, 0), "inputs"), ((5, 4, 0), "stride"), ((-1, 4), "frames")],
)
def test_bounds_of_count(arguments, name):
    with pytest.raises(ValueError, match=f"Received: {name}="):
        sliding_windows.count(*arguments)


def test_a_clip_that_is_not_there():
    table = sliding_windows.ClipTable([6], 4)
    for number in (-1, 2):
        with pytest.raises(IndexError, match=f"Received: number={number}"):
            table.window(number)


def test_order_is_a_permutation_of_seed_and_epoch():
    first = sliding_windows.order(100, 7, 0)
    np.testing.assert_array_equal(np.sort(first), np.arange(100))
    np.testing.assert_array_equal(first, sliding_windows.order(100, 7, 0))
    assert (first != sliding_windows.order(100, 7, 1)).any()
    assert (first != sliding_windows.order(100, 8, 0)).any()


def test_order_is_the_same_for_ever():
    # The stream of the generator is promised; runs of old depend on it.
    bits = np.random.Philox(key=[1, 2]).random_raw(6)
    expected = sorted(range(6), key=lambda place: int(bits[place]))
    assert (
        sliding_windows.order(6, 1, 2).tolist()
        == expected
        == [4, 2, 0, 1, 5, 3]
    )


def test_shards_share_each_batch():
    numbers = np.arange(100, 111)
    whole = sliding_windows.shard(numbers, 4, 1, 0)
    np.testing.assert_array_equal(whole, np.arange(100, 108).reshape(2, 4))
    parts = [sliding_windows.shard(numbers, 4, 2, index) for index in (0, 1)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((4, 3, 0), "batch_size=4, shards=3"),
        ((4, 2, 2), "index=2"),
        ((12, 1, 0), "batch_size=12"),
    ],
)
def test_bounds_of_shard(arguments, match):
    with pytest.raises(ValueError, match=match):
        sliding_windows.shard(np.arange(11), *arguments)
