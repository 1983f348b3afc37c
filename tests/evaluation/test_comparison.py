"""Scores of the model beside those that need none."""

import numpy as np
import pytest

from lgn_tf.evaluation import baselines, bootstrap, comparison, roc
from lgn_tf.evaluation.comparison import Contest, Score
from tests.helpers.drawn_scores import opposition

NUMBERS = np.random.default_rng(4)
LENGTHS = (40, 25, 60, 33, 51)
LABELS = [
    (np.arange(length) > length * share).astype(np.uint8)
    for length, share in zip(LENGTHS, (0.5, 1.0, 0.3, 0.6, -0.1), strict=True)
]
STRENGTH = {
    baselines.POSITION: 0.4,
    baselines.COPYING: 2.0,
    baselines.GLOBAL: 0.5,
    baselines.FLOW: 1.2,
}
GIVEN = [
    opposition(len(marks), marks, seed=place, strength=STRENGTH)
    for place, marks in enumerate(LABELS)
]


def draw(strength):
    series = [NUMBERS.normal(strength * marks, 1) for marks in LABELS]
    return Score(series, None)


def area(series):
    return roc.area(np.concatenate(LABELS), np.concatenate(series))


def test_a_measured_score():
    contest = Contest(LABELS)
    one = draw(1.0)
    found = contest.measure(one)
    assert found.micro_auc == area(one.series)
    assert found.macro_auc is None
    resampling = bootstrap.Resampling(LABELS)
    assert found.interval == resampling.interval(resampling.areas(one.series))
    assert found.interval[0] < found.micro_auc < found.interval[1]
    assert (contest.draws, contest.skipped_draws) == (1000, resampling.skipped)


def test_a_score_with_bounds_has_a_macro_area():
    bounded = Score([1 / (1 + np.exp(-one)) for one in draw(1.0).series], 0.0)
    found = Contest(LABELS).measure(bounded)
    assert found.macro_auc == roc.macro_area(LABELS, bounded.series, 0.0)


def test_opponents():
    found = Contest(LABELS).opponents(GIVEN)
    assert list(found) == list(baselines.BASELINES)
    for name, one in found.items():
        series = [each.series[name] for each in GIVEN]
        assert one.micro_auc == area(series)
        assert one.interval[0] < one.micro_auc < one.interval[1]
        assert one.milliseconds == pytest.approx(10)
        assert one.online == baselines.BASELINES[name].online
    with_macro = {n for n, one in found.items() if one.macro_auc is not None}
    assert with_macro == {
        baselines.POSITION,
        baselines.MIDDLE,
        baselines.COPYING,
    }


def test_who_stands_against_whom():
    table = {"paper": draw(4.0), "psnr": draw(0.1), "online": draw(0.6)}
    contest = Contest(LABELS)
    opponents = contest.opponents(GIVEN)
    found = contest.compare(table, GIVEN)
    # Copying is the best, but divided by the range of the whole video.
    assert {name: one.opponent for name, one in found.items()} == {
        "paper": baselines.COPYING,
        "online": baselines.FLOW,
    }
    resampling = bootstrap.Resampling(LABELS)
    for name, one in found.items():
        mine = table[name].series
        rival = [each.series[one.opponent] for each in GIVEN]
        expected = area(mine) - opponents[one.opponent].micro_auc
        assert one.margin == pytest.approx(expected)
        assert one.interval == resampling.interval(
            resampling.areas(mine) - resampling.areas(rival)
        )
    assert found["paper"].beaten and found["paper"].interval[0] > 0
    assert not found["online"].beaten and found["online"].margin < 0


def test_a_lead_that_other_videos_may_turn_round_beats_nobody():
    rival = [one.series[baselines.FLOW] for one in GIVEN]
    near = [
        series + NUMBERS.normal(0.02 * marks, 0.4)
        for series, marks in zip(rival, LABELS, strict=True)
    ]
    found = Contest(LABELS).compare({"online": Score(near, None)}, GIVEN)
    low, high = found["online"].interval
    assert low <= 0 <= high and not found["online"].beaten


def test_one_video():
    [labels], [given] = LABELS[:1], GIVEN[:1]
    contest = Contest([labels])
    table = {"paper": Score([labels.astype(float)], 0.0)}
    found = contest.compare(table, [given])["paper"]
    assert found.margin > 0 and found.interval is None and not found.beaten
    assert contest.measure(table["paper"]).interval is None


@pytest.mark.parametrize("labels", [[], [np.zeros(9, np.uint8)] * 2])
def test_without_areas(labels):
    contest = Contest(labels)
    given = [opposition(9)] * len(labels)
    table = {"paper": Score([np.arange(9.0)] * len(labels), None)}
    assert contest.measure(table["paper"]).micro_auc is None
    assert contest.opponents(given) == {}
    assert contest.compare(table, given) == {}
    assert (contest.draws, contest.skipped_draws) == (0, 0)


def test_without_opponents():
    contest = Contest(LABELS)
    assert contest.opponents([]) == {}
    assert contest.compare({"paper": draw(1.0)}, []) == {}


def test_gain():
    psnr = [one.copying + 0.5 for one in GIVEN]
    psnr[0] = psnr[0] - 1.5
    expected = 0.5 - 1.5 * LENGTHS[0] / sum(LENGTHS)
    assert comparison.gain(psnr, GIVEN) == pytest.approx(expected)
    assert comparison.gain(psnr, []) is None
