"""Candidates on a GPU in turns of several steps, and the rows they make."""

import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmarks.gpu.bench import EAGER, Bench, NoNumberError, explained
from benchmarks.gpu.precision import significant

TURN = 0.2
"""Seconds that one turn of a candidate is to take, on a GPU."""


@dataclasses.dataclass(frozen=True)
class Contestant:
    """A candidate that is timed.

    Attributes:
        name: of the row.
        run: takes a number of steps and returns when the last has ended.
        facts: what the row says beside it.
    """

    name: str
    run: Callable[[int], Any]
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)


def repeated(
    step: Callable[[], Any], wait: Callable[[Any], Any]
) -> Callable[[int], None]:
    """Returns a function that takes steps, and waits for the last."""

    def run(count: int) -> None:
        for _ in range(count):
            # In turn, so that no earlier output is held beside the next.
            output = step()
        wait(output)

    return run


def wait_for_torch(_: Any) -> None:
    """Returns when the card has done all that PyTorch gave it."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def seconds_a_step(
    contestants: list[Contestant], bench: Bench, least: int = 1
) -> dict[str, list[float] | str]:
    """Times steps in turns, one turn at least.

    Args:
        contestants: warm.
        bench: says how many turns.
        least: steps of a turn on a GPU, at least.

    Returns:
        The seconds a step of each turn, or why there are none.
    """
    counts: dict[str, int] = {}
    found: dict[str, Any] = {}
    for turn in range(bench.options.runs + 1):
        if turn > 1 and time.monotonic() > bench.end:
            break
        for contestant in contestants:
            name = contestant.name
            if isinstance(found.get(name), str):
                continue
            try:
                begin = time.perf_counter()
                with explained():
                    contestant.run(counts.get(name, 1))
                seconds = time.perf_counter() - begin
            except NoNumberError as why:
                found[name] = str(why)
                continue
            if turn:
                found.setdefault(name, []).append(seconds / counts[name])
            else:
                # The first turn, of one step, says how many are a turn.
                count = max(least, round(TURN / seconds)) if bench.gpu else 1
                counts[name] = min(count, 100)
    return found


def race(
    bench: Bench,
    row: dict[str, Any],
    contestants: list[Contestant],
    count: int,
    amount: float,
    least: int = 1,
) -> None:
    """Times contestants in turns, and adds their rows.

    Args:
        bench: takes the rows.
        row: what all of them begin with.
        contestants: warm.
        count: windows of a step.
        amount: operations of a window, at least.
        least: steps of a turn on a GPU, at least.
    """
    times = seconds_a_step(contestants, bench, least)
    base = times.get(EAGER)
    for contestant in contestants:
        found = times[contestant.name]
        new = row | {"by": contestant.name} | contestant.facts
        if isinstance(found, str):
            bench.add(**new, missing=found)
            continue
        seconds = statistics.median(found)
        new["turns"] = len(found)
        new["per_second"] = significant(count / seconds)
        new["ms"] = significant(1000 * seconds)
        if isinstance(base, list):
            new["ratio"] = significant(statistics.median(base) / seconds)
        new |= bench.shares(row["precision"], amount * count / seconds)
        bench.add(**new)


def faster(contestants: list[Contestant]) -> Contestant:
    """Returns the one whose best of three steps is the shortest."""
    times = []
    for contestant in contestants:
        times.append([])
        for _ in range(3):
            begin = time.perf_counter()
            contestant.run(1)
            times[-1].append(time.perf_counter() - begin)
    return contestants[int(np.argmin([min(row) for row in times]))]


def latency(bench: Bench, contestant: Contestant, precision: str) -> None:
    """Times single steps, each waited for."""
    times = []
    for _ in range(bench.options.latency_runs):
        begin = time.perf_counter()
        contestant.run(1)
        times.append(1000 * (time.perf_counter() - begin))
    bench.add(
        part="latency",
        precision=precision,
        by=contestant.name,
        ms=significant(statistics.median(times)),
        p99_ms=significant(float(np.percentile(times, 99))),
    )
