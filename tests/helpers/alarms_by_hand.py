"""Alarms restated in plain Python, and what their tests share."""

import math

import numpy as np

from lgn_tf.alarms.alarms import Alarm, Timing

NOW = Timing(0.0, 0.0, 0.0)
# One frame is enough, nothing is merged, nothing cools down.


def alarms_by_hand(scores, rule):
    """The whole series is known: first all high runs, then the alarms."""
    high, frame = [], 0
    while frame < len(scores):
        first = frame
        level = rule.start
        while frame < len(scores) and scores[frame] >= level:
            level = rule.end
            frame += 1
        if frame > first:
            high.append((first, frame - 1))
        frame += frame == first
    found = []
    for first, last in high:
        if found and first - found[-1][2] - 1 <= rule.merge:
            found[-1][2] = last
            continue
        raised = first + rule.minimum - 1
        if found:
            raised = max(raised, found[-1][2] + rule.cool_down + 1)
        if raised <= last:
            found.append([first, raised, last])
    return [Alarm(*one) for one in found]


def peaks(*heights, frames=3600):
    """Zeros, and peaks of one frame; an hour at a frame a second."""
    video = np.zeros(frames)
    video[: 100 * len(heights) : 100] = heights
    return video


def poisson(count, mean):
    """The probability of at most so many."""
    return sum(
        math.exp(-mean) * mean**k / math.factorial(k) for k in range(count + 1)
    )
