"""A training run is killed again and again until it comes to its end."""

from collections.abc import Iterator

from tests.soak import commands, contents
from tests.soak.bench import Bench, Case
from tests.soak.kills import moment, reference
from tests.soak.lanes import Job, Scenario
from tests.soak.outcome import Fault, Outcome, Tally

KILLS = 200
SNAPSHOT = "runs/a/snapshot.npz"
MOST = 40
"""Starts of one run: more would be no progress."""


def run(bench: Bench) -> Iterator[Outcome]:
    """Yields one row."""
    bench.say("kills: train")
    command = commands.train(bench.material)
    whole, old, new = reference(bench, command, "kills")
    tally = Tally(
        "`train.py` killed, resumed and killed until its end", bench.seed
    )
    wanted, kills = bench.count(KILLS, 4), 0

    def case(number: int) -> Scenario[Case]:
        nonlocal kills
        folder = bench.folder / "kills" / "train" / str(number)
        folder.mkdir(parents=True)
        faults: list[Fault] = []
        reached = (0, 0)
        for start in range(MOST):
            after, at = moment(
                bench, whole, ("train", number, start, number + start)
            )
            again = (folder / "runs/a").is_dir()
            job = command.job(folder, again)
            (ended,) = yield [
                Job(job.work, folder, kill_after=after, kill_at=at)
            ]
            now = contents.state(folder)
            if not ended.killed:
                faults += commands.bad_end(ended, (0,))
                faults += commands.differences(now, new)
                break
            kills += 1
            faults += commands.torn(command, folder, now, old, new)
            if faults:
                break
            before, reached = reached, contents.progress(folder / SNAPSHOT)
            if reached < before:
                faults.append(
                    Fault("lost", f"back from step {before} to {reached}")
                )
        else:
            faults.append(Fault("dead", f"no end after {MOST} starts"))
        return Case(f"kills/train/{number}, start {start}", faults, folder)

    def cases() -> Iterator[Scenario[Case]]:
        number = 0
        while kills < wanted:
            yield case(number)
            number += 1

    bench.tally(tally, cases())
    numbers = (
        f"{tally.count} runs; {whole.seconds:.1f} s undisturbed, "
        f"{whole.points} crash points"
    )
    tally.count = kills
    yield tally.outcome(numbers)
