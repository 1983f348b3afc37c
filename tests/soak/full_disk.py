"""Every command that writes meets a full disk, at many places."""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.soak import commands, contents, kills, lanes, namespaces
from tests.soak.bench import Bench, Case
from tests.soak.commands import Command
from tests.soak.contents import State
from tests.soak.lanes import Scenario
from tests.soak.outcome import Fault, Outcome, Tally

SIZES = 20
"""Of the disk, for each command."""

ENOUGH = 512 << 20
PAGE = 4096


def run(bench: Bench) -> Iterator[Outcome]:
    """Yields a row for each command."""
    bench.say("full disks")
    reason = namespaces.refused(bench.folder / "disk" / "try")
    if reason:
        yield Outcome("a full disk", 0, skipped=reason)
        return
    training = commands.train(bench.material)
    for command in (training, *commands.writing(bench.material)):
        yield _filled(bench, command, bench.count(SIZES, 2))


def _filled(bench: Bench, command: Command, sizes: int) -> Outcome:
    bench.say(f"full disk: {command.name}")
    _, old, new = kills.reference(bench, command, "disk")
    place = bench.folder / "disk" / command.name
    command.fill(place / "before", bench.material)
    before = (place / "before").rglob("*")
    least = _bytes(place / "before", map(str, before)) + PAGE
    changed = [path for path in new if new[path] != old.get(path)]
    # A file is written beside the one that it takes the place of.
    most = least + _bytes(place / "undisturbed", changed) + 16 * PAGE
    tally = Tally(f"`lgn {command.name}` on a disk too small", bench.seed)
    full = 0

    def case(number: int) -> Scenario[Case]:
        nonlocal full
        name = f"disk/{command.name}/{number}"
        folder = bench.folder / name
        folder.mkdir(parents=True)
        kept = folder.with_name(f"{number} kept")
        numbers = bench.random(name)
        # Evenly over the sizes, so that each stretch has its turn.
        share = (number + numbers.uniform()) / sizes
        size = int(least + share * (most - least))
        size = -(-size // PAGE) * PAGE

        def work() -> tuple[bool, list[Fault]]:
            namespaces.mount_memory(folder, size)
            found = lanes.alone(_tried(command, folder, bench, old, new))
            if found[1] and bench.keep:
                # The disk goes with the process.
                shutil.copytree(folder, kept)
            return found

        met, faults = yield from namespaces.inside(work, folder)
        full += met
        folder.rmdir()
        return Case(f"{name} of {size:,} bytes", faults, kept)

    bench.tally(tally, map(case, range(sizes)))
    return tally.outcome(f"{full} of them full; {least:,} to {most:,} bytes")


def _tried(
    command: Command, folder: Path, bench: Bench, old: State, new: State
) -> Scenario[tuple[bool, list[Fault]]]:
    """Runs a command on a small disk, and once more with space.

    Returns:
        Whether the disk was too small, and the faults.
    """
    command.fill(folder, bench.material)
    (ended,) = yield [command.job(folder)]
    faults = list(commands.bad_end(ended, (0, 2)))
    if ended.status == 0 and not faults:
        return False, list(commands.differences(contents.state(folder), new))
    now = contents.state(folder)
    faults += commands.torn(command, folder, now, old, new)
    namespaces.resize_memory(folder, ENOUGH)
    again = (folder / "runs/a").is_dir()
    (ended,) = yield [command.job(folder, again)]
    faults += commands.bad_end(ended, (0,))
    faults += commands.differences(contents.state(folder), new)
    return True, faults


def _bytes(folder: Path, paths: Iterable[str]) -> int:
    """Returns the size of some files on a disk of pages."""
    found = [folder / path for path in paths]
    return sum(
        -(-path.stat().st_size // PAGE) * PAGE
        for path in found
        if path.is_file()
    )
