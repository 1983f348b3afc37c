"""SIGTERM while requests are answered."""

import time
from collections.abc import Iterator

from tests.soak.bench import Bench
from tests.soak.outcome import Fault, Outcome, Tally
from tests.soak.serving import session as sessions
from tests.soak.serving.session import Session

ENDS = 5
DRAIN = 10.0
"""Seconds that requests get."""

SPARE = 3.0
"""Seconds that a process needs beside."""


def run(bench: Bench) -> Iterator[Outcome]:
    """Yields one row."""
    bench.say("SIGTERM under load")
    tally = Tally("SIGTERM under load", bench.seed)
    longest, answers = 0.0, 0
    for number in range(bench.count(ENDS)):
        with Session(
            bench, f"ending/{number}", "--drain-seconds", f"{DRAIN:g}"
        ) as session:
            load = session.load("beside", workers=8, pause=0.0)
            time.sleep(3 + number / 7)
            began = time.monotonic()
            status = session.server.end(DRAIN + SPARE)
            took = time.monotonic() - began
            time.sleep(0.3)
            valid = load.result(120, stop=True)
            faults = list(sessions.load_faults(valid, refusals=True))
            if status is None:
                words = f"still there after {took:.0f} s"
                faults.append(Fault("dead", words))
            elif status:
                words = f"exit status {status}: {session.server.said()}"
                faults.append(Fault("wrong", words))
            tally.add(f"ending/{number}", faults)
            longest = max(longest, took)
            answers += len(valid["times"])
    words = f"ended within {longest:.1f} s; {answers:,} answers before"
    yield tally.outcome(words, f"0, 0, 0; ends within {DRAIN:.0f} s")
