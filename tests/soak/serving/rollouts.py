"""New versions appear while requests are answered."""

import shutil
import time
from collections.abc import Iterator

import numpy as np

from tests.soak.bench import Bench
from tests.soak.outcome import Fault, Outcome, Tally
from tests.soak.serving import session as sessions
from tests.soak.serving.processes import Usage
from tests.soak.serving.session import Session

ROLLOUTS = 30
KEPT = 2
"""Older versions that stay on disk."""

PATIENCE = 300.0
"""Seconds in which a version must be served; under load a slow machine takes
some hundred."""

MOST_GROWTH = 1.0
"""MB a rollout, over the later two thirds."""


def run(bench: Bench) -> Iterator[Outcome]:
    """Yields one row."""
    bench.say("rollouts")
    count = bench.count(ROLLOUTS, 3)
    tally = Tally("rollouts under load", bench.seed)
    with Session(bench, "rollouts") as session:
        _roll(session, 2, tally)
        session.learn()
        load = session.load("beside", pause=0.02)
        used = []
        for version in range(3, 3 + count):
            used.append(_roll(session, version, tally))
        valid = load.result(120, stop=True)
        faults = [*sessions.load_faults(valid), *sessions.dead(session.server)]
        tally.add("rollouts/valid", faults, 0)
    tally.count = count
    memory = [each.memory for each in used]
    later = memory[len(memory) // 3 :]
    growth = 0.0
    if len(later) > 1:
        growth = float(np.polyfit(range(len(later)), later, 1)[0])
    words = (
        f"{len(valid['times']):,} answers; {memory[0]:.0f} MB after the first, "
        f"{memory[-1]:.0f} MB after the last, {growth:+.2f} MB a rollout; "
        f"{used[0].files} and {used[-1].files} files, {used[0].threads} and "
        f"{used[-1].threads} threads"
    )
    # A few rollouts show no slope.
    met = growth < MOST_GROWTH or count < ROLLOUTS // 2
    yield tally.outcome(words, "0, 0, 0; < 1 MB a rollout", met)


def _roll(session: Session, version: int, tally: Tally) -> Usage:
    """Publishes a version and waits until it alone is served."""
    session.publish(version)
    end = time.monotonic() + PATIENCE
    state = ""
    while time.monotonic() < end:
        try:
            states = session.server.states()
        except OSError as error:
            tally.add(f"rollouts/{version}", [Fault("dead", repr(error))])
            break
        state = states.get(version, "")
        others = {s for v, s in states.items() if v < version}
        if state == "AVAILABLE" and others <= {"END"}:
            break
        time.sleep(0.1)
    else:
        fault = Fault("wrong", f"version {version} is {state or 'not seen'}")
        tally.add(f"rollouts/{version}", [fault])
    shutil.rmtree(session.models / str(version - KEPT - 1), ignore_errors=True)
    return session.server.usage()
