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
    runs = _Runs(bench)
    tally = Tally(
        "`train.py` killed, resumed and killed until its end", bench.seed
    )
    bench.tally(tally, runs.until(bench.count(KILLS, 4)))
    numbers = (
        f"{tally.count} runs; {runs.whole.seconds:.1f} s undisturbed, "
        f"{runs.whole.points} crash points"
    )
    tally.count = runs.kills
    yield tally.outcome(numbers)


class _Runs:
    """Runs that are killed until they come to their end."""

    def __init__(self, bench: Bench) -> None:
        self.kills = 0
        self._bench = bench
        self._command = commands.train(bench.material)
        self.whole, self._old, self._new = reference(
            bench, self._command, "kills"
        )

    def until(self, kills: int) -> Iterator[Scenario[Case]]:
        """Yields runs until there were so many kills."""
        number = 0
        while self.kills < kills:
            yield self._case(number)
            number += 1

    def _case(self, number: int) -> Scenario[Case]:
        folder = self._bench.folder / "kills" / "train" / str(number)
        folder.mkdir(parents=True)
        faults: list[Fault] = []
        reached = (0, 0)
        for start in range(MOST):
            # Clock and crash points take turns.
            name = ("train", number, start, number + start)
            after, at = moment(self._bench, self.whole, name)
            again = (folder / "runs/a").is_dir()
            job = self._command.job(folder, again)
            (ended,) = yield [
                Job(job.work, folder, kill_after=after, kill_at=at)
            ]
            now = contents.state(folder)
            if not ended.killed:
                faults += commands.bad_end(ended, (0,))
                faults += commands.differences(now, self._new)
                break
            self.kills += 1
            faults += commands.torn(
                self._command, folder, now, self._old, self._new
            )
            if faults:
                break
            before, reached = reached, contents.progress(folder / SNAPSHOT)
            if reached < before:
                words = f"back from step {before} to {reached}"
                faults.append(Fault("lost", words))
        else:
            faults.append(Fault("dead", f"no end after {MOST} starts"))
        return Case(f"kills/train/{number}, start {start}", faults, folder)
