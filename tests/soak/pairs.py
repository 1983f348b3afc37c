"""Two of each command at once, with one target."""

from collections.abc import Iterator

from tests.soak import commands, contents, kills
from tests.soak.bench import Bench, Case
from tests.soak.commands import Command
from tests.soak.lanes import Ended, Job, Scenario
from tests.soak.outcome import Fault, Outcome, Tally

PAIRS = 4
"""Of each command."""

EARLY = 0.6
"""Share of the processor time of a whole run: who is refused has used less."""


def run(bench: Bench) -> Iterator[Outcome]:
    """Yields a row for each command."""
    training = commands.train(bench.material)
    for command in (training, *commands.writing(bench.material)):
        yield _paired(bench, command, bench.count(PAIRS, 2))


def _paired(bench: Bench, command: Command, pairs: int) -> Outcome:
    bench.say(f"pairs: {command.name}")
    whole, old, new = kills.reference(bench, command, "pairs")
    tally = Tally(f"two `lgn {command.name}` at once", bench.seed)
    refused = 0

    def case(number: int) -> Scenario[Case]:
        nonlocal refused
        name = f"pairs/{command.name}/{number}"
        folder = bench.folder / name
        command.fill(folder, bench.material)
        # At the same time, and each later by a part of the work.
        delay = bench.random(name).uniform(0, 0.7) * whole.seconds
        first = command.job(folder)
        ends = yield [
            first,
            Job(first.work, folder, start_after=(number % 2) * float(delay)),
        ]
        faults = [f for end in ends for f in commands.bad_end(end, (0, 2))]
        late = [end for end in ends if end.status == 2]
        refused += len(late)
        if len(late) == len(ends):
            faults.append(Fault("wrong", "both were refused"))
        faults += [f for end in late for f in _too_late(end, whole)]
        now = contents.state(folder)
        faults += commands.torn(command, folder, now, old, new)
        faults += commands.differences(now, new)
        return Case(
            f"{name}, {(number % 2) * delay:.2f} s apart", faults, folder
        )

    # Both share the cores of one lane.
    bench.tally(tally, map(case, range(pairs)), lanes_at_once=1)
    return tally.outcome(
        f"{refused} of {2 * pairs} refused",
        "0, 0, 0; refused before the work",
    )


def _too_late(end: Ended, whole: Ended) -> Iterator[Fault]:
    """Yields a fault where a process worked before it was refused.

    A second that starts the framework is not counted.
    """
    if end.cpu > EARLY * whole.cpu + 1:
        yield Fault(
            "wrong",
            f"refused after {end.cpu:.1f} of {whole.cpu:.1f} s of work: "
            f"{end.error.strip()[:200]}",
        )
