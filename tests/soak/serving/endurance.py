"""Valid and malformed requests for minutes: nothing may grow."""

import time
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

import numpy as np

from tests.soak.bench import Bench
from tests.soak.outcome import Outcome, Tally
from tests.soak.serving import pictures, processes
from tests.soak.serving import session as sessions
from tests.soak.serving.processes import Helper, Usage
from tests.soak.serving.session import Session

SECONDS = 600.0
WARM = 0.25
"""Share of the time that is not measured."""

CROWD = 0.1
"""Share of the time, at its start, in which many times as many ask.

TensorFlow's pool of memory keeps what it once needed. The largest load is
therefore met first: later growth is then a leak, and not a step to the next
largest moment.
"""

SETTLING = 0.2
"""Share of the time, after the crowd, in which malformed requests come alone,
as fast as they can: some hundred thousand.

The C library's gaps between blocks fill up with each new kind of request, and
ever more slowly.
"""

RESTS = 20
"""How often all clients stop. What is held then is held for no request: the
memory of those that run comes and goes by tens of megabytes."""

REST = 0.15
"""Share of the time between two such moments that one takes: four and a half
seconds. The server hands free pages to the system every two, and so in each
rest, and closes connections that are idle for five."""

JUDGED = 300.0
"""Seconds from which on a slope says something."""

MOST_SLOPE = 0.1
"""MB a minute."""


def run(bench: Bench) -> Iterator[Outcome]:
    """Yields one row."""
    seconds = max(15.0, SECONDS * min(1.0, bench.scale))
    bench.say(f"{seconds:.0f} s of requests")
    with Session(bench, "endurance") as session:
        file = session.folder / "bomb.png"
        pictures.write(file, bench.seed)
        crowd = session.load("crowd", seconds=CROWD * seconds, workers=12)
        many = _attacks(session, bench.seed + 2, workers=6, pause=0.0)
        load = session.load("beside", pause=0.02)
        attacks = _attacks(session, bench.seed + 1, workers=1, pause=0.05)
        bombs = pictures.start(session, file, 3)
        time.sleep(CROWD * seconds)
        # What these meet is counted by other themes.
        bombs.result(300)
        crowd.result(120)
        time.sleep(SETTLING * seconds)
        for attack in many:
            attack.result(90, stop=True)
        times, used = _watch(session, seconds, [load, *attacks])
        malformed = sum(
            attack.result(90, stop=True)["count"] for attack in attacks
        )
        valid = load.result(120, stop=True)
        faults = [*sessions.load_faults(valid), *sessions.dead(session.server)]
    tally = Tally(
        f"{seconds:.0f} s of valid and malformed requests", bench.seed
    )
    count = len(valid["times"]) + malformed
    tally.add("endurance", faults, count)
    slope = a_minute(times, [each.memory for each in used])
    words = (
        f"at rest {slope:+.3f} MB a minute at {used[-1].memory:.0f} MB, "
        f"{a_minute(times, [each.files for each in used]):+.2f} files, "
        f"{a_minute(times, [each.threads for each in used]):+.2f} threads"
    )
    met = slope < MOST_SLOPE or seconds < JUDGED
    goal = "0, 0, 0; < 0.1 MB a minute"
    yield tally.outcome(words, goal if seconds >= JUDGED else "0, 0, 0", met)


def _attacks(session: Session, seed: int, **options: Any) -> list[Helper]:
    """Starts malformed requests over both protocols, without an end."""
    return [
        session.helper(
            "attack",
            f"attack-{name}-{seed}",
            **{name: getattr(session.server, name)},
            count=10**9,
            seed=seed,
            **options,
        )
        for name in ("rest", "grpc")
    ]


def _watch(
    session: Session, seconds: float, clients: Sequence[Helper]
) -> tuple[list[float], list[Usage]]:
    """Returns times in seconds and what the server held at rest at each.

    The folder of the theme also gets a table with the memory of each process,
    under load as well.
    """
    began = time.monotonic()
    times: list[float] = []
    used: list[Usage] = []
    step = seconds / RESTS
    table = session.folder / "memory.csv"
    with table.open("w", encoding="utf-8") as rows:
        for rest in range(1, RESTS + 1):
            end = rest * step
            while time.monotonic() - began < end - REST * step:
                _write(session, time.monotonic() - began, rows)
                time.sleep(min(1.0, REST * step))
            with processes.stopped(clients):
                time.sleep(max(0.0, end - (time.monotonic() - began)))
                found = _write(session, end, rows)
            if end > WARM * seconds and found is not None:
                times.append(end)
                used.append(found)
    if not used:
        raise RuntimeError(f"the server ended: {session.server.said()}")
    return times, used


def _write(session: Session, now: float, rows: TextIO) -> Usage | None:
    if not session.server.alive():
        return None
    found = session.server.usage()
    cells = (f"{each:.1f}" for each in found.each)
    print(f"{now:.1f}", *cells, sep=",", file=rows, flush=True)
    return found


def a_minute(times: Sequence[float], values: Sequence[float]) -> float:
    """Returns the slope of the least-squares line, a minute."""
    if len(times) < 2:
        return 0.0
    return float(60 * np.polyfit(times, values, 1)[0])
