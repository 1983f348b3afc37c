"""The area of each kind of anomaly, by counting and by scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from lgn_tf.evaluation import baselines, kind_areas
from lgn_tf.evaluation.comparison import Contest, Score
from tests.helpers.drawn_scores import opposition

NUMBERS = np.random.default_rng(8)
FIRST = 4
NAMES = ("a", "b", "c", "d", "e")
LENGTHS = dict(zip(NAMES, (40, 25, 33, 51, 30), strict=True))
SPANS = {
    # Frames 10 to 15 of `a` are abnormal, and of no kind.
    "a": {"labels": (10, 30), "cart": (16, 24), "fall": (22, 30)},
    "b": {"labels": (0, 12), "cart": (0, 12)},
    "c": {},
    # Of this jump no frame has a score.
    "d": {"labels": (0, 3), "jump": (0, 3)},
    "e": {"labels": (9, 21), "cart": (9, 15), "fall": (15, 21)},
}


def marks(video, name):
    start, end = SPANS[video].get(name, (0, 0))
    places = np.arange(LENGTHS[video])
    return ((places >= start) & (places < end)).astype(np.uint8)


KINDS = {
    video: {kind: marks(video, kind) for kind in ("cart", "fall", "jump")}
    for video in NAMES
}
LABELS = [marks(video, "labels")[FIRST:] for video in NAMES]
GIVEN = [
    opposition(len(labels), labels, seed=k, strength={baselines.FLOW: 2.0})
    for k, labels in enumerate(LABELS)
]


def score(strengths):
    """A score that is noise, but for the kinds that it knows."""
    return Score(
        [
            NUMBERS.normal(0, 1, len(labels)).round(1)
            + sum(
                strength * KINDS[video][kind][FIRST:]
                for kind, strength in strengths.items()
            )
            for video, labels in zip(NAMES, LABELS, strict=True)
        ],
        None,
    )


TABLE = {
    "paper": score({"cart": 1.0}),
    "online": score({"cart": 0.5, "fall": 4.0}),
    "psnr": score({}),
}


def measure(kinds=KINDS, labels=LABELS, names=NAMES, given=GIVEN):
    contest = Contest(labels)
    return kind_areas.measure_kinds(
        kinds,
        names,
        labels,
        TABLE,
        given,
        contest.compare(TABLE, given),
    )


def frames_of(kind, series):
    """(labels, scores) of each video: this kind, and what is normal."""
    parts = []
    for video, labels, values in zip(NAMES, LABELS, series, strict=True):
        shown = KINDS[video][kind][FIRST:]
        kept = (labels == 0) | (shown == 1)
        parts.append((shown[kept], values[kept]))
    return parts


def area(parts):
    labels, values = map(np.concatenate, zip(*parts, strict=True))
    high, low = values[labels == 1][:, None], values[labels == 0][None]
    return np.mean((high > low) + 0.5 * (high == low))


def test_areas_leave_out_frames_of_other_kinds():
    found = measure()
    assert list(found) == ["cart", "fall", "jump"]
    for name in ("paper", "online", baselines.FLOW):
        series = (
            [one.series[name] for one in GIVEN]
            if name == baselines.FLOW
            else TABLE[name].series
        )
        for kind in ("cart", "fall"):
            parts = frames_of(kind, series)
            labels, values = map(np.concatenate, zip(*parts, strict=True))
            measured = found[kind].areas[name].area
            assert measured == pytest.approx(area(parts), abs=1e-12)
            assert measured == pytest.approx(roc_auc_score(labels, values))
    # Falls are no normal frames, and `online` knows them.
    beside = np.concatenate([KINDS[name]["cart"][FIRST:] for name in NAMES])
    mixed = roc_auc_score(beside, np.concatenate(TABLE["online"].series))
    assert found["cart"].areas["online"].area > mixed + 0.02


def test_the_scores_are_those_that_are_compared_and_the_best_opponent():
    for one in measure().values():
        assert list(one.areas) == ["paper", "online", baselines.FLOW]
    for one in measure(given=[]).values():
        assert list(one.areas) == ["paper", "online"]


def test_counts_are_of_frames_that_have_a_score():
    found = measure()
    counts = {kind: (one.frames, one.videos) for kind, one in found.items()}
    assert counts == {
        "cart": (8 + 8 + 6, 3),
        "fall": (8 + 6, 2),
        "jump": (0, 0),
    }


def test_the_interval_is_that_of_draws_of_videos():
    found = measure()["cart"].areas["online"]
    parts = frames_of("cart", TABLE["online"].series)
    draws = np.random.default_rng(0).multinomial(5, [0.2] * 5, 1000)
    areas = []
    for taken in draws:
        drawn = [part for part, n in zip(parts, taken, strict=True) if n]
        often = [n for n in taken if n]
        labels = [np.tile(p[0], n) for p, n in zip(drawn, often, strict=True)]
        values = [np.tile(p[1], n) for p, n in zip(drawn, often, strict=True)]
        labels = np.concatenate(labels)
        if labels.any():
            areas.append(roc_auc_score(labels, np.concatenate(values)))
    # Draws that took neither `a` nor `b` nor `e` show no cart.
    assert len(areas) < 1000
    assert found.interval == pytest.approx(np.quantile(areas, (0.025, 0.975)))


def test_a_kind_of_two_videos_has_no_interval():
    for one in measure()["fall"].areas.values():
        assert one.interval is None


@pytest.mark.parametrize(
    ("measured", "interval", "found"),
    [
        (0.7, (0.501, 0.9), True),
        (0.7, (0.5, 0.9), False),
        (0.45, (0.3, 0.6), False),
        # Well above chance, and other videos could turn it round.
        (0.9, (0.4, 1.0), False),
        (0.81, None, True),
        (0.8, None, False),
        (0.1, None, False),
        (None, None, None),
    ],
)
def test_what_counts_as_found(measured, interval, found):
    assert kind_areas.is_found(measured, interval) is found


def test_a_score_that_knows_nothing_seldom_finds_a_kind():
    """Videos differ, and events differ, as much as frames do."""
    random = np.random.default_rng(2)
    names = tuple(map(str, range(18)))
    event = np.repeat([0, 1, 0], 30).astype(np.uint8)
    shown = {"one": 1, "two": 2, "three": 3, "six": 6}
    trials, lucky = 200, dict.fromkeys(shown, 0)
    for _ in range(trials):
        kinds = {
            name: {kind: event * (k < n) for kind, n in shown.items()}
            for k, name in enumerate(names)
        }
        series = [
            random.normal(0, 1)
            + random.normal(0, 1) * event
            + random.normal(0, 1, 90)
            for _ in names
        ]
        found = kind_areas.measure_kinds(
            kinds, names, [event] * 18, {"online": Score(series, None)}, [], {}
        )
        for kind, one in found.items():
            lucky[kind] += one.areas["online"].found
    shares = {kind: count / trials for kind, count in lucky.items()}
    assert shares["three"] < 0.15 and shares["six"] < 0.1
    # Without an interval, whose share would be 0.4 and 0.2.
    assert shares["one"] < 0.25 and shares["two"] < 0.12


def test_found_is_said_of_each_score():
    found = measure()
    assert found["fall"].areas["online"].found
    assert not found["fall"].areas["paper"].found
    assert {one.found for one in found["jump"].areas.values()} == {None}
    assert {one.area for one in found["jump"].areas.values()} == {None}


def test_without_normal_frames_there_is_no_area():
    labels = [np.ones_like(one) for one in LABELS]
    found = measure(labels=labels)
    assert found["cart"].frames == 22
    assert {one.area for one in found["cart"].areas.values()} == {None}


def test_without_kinds_or_labels_there_is_nothing():
    assert measure(kinds=None) == {}
    assert measure(kinds={name: {} for name in NAMES}) == {}
    assert kind_areas.measure_kinds(KINDS, NAMES, [], TABLE, GIVEN, {}) == {}


def test_what_does_not_fit():
    with pytest.raises(ValueError, match=r"every video\. Received: no f"):
        measure(names=("f", *NAMES[1:]))
    short = KINDS | {"b": {"cart": np.ones(3, np.uint8)}}
    with pytest.raises(
        ValueError, match=r"b: `kinds` .* 21 .* Received: cart \(3,\)"
    ):
        measure(kinds=short)
