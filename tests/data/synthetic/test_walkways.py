import numpy as np
import pytest

from lgn_tf.data.synthetic import figures, scenes, walkways
from lgn_tf.evaluation import baselines


def test_the_same_seed_draws_the_same_videos(walkway):
    again = walkways.draw(3, train=2, test=3, frames=14, size=(48, 64))
    for one, other in zip(
        walkway.train + walkway.test, again.train + again.test, strict=True
    ):
        np.testing.assert_array_equal(one.frames, other.frames)
        np.testing.assert_array_equal(one.masks, other.masks)
    other = walkways.draw(4, train=1, test=0, frames=14, size=(48, 64))
    assert (other.train[0].frames != walkway.train[0].frames).any()


def test_more_videos_do_not_change_the_first(walkway):
    more = walkways.draw(3, train=2, test=4, frames=14, size=(48, 64))
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
    drawn = walkways.draw(1, train=0, test=6, frames=20, size=(64, 96))
    assert [clip.kind for clip in drawn.test] == list(walkways.KINDS)
    assert all(clip.labels.any() for clip in drawn.test)


def test_what_is_masked_is_what_moves_abnormally():
    # Under the mask of a cart there is something else than the empty place.
    drawn = walkways.draw(2, train=0, test=1, frames=40, size=(64, 96))
    cart = drawn.test[0]
    assert cart.kind == "cart"
    empty = np.median(cart.frames[..., 0], axis=0)
    off = np.abs(cart.frames[..., 0] - empty)
    assert off[cart.masks].mean() > 3 * off[~cart.masks].mean()


def test_normal_people_keep_to_the_side_of_their_lane():
    rng = np.random.default_rng(0)
    people = scenes.crowd(rng, (64, 96), 400)
    for person in people:
        lane = scenes.FAR if person.lane < scenes.KERB * 64 else scenes.NEAR
        assert lane.top <= person.lane / 64 <= lane.bottom
        assert person.side == lane.side
        assert not person.is_abnormal(person.entry_time)
    assert {person.side for person in people} == {-1, 1}


@pytest.mark.parametrize("kind", walkways.KINDS)
def test_each_kind_differs_from_all_that_is_normal(kind):
    """What happens: in its direction, its speed, its stay or its shape."""
    size, frames = (64, 96), 80
    rng = np.random.default_rng(1)
    paces = [
        person.speed / lane.tall
        for person in scenes.crowd(rng, size, 400)
        for lane in (scenes.FAR, scenes.NEAR)
        if lane.side == person.side
    ]
    for _ in range(20):
        actors = scenes.anomaly(rng, kind, size, frames)
        lane = scenes.FAR if actors[0].lane < scenes.KERB * 64 else scenes.NEAR
        pace = actors[0].speed / lane.tall
        walks = min(paces) * 0.95 < pace < max(paces) * 1.05
        assert walks == (kind not in ("cyclist", "thrown"))
        assert walks or pace > 1.7 * max(paces)
        assert (actors[0].side != lane.side) == (kind == "wrong-way")
        assert len(actors) == (4 if kind == "thrown" else 1)
        begin, end = actors[0].pause
        if kind not in ("loiterer", "fallen"):
            assert begin == end == np.inf
            assert actors[0].is_abnormal(0)
            continue
        middle = (begin + end) / 2
        begun, stood, gone = (
            actors[0].travelled(time) for time in (begin, middle, end + 2)
        )
        assert stood == pytest.approx(begun)
        assert gone == pytest.approx(begun + 2 * actors[0].speed)
        times = (begin - 1, begin, middle, end)
        found = [actors[0].is_abnormal(time) for time in times]
        assert found == [False, True, True, False]


@pytest.mark.parametrize(("kind", "upright"), [("loiterer", 1), ("fallen", 0)])
def test_who_has_fallen_lies(kind, upright):
    actor = scenes.anomaly(np.random.default_rng(0), kind, (64, 96), 80)[0]
    begin, end = actor.pause
    boxes = []
    for time in (begin - 5, (begin + end) / 2, end + 5):
        mask = np.zeros((64, 96), np.uint8)
        frame = np.zeros((64, 96, 3), np.uint8)
        actor.draw(figures.Pen(frame, mask, True), time)
        rows, columns = np.nonzero(mask)
        boxes.append((np.ptp(rows), np.ptp(columns)))
    (before, _), (tall, wide), (after, _) = boxes
    assert (tall > wide) == bool(upright)
    assert abs(before - after) <= 2 and (tall > 0.8 * before) == bool(upright)


def test_both_ends_are_dark_and_nothing_is_labelled_there():
    drawn = walkways.draw(0, train=1, test=6, frames=40, size=(64, 96))
    light = drawn.train[0].frames.mean(axis=(0, 1, 3))
    middle = light[12:-12].mean()
    for ends in (light, light[::-1]):
        assert ends[0] < ends[4] < ends[8]
        assert 0.1 * middle < ends[0] < 0.4 * middle
    seen = np.concatenate([clip.masks for clip in drawn.test])
    assert not seen[..., [0, 1, 2, -3, -2, -1]].any()
    assert seen[..., 3:10].any()


def test_a_long_video_holds_a_short_event():
    # A cart crosses this picture in less than a tenth of the video.
    drawn = walkways.draw(0, train=0, test=1, frames=600, size=(32, 32))
    assert 5 <= drawn.test[0].labels.sum() < 60


def test_trivial_baselines_do_not_solve_it():
    scores = []
    for seed in range(6):
        drawn = walkways.draw(seed, train=0, test=6, frames=60, size=(60, 80))
        found = baselines.baseline_aucs(
            [clip.frames for clip in drawn.test],
            [clip.labels for clip in drawn.test],
        )
        assert list(found) == list(baselines.BASELINES)
        scores.append(list(found.values()))
    # Neither they nor their opposites.
    assert (np.abs(np.mean(scores, axis=0) - 0.5) < 0.2).all(), scores


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
        walkways.draw(**arguments)
