"""Malformed requests of every kind, and valid ones beside them."""

import time
from collections.abc import Iterator

from tests.soak.bench import Bench
from tests.soak.outcome import Fault, Kind, Outcome, Tally
from tests.soak.serving import session as sessions
from tests.soak.serving.session import Session

REST, GRPC = 10_000, 5_000


def run(bench: Bench) -> Iterator[Outcome]:
    """Yields a row for each protocol, and one for the valid requests."""
    with Session(bench, "requests") as session:
        quiet = session.quiet(max(3.0, 15 * bench.scale))
        before = session.server.usage()
        load = session.load("beside")
        peak = before.memory
        for name, count in (("rest", REST), ("grpc", GRPC)):
            bench.say(f"malformed requests: {name}")
            address = getattr(session.server, name)
            helper = session.helper(
                "attack",
                name,
                **{name: address},
                count=bench.count(count, 50),
                seed=bench.seed,
            )
            end = time.monotonic() + 900
            while helper.running() and time.monotonic() < end:
                peak = max(peak, session.server.usage().memory)
                time.sleep(0.5)
            found = helper.result(1)
            tally = Tally(f"malformed requests over {name.upper()}", bench.seed)
            tally.add("", [], found["count"])
            kinds: tuple[Kind, ...] = ("wrong", "dead")
            for kind in kinds:
                for _ in range(found["faults"].get(kind, 0)):
                    fault = Fault(kind, found["first"][kind])
                    tally.add(f"requests/{name}", [fault], 0)
            tally.add(f"requests/{name}", sessions.dead(session.server), 0)
            yield tally.outcome(_answers(found["answers"]))
        valid = load.result(120, stop=True)
        tally = Tally("valid requests beside them", bench.seed)
        faults = sessions.load_faults(valid)
        tally.add("requests/valid", faults, len(valid["times"]))
        words, met = sessions.ratio(valid["times"], quiet)
        words += f"; server {before.memory:.0f} MB, at most {peak:.0f} MB"
        yield tally.outcome(words, "0, 0, 0; p99 ratio < 5", met)


def _answers(found: dict[str, int]) -> str:
    most = sorted(found.items(), key=lambda each: -each[1])
    return ", ".join(f"{answer} {count}" for answer, count in most[:6])
