"""A bootstrap over videos, against drawing them one by one."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from lgn_tf.evaluation import bootstrap

NUMBERS = np.random.default_rng(2)
LENGTHS = (30, 7, 12, 1, 25)
LABELS = [
    (NUMBERS.uniform(size=length) < share).astype(np.uint8)
    for length, share in zip(LENGTHS, (0.4, 0.0, 1.0, 1.0, 0.7), strict=True)
]


def draw(strength):
    """Scores of few values, so that many are equal."""
    return [
        np.round(NUMBERS.normal(strength * marks, 1), 1) for marks in LABELS
    ]


def brute_force(labels, scores, draws, seed):
    """Areas of every draw of videos, None where it holds one class."""
    taken = np.random.default_rng(seed).multinomial(
        len(labels), np.full(len(labels), 1 / len(labels)), draws
    )
    areas = []
    for counts in taken:
        places = np.repeat(np.arange(len(labels)), counts)
        marks = np.concatenate([labels[place] for place in places])
        found = np.concatenate([scores[place] for place in places])
        mixed = marks.min() < marks.max()
        areas.append(roc_auc_score(marks, found) if mixed else None)
    return areas


def test_pairs_by_counting():
    scores = draw(1.0)
    expected = np.zeros((5, 5))
    for i, j in np.ndindex(5, 5):
        high = scores[i][LABELS[i] == 1][:, None]
        low = scores[j][LABELS[j] == 0][None]
        expected[i, j] = ((high > low) + 0.5 * (high == low)).sum()
    found = bootstrap.wins(LABELS, scores)
    np.testing.assert_array_equal(found, expected)
    assert (found % 1 == 0.5).any(), "the test needs equal scores"


def test_areas_of_all_draws():
    scores = draw(0.7)
    resampling = bootstrap.Resampling(LABELS, draws=200, seed=5)
    expected = brute_force(LABELS, scores, 200, 5)
    mixed = [area for area in expected if area is not None]
    np.testing.assert_allclose(resampling.areas(scores), mixed, rtol=1e-12)
    assert resampling.draws == 200
    assert resampling.skipped == expected.count(None) > 0
    assert resampling.area(scores) == pytest.approx(
        roc_auc_score(np.concatenate(LABELS), np.concatenate(scores))
    )


def test_intervals():
    one, other = draw(1.5), draw(0.2)
    resampling = bootstrap.Resampling(LABELS, draws=150, seed=3)
    pairs = [
        (first, second)
        for first, second in zip(
            brute_force(LABELS, one, 150, 3),
            brute_force(LABELS, other, 150, 3),
            strict=True,
        )
        if first is not None
    ]
    mine = np.array([first for first, _ in pairs])
    margins = np.array([first - second for first, second in pairs])
    for values, areas in (
        (mine, resampling.areas(one)),
        (margins, resampling.areas(one) - resampling.areas(other)),
    ):
        assert resampling.interval(areas) == pytest.approx(
            tuple(np.percentile(values, (2.5, 97.5)))
        )


def test_a_score_beside_itself():
    scores = draw(1.0)
    resampling = bootstrap.Resampling(LABELS)
    areas = resampling.areas(scores)
    assert resampling.interval(areas - resampling.areas(scores)) == (0, 0)


def test_only_the_order_of_scores_counts():
    scores = draw(1.0)
    resampling = bootstrap.Resampling(LABELS, draws=50)
    np.testing.assert_array_equal(
        resampling.areas(scores),
        resampling.areas([np.exp(one) for one in scores]),
    )


def test_seeds():
    scores = draw(1.0)
    first, again, other = (
        bootstrap.Resampling(LABELS, draws=50, seed=seed).areas(scores)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or (first != other).any()


def test_equal_scores_are_chance():
    resampling = bootstrap.Resampling(LABELS)
    areas = resampling.areas([np.zeros(length) for length in LENGTHS])
    assert resampling.interval(areas) == (0.5, 0.5)


def test_one_video_has_no_interval():
    resampling = bootstrap.Resampling(LABELS[:1])
    assert resampling.skipped == 0
    areas = resampling.areas([np.arange(30)])
    assert len(areas) == 1000 and len(np.unique(areas)) == 1
    assert resampling.interval(areas) is None


def test_three_videos_are_the_least_for_an_interval():
    scores = [np.arange(length) for length in LENGTHS]
    for videos in (2, bootstrap.LEAST_VIDEOS):
        resampling = bootstrap.Resampling(LABELS[:videos])
        areas = resampling.areas(scores[:videos])
        assert len(areas)
        assert (resampling.interval(areas) is None) == (videos == 2)


def test_where_no_draw_is_left():
    labels = [np.zeros(3), np.zeros(3), np.ones(2)]
    resampling = next(
        one
        for one in (
            bootstrap.Resampling(labels, draws=1, seed=seed)
            for seed in range(100)
        )
        if one.skipped
    )
    areas = resampling.areas([np.zeros(3), np.zeros(3), np.ones(2)])
    assert areas.shape == (0,)
    assert resampling.interval(areas) is None


@pytest.mark.parametrize(
    ("labels", "draws", "received"),
    [
        ([np.zeros(4), np.zeros(2)], 9, "6 and 0 frames, draws=9"),
        ([np.ones(3)], 9, "0 and 3 frames, draws=9"),
        ([], 9, "0 and 0 frames, draws=9"),
        ([np.array([0, 1])], 0, "1 and 1 frames, draws=0"),
    ],
)
def test_bounds(labels, draws, received):
    with pytest.raises(ValueError, match=f"Received: {received}"):
        bootstrap.Resampling(labels, draws)
