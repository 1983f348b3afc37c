"""Alarms made of scores, against the same rule restated in plain Python."""

import dataclasses
import itertools
import math

import numpy as np
import pytest

from lgn_tf.alarms.alarms import (
    Alarm,
    Alarms,
    Rule,
    Timing,
    find_alarms,
)
from tests.helpers.alarms_by_hand import alarms_by_hand


def drawn(random, frames, levels=6):
    """A series that stays high or low for a while, with many equal scores."""
    steps = random.normal(size=frames).cumsum() / 2
    return np.round(np.sin(steps) * levels - 3) + random.integers(0, 3, frames)


def drawn_rule(random):
    end, above = random.integers(-6, 3), random.integers(0, 4)
    lengths = random.integers([1, 0, 0], [6, 7, 12]).tolist()
    return Rule(float(end + above), float(end), *lengths)


def test_an_alarm_is_raised_when_its_run_is_long_enough():
    scores = [0, 5, 5, 5, 5, 0]
    assert find_alarms(scores, Rule(5, 5)) == [Alarm(1, 1, 4)]
    assert find_alarms(scores, Rule(5, 5, minimum=3)) == [Alarm(1, 3, 4)]
    assert find_alarms(scores, Rule(5, 5, minimum=4)) == [Alarm(1, 4, 4)]
    assert find_alarms(scores, Rule(5, 5, minimum=5)) == []


def test_hysteresis_holds_a_run_and_begins_none():
    scores = [3, 5, 3, 3, 2, 3, 3]
    assert find_alarms(scores, Rule(5, 3)) == [Alarm(1, 1, 3)]
    assert find_alarms(scores, Rule(5, 3, minimum=3)) == [Alarm(1, 3, 3)]
    assert find_alarms(scores, Rule(5, 5)) == [Alarm(1, 1, 1)]


def test_short_runs_do_not_add_up():
    assert find_alarms([5, 5, 0, 5, 5, 0], Rule(5, 5, minimum=3, merge=4)) == []


def test_an_alarm_goes_on_within_the_gap_and_is_not_raised_anew():
    scores = [5, 5, 0, 0, 5, 0, 0, 0, 5, 5]
    rule = Rule(5, 5, minimum=2, merge=2)
    assert find_alarms(scores, rule) == [Alarm(0, 1, 4), Alarm(8, 9, 9)]
    stream = Alarms(rule)
    seen = [(stream.step(one), stream.sounding) for one in scores]
    # Frame 7 is the third low one in a row: only now the alarm is over.
    raised = {1, 9}
    silent = {0, 7, 8}
    assert seen == [(t in raised, t not in silent) for t in range(len(scores))]


def test_after_an_alarm_none_is_raised_for_a_while():
    scores = [5, 0, 5, 5, 0, 5, 5, 5, 0]
    assert len(find_alarms(scores, Rule(5, 5))) == 3
    # Frames 1 to 5 keep silent; the run that outlasts them is raised late.
    assert find_alarms(scores, Rule(5, 5, cool_down=5)) == [
        Alarm(0, 0, 0),
        Alarm(5, 6, 7),
    ]
    assert find_alarms(scores, Rule(5, 5, cool_down=7)) == [Alarm(0, 0, 0)]


@pytest.mark.parametrize("seed", range(150))
def test_alarms_are_the_rule(seed):
    random = np.random.default_rng(seed)
    scores, rule = drawn(random, random.integers(0, 120)), drawn_rule(random)
    found = find_alarms(scores, rule)
    assert found == alarms_by_hand(scores, rule)
    for before, after in itertools.pairwise(found):
        assert after.first - before.last - 1 > rule.merge
        assert after.raised - before.last > rule.cool_down


def test_the_drawn_series_hold_all_that_the_rule_speaks_of():
    """Else the comparison above would say little."""
    late = merged = refused = several = 0
    for seed in range(150):
        random = np.random.default_rng(seed)
        scores = drawn(random, random.integers(0, 120))
        rule = drawn_rule(random)
        found = find_alarms(scores, rule)
        several += len(found) > 1
        late += any(a.raised - a.first >= rule.minimum for a in found)
        merged += found != find_alarms(
            scores, dataclasses.replace(rule, merge=0)
        )
        plain = dataclasses.replace(rule, minimum=1)
        refused += len(found) < len(find_alarms(scores, plain))
    assert min(late, merged, refused, several) >= 10


