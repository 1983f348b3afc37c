"""Slow, silent and costly connections, and valid requests beside them."""

import time
from collections.abc import Iterator

from tests.soak.bench import Bench
from tests.soak.outcome import Outcome, Tally
from tests.soak.serving import session as sessions
from tests.soak.serving.session import Session

KINDS = {
    "headers": ("that send headers byte by byte", 60),
    "bodies": ("that send a body byte by byte", 60),
    "silent": ("that say nothing", 100),
    "announced": ("that announce 64 MB and stay idle", 8),
    "chunks": ("that send a body in chunks of one byte", 4),
    "fields": ("of gRPC that send millions of empty fields", 2),
    "streams": ("of gRPC whose message never comes", 70),
}
"""In words, and how many at once."""

SECONDS = 15.0


def run(bench: Bench) -> Iterator[Outcome]:
    """Yields a row for each kind."""
    with Session(bench, "connections") as session:
        seconds = max(3.0, SECONDS * bench.scale)
        quiet = session.quiet(seconds)
        for kind, (words, count) in KINDS.items():
            bench.say(f"connections {words}")
            before = session.server.usage()
            slow = session.helper(
                "slow",
                kind,
                rest=session.server.rest,
                grpc=session.server.grpc,
                kind=kind,
                count=count,
            )
            # It has to import and connect first.
            time.sleep(3)
            load = session.load(f"beside {kind}", seconds=seconds)
            valid = load.result(seconds + 120)
            during = session.server.usage()
            slow.result(30, stop=True)
            tally = Tally(
                f"valid requests beside {count} connections {words}", bench.seed
            )
            faults = [
                *sessions.load_faults(valid),
                *sessions.dead(session.server),
            ]
            tally.add(f"connections/{kind}", faults, len(valid["times"]))
            measured, met = sessions.ratio(valid["times"], quiet)
            measured += f"; {during.memory - before.memory:+.0f} MB"
            yield tally.outcome(measured, "0, 0, 0; p99 ratio < 5", met)
