"""Every command that writes is killed, and started again."""

from collections.abc import Iterator, Sequence

from tests.soak import bench as benches
from tests.soak import commands, contents
from tests.soak.bench import Bench, Case
from tests.soak.commands import Command
from tests.soak.contents import State
from tests.soak.lanes import Ended, Job, Scenario
from tests.soak.outcome import Fault, Outcome, Tally

KILLS = 50
"""Of each command."""


def run(bench: Bench) -> Iterator[Outcome]:
    """Yields a row for each command."""
    for command in commands.writing(bench.material):
        # Commands that change little have a share of the kills.
        kills = KILLS // 2 if command.name.startswith("prepare") else KILLS
        yield _killed(bench, command, bench.count(kills, 2))


def reference(
    bench: Bench, command: Command, theme: str
) -> tuple[Ended, State, State]:
    """Runs a command undisturbed.

    Returns:
        Its end, and what lay there before and after.
    """
    folder = bench.folder / theme / command.name / "undisturbed"
    command.fill(folder, bench.material)
    old = contents.state(folder)
    ended = benches.must(command.job(folder))
    return ended, old, contents.state(folder)


def moment(
    bench: Bench, whole: Ended, name: Sequence[object]
) -> tuple[float | None, int | None]:
    """Draws when a process is killed: by the clock, or at a crash point.

    Args:
        bench: of the run.
        whole: the undisturbed process.
        name: of the case; its number is the last.
    """
    numbers = bench.random(*name)
    if int(str(name[-1])) % 2 and whole.points:
        return None, int(numbers.integers(whole.points))
    return float(numbers.uniform(0, whole.seconds)), None


def _killed(bench: Bench, command: Command, kills: int) -> Outcome:
    bench.say(f"kills: {command.name}")
    whole, old, new = reference(bench, command, "kills")
    tally = Tally(
        f"`lgn {command.name}` killed, then started again", bench.seed
    )
    stopped: list[int] = []

    def case(number: int) -> Scenario[Case]:
        name = ("kills", command.name, number)
        folder = bench.folder.joinpath(*map(str, name))
        command.fill(folder, bench.material)
        after, at = moment(bench, whole, name)
        job = command.job(folder)
        (ended,) = yield [Job(job.work, folder, kill_after=after, kill_at=at)]
        faults: list[Fault] = []
        if ended.killed:
            stopped.append(number)
            now = contents.state(folder)
            faults += commands.torn(command, folder, now, old, new)
            refused = bool(command.once) and command.once in now
            (ended,) = yield [command.job(folder, again=True)]
            faults += commands.bad_end(ended, (2,) if refused else (0,))
        else:
            faults += commands.bad_end(ended, (0,))
        faults += commands.differences(contents.state(folder), new)
        when = f"{after:.3f} s" if after is not None else f"call {at}"
        return Case(f"{'/'.join(map(str, name))} at {when}", faults, folder)

    bench.tally(tally, map(case, range(kills)))
    numbers = (
        f"{len(stopped)} died of it; {whole.seconds:.1f} s undisturbed, "
        f"{whole.points} crash points"
    )
    return tally.outcome(numbers)
