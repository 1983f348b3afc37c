"""Small files that are large pictures."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tests.soak.bench import Bench
from tests.soak.outcome import Outcome, Tally
from tests.soak.serving import session as sessions
from tests.soak.serving.processes import Helper
from tests.soak.serving.session import Session

FILES, SIDE = 12, 4096
CLIENTS = 4

MOST_GROWTH = 1500.0
"""MB that the server may take beside."""


def bomb(numbers: np.random.Generator) -> bytes:
    """Returns a PNG of 4096 x 4096 pixels and some 330 KB."""
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    # Few pixels differ: they make the size of the file.
    count = 30_000
    rows, columns = numbers.integers(0, SIDE, (2, count))
    picture[rows, columns] = numbers.integers(0, 256, (count, 3))
    return bytes(cv2.imencode(".png", picture)[1].tobytes())


def write(path: Path, seed: int) -> int:
    """Writes the file for `bombs`; returns its size."""
    contents = bomb(np.random.default_rng(seed))
    path.write_bytes(contents)
    return len(contents)


def run(bench: Bench) -> Iterator[Outcome]:
    """Yields one row."""
    bench.say("picture bombs")
    with Session(bench, "pictures") as session:
        quiet = session.quiet(max(3.0, 10 * bench.scale))
        file = session.folder / "bomb.png"
        size = write(file, bench.seed)
        before = session.server.usage().memory
        load = session.load("beside")
        bombs = start(session, file, bench.count(3, 1))
        found, peak = _watched(session, bombs)
        valid = load.result(120, stop=True)
        after = session.server.usage().memory
        faults = [
            *sessions.load_faults(valid),
            *sessions.dead(session.server),
        ]
    tally = Tally(
        f"{CLIENTS} clients with {FILES} PNGs of 4096 x 4096, "
        f"{size // 1000} KB each",
        bench.seed,
    )
    tally.add("pictures", faults, found["count"])
    words, met = sessions.ratio(valid["times"], quiet)
    words += (
        f"; {before:.0f} MB before, {peak:.0f} MB at most, {after:.0f} MB "
        f"after; answers {found['answers']}"
    )
    met = met and peak - before < MOST_GROWTH
    goal = f"0, 0, 0; p99 ratio < 5; < {MOST_GROWTH:.0f} MB more"
    yield tally.outcome(words, goal, met)


def start(session: Session, file: Path, rounds: int) -> Helper:
    """Starts to send requests of `FILES` such pictures, from `CLIENTS`."""
    return session.helper(
        "bombs",
        "bombs",
        rest=session.server.rest,
        grpc=session.server.grpc,
        file=file,
        clients=CLIENTS,
        rounds=rounds,
    )


def _watched(session: Session, bombs: Helper) -> tuple[dict[str, Any], float]:
    """Returns what was answered, and the largest size meanwhile in MB."""
    peak = 0.0
    end = time.monotonic() + 600
    while bombs.running() and time.monotonic() < end:
        peak = max(peak, session.server.usage().memory)
        time.sleep(0.05)
    return bombs.result(1), peak