@pytest.mark.parametrize("seed", range(30))
def test_a_later_frame_never_changes_the_past(seed):
    random = np.random.default_rng(1000 + seed)
    scores, rule = drawn(random, 90), drawn_rule(random)
    whole = find_alarms(scores, rule)
    stream = Alarms(rule)
    raised = []
    for frame, score in enumerate(scores):
        if stream.step(score):
            raised.append(frame)
        past = find_alarms(scores[: frame + 1], rule)
        assert (past[-1] if past else None) == stream.latest
        assert [a.raised for a in past] == raised
        known = [a for a in whole if a.raised <= frame]
        assert [(a.first, a.raised) for a in past] == [
            (a.first, a.raised) for a in known
        ]
        assert stream.frames == frame + 1
    assert raised == [a.raised for a in whole]


@pytest.mark.parametrize("seed", range(10))
def test_a_sounding_alarm_is_one_that_a_next_frame_may_prolong(seed):
    random = np.random.default_rng(2000 + seed)
    scores, rule = drawn(random, 60), drawn_rule(random)
    stream = Alarms(rule)
    assert not stream.sounding
    for frame, score in enumerate(scores):
        stream.step(score)
        longer = find_alarms([*scores[: frame + 1], rule.start], rule)
        assert stream.sounding == (
            stream.latest is not None
            and longer[-1] == dataclasses.replace(stream.latest, last=frame + 1)
        )


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([], []),
        ([4.9], []),
        ([5.0], [Alarm(0, 0, 0)]),
        ([5] * 7, [Alarm(0, 0, 6)]),
        ([-1e300, 1e300], [Alarm(1, 1, 1)]),
        (np.float32([4.9999995, 5]), [Alarm(1, 1, 1)]),
    ],
)
def test_short_and_constant_series(scores, expected):
    assert find_alarms(scores, Rule(5, 5)) == expected


def test_scores_may_be_negative():
    assert find_alarms([-9, -2, -9], Rule(-2, -3)) == [Alarm(1, 1, 1)]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_is_refused(bad):
    with pytest.raises(ValueError, match=r"finite.*shape \(2,\), 1 not finite"):
        find_alarms([0, bad], Rule(5, 5))
    stream = Alarms(Rule(5, 5, minimum=2))
    stream.step(5)
    with pytest.raises(ValueError, match=r"finite.*at frame 1"):
        stream.step(bad)
    assert stream.step(5)
    assert stream.latest == Alarm(0, 1, 1)


def test_scores_are_one_series():
    with pytest.raises(ValueError, match=r"Received: shape \(2, 3\)"):
        find_alarms(np.zeros((2, 3)), Rule(5, 5))


@pytest.mark.parametrize(
    "change",
    [
        {"end": 5.5},
        {"end": math.nan},
        {"end": -math.inf},
        {"start": math.nan},
        {"start": math.inf},
        {"minimum": 0},
        {"merge": -1},
        {"cool_down": -1},
    ],
)
def test_a_rule_out_of_bounds_is_refused(change):
    with pytest.raises(ValueError, match=f"`{next(iter(change))}`.*Received"):
        dataclasses.replace(Rule(5, 4), **change)


def test_a_rule_counts_in_whole_frames():
    with pytest.raises(ValueError, match="`merge` must be `int`"):
        Rule(5, 4, merge=1.5)  # type: ignore[arg-type]


def test_a_timing_in_frames():
    assert Timing().rule(0.5, 10) == Rule(0.5, 0.5, 3, 10, 20)
    assert Timing(0.01, 0.2, 3).rule(-2, 24) == Rule(-2, -2, 1, 5, 72)
    with pytest.raises(ValueError, match=r"`merge` must be `float` >= 0"):
        Timing(merge=-0.1)
