import numpy as np
import pytest

from lgn_tf.data import baselines, synthetic


def test_the_same_seed_draws_the_same_videos(walkway):
    again = synthetic.draw(3, train=2, test=3, frames=14, size=(48, 64))
    for one, other in zip(
        walkway.train + walkway.test, again.train + again.test, strict=True
    ):
        np.testing.assert_array_equal(one.frames, other.frames)
        np.testing.assert_array_equal(one.masks, other.masks)
    other = synthetic.draw(4, train=1, test=0, frames=14, size=(48, 64))
    assert (other.train[0].frames != walkway.train[0].frames).any()


def test_more_videos_do_not_change_the_first(walkway):
    more = synthetic.draw(3, train=2, test=4, frames=14, size=(48, 64))
    np.testing.assert_array_equal(more.test[2].frames, walkway.test[2].frames)


def test_shapes_labels_and_masks(walkway, coloured):
    for clip in walkway.train:
        assert clip.frames.shape == (14, 48, 64, 1)
        assert clip.frames.dtype == np.uint8
        assert not clip.masks.any()
    for clip in walkway.test:
        assert clip.masks.shape == (14, 48, 64)
        np.testing.assert_array_equal(
            clip.labels, [int(mask.any()) for mask in clip.masks]
        )
        assert 0 < clip.labels.mean() < 1
    assert coloured.train[0].frames.shape[-1] == 3
    blue, green, _ = np.moveaxis(coloured.train[0].frames, -1, 0)
    assert (blue != green).any()


def test_every_kind_is_drawn():
    drawn = synthetic.draw(1, train=0, test=6, frames=20, size=(64, 96))
    assert [clip.kinds for clip in drawn.test] == [
        (kind,) for kind in synthetic.KINDS
    ]
    assert all(clip.labels.any() for clip in drawn.test)


def test_what_is_masked_is_what_moves_abnormally():
    # Under the mask of a cart there is something else than the empty place.
    drawn = synthetic.draw(2, train=0, test=3, frames=40, size=(64, 96))
    cart = drawn.test[2]
    empty = np.median(cart.frames[..., 0], axis=0)
    off = np.abs(cart.frames[..., 0] - empty)
    assert off[cart.masks].mean() > 3 * off[~cart.masks].mean()


def test_trivial_baselines_do_not_solve_it():
    scores = []
    for seed in range(3):
        drawn = synthetic.draw(seed, train=0, test=12, frames=60, size=(60, 80))
        found = baselines.evaluate(
            [clip.frames for clip in drawn.test],
            [clip.labels for clip in drawn.test],
        )
        assert set(found) == set(baselines.BASELINES)
        scores.append(list(found.values()))
    # Neither they nor their opposites.
    assert (np.abs(np.mean(scores, axis=0) - 0.5) < 0.15).all(), scores


def test_baselines_against_brute_force():
    video = np.zeros((7, 4, 4, 1), np.uint8)
    video[3:] = 40
    truth = np.array([0, 0, 1, 1, 0, 0, 0], np.uint8)
    position, middle, difference = baselines.score(video)
    np.testing.assert_allclose(position, np.arange(7) / 6)
    np.testing.assert_allclose(middle, [0, 1 / 3, 2 / 3, 1, 2 / 3, 1 / 3, 0])
    np.testing.assert_allclose(difference, [0, 0, 0, 40, 0, 0, 0])
    # Frames 2 to 6 are scored: of 6 pairs, abnormal above normal.
    found = baselines.evaluate([video], [truth], inputs=2)
    assert found["position in the clip"] == 0
    assert found["closeness to its middle"] == pytest.approx(5.5 / 6)
    assert found["difference"] == pytest.approx((3 + 1.5) / 6)


def test_baselines_need_both_classes():
    with pytest.raises(ValueError, match="normal and abnormal"):
        baselines.evaluate(
            [np.zeros((6, 2, 2, 1), np.uint8)], [np.zeros(6, np.uint8)]
        )


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"seed": -1}, "seed=-1"),
        ({"frames": 0}, "frames=0"),
        ({"size": (31, 64)}, "height=31"),
        ({"channels": 2}, "channels=2"),
    ],
)
def test_bounds(arguments, match):
    with pytest.raises(ValueError, match=f"Received: {match}"):
        synthetic.draw(**arguments)
