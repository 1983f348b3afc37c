"""Damaged and hostile files, and hard names: one line, little memory."""

import dataclasses
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.soak import commands, damage
from tests.soak.bench import Bench, Case
from tests.soak.lanes import Job, Scenario
from tests.soak.outcome import Fault, Outcome, Tally

MOST_MEMORY = 1200.0
"""MB of one command; an undisturbed one takes up to 700."""

MOST_SECONDS = 60.0

Arguments = tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Trial:
    """A damaged file and a command that reads it.

    Attributes:
        path: of the file, in the folder of the case.
        way: how it is damaged, for the table.
        damage: does it.
        arguments: of the command.
        needed: whether the command cannot do without the file.
    """

    path: str
    way: str
    damage: damage.Way
    arguments: Arguments
    needed: bool = True


EVALUATE = ("evaluate", "runs/a", "--no-gamma-sweep", "--out", "out")
SCORE = ("score", "runs/a", "data/Test/Test001", "--out", "out")
EXPORT = ("export", "--run", "runs/a", "--out", "out", "--warm-up-batches", "1")
REPORT = ("report", "runs/a")
RESUME = ("train", "--resume", "runs/a")
BULK = ("bulk-score", "runs/a", "store", "--gamma", "0", "--out", "out")
PREPARE = ("prepare", "--data-root", "data", "--out", "store", *commands.SIZE)
CHECK = (*PREPARE, "--check")
VERIFY = ("verify", "--data-root", "data")
SERVED = ("check-served", "runs/a", "models")
CONVERT = (
    *("convert", "weights/model.npz", "weights/keys.npz", "out"),
    *("--image-size", "16", "24"),
)
FRAME = "data/Test/Test001/005.tif"

FILES: tuple[
    tuple[str, dict[str, damage.Way], tuple[Arguments, ...], bool], ...
] = (
    (
        "runs/a/config.json",
        damage.JSON,
        (EVALUATE, SCORE, EXPORT, RESUME, BULK),
        True,
    ),
    ("runs/a/config.json", damage.JSON, (REPORT,), False),
    (
        "runs/a/model.weights.h5",
        damage.WEIGHTS,
        (EVALUATE, SCORE, EXPORT, BULK),
        True,
    ),
    ("runs/a/calibration.npz", damage.ARRAYS, (SCORE, EXPORT, BULK), False),
    ("runs/a/snapshot.npz", damage.ARRAYS, (RESUME,), False),
    ("runs/a/log.csv", damage.TABLE, (REPORT, RESUME), False),
    ("runs/a/environment.json", damage.JSON, (REPORT, RESUME), False),
    ("runs/a/evaluation/results.json", damage.JSON, (REPORT,), True),
    ("runs/a/evaluation/results.json", damage.JSON, (SERVED,), False),
    (
        "runs/a/evaluation/maps/Test001.npz",
        damage.ARRAYS,
        (REPORT, SERVED),
        False,
    ),
    (
        "runs/a/evaluation/frames/Test001.csv",
        damage.TABLE,
        (REPORT, SERVED),
        False,
    ),
    ("store/manifest.json", damage.JSON, (CHECK, BULK), True),
    ("store/manifest.json", damage.JSON, (PREPARE,), False),
    ("store/test/Test001.frames", damage.ANY, (BULK,), True),
    ("store/test/Test001.frames", damage.ANY, (PREPARE,), False),
    ("weights/model.npz", damage.ARRAYS, (CONVERT,), True),
    ("weights/keys.npz", damage.ARRAYS, (CONVERT,), True),
    ("models/1/saved_model.pb", damage.ANY, (SERVED,), True),
    ("models/1/variables/variables.index", damage.ANY, (SERVED,), True),
    (FRAME, damage.PICTURE, (PREPARE, SCORE), True),
    (FRAME, damage.PICTURE, (VERIFY,), False),
    ("data/kinds.csv", damage.TABLE, (EVALUATE, VERIFY), False),
)
"""A file, its damages, the commands that read it, and if they need it."""


def _trials() -> Iterator[Trial]:
    for path, ways, readers, needed in FILES:
        for way, harm in ways.items():
            for arguments in readers:
                yield Trial(path, way, harm, arguments, needed)


NAMED: tuple[Arguments, ...] = (
    ("score", "runs/a", "data/Test/Test001", "--out", "@"),
    ("score", "runs/@", "data/Test/Test001"),
    ("score", "runs/a", "data/Test/@"),
    ("report", "runs/@"),
    ("evaluate", "runs/@", "--no-gamma-sweep"),
    ("prepare", "--data-root", "data", "--out", "@", *commands.SIZE),
    ("prepare", "--data-root", "named", "--out", "new", *commands.SIZE),
    (*BULK[:-1], "@"),
    ("synthesize", "--out", "@", *commands.DRAWN),
    ("score", "runs/no such @", "data/Test/Test001"),
)
"""Commands; `@` is a name of `damage.NAMES`."""


def run(bench: Bench) -> Iterator[Outcome]:
    """Yields a row for damaged files and one for names."""
    bench.say("hostile files")
    trials = list(_trials())
    chosen = _some(bench, trials, "files")
    tally = Tally("commands that read a damaged or hostile file", bench.seed)
    peaks: list[float] = []
    bench.tally(
        tally,
        (_damaged(bench, n, trials[n], peaks) for n in chosen),
    )
    goal = f"0, 0, 0; < {MOST_MEMORY:.0f} MB, < {MOST_SECONDS:.0f} s"
    yield tally.outcome(f"at most {max(peaks):.0f} MB", goal)
    bench.say("hard names")
    named = [(way, each) for way in damage.NAMES for each in NAMED]
    chosen = _some(bench, named, "names")
    tally = Tally("commands and names that are hard to live with", bench.seed)
    bench.tally(tally, (_named(bench, n, *named[n], peaks) for n in chosen))
    yield tally.outcome(f"at most {max(peaks):.0f} MB", goal)


def _some(bench: Bench, every: Sequence[object], name: str) -> list[int]:
    """Returns the numbers of the trials that this scale has time for."""
    count = min(len(every), bench.count(len(every), 6))
    drawn = bench.random("hostile", name).permutation(len(every))[:count]
    return sorted(int(each) for each in drawn)


def _fill(folder: Path, bench: Bench) -> None:
    folder.mkdir(parents=True)
    for source, target in (
        *(("evaluated", "runs/a"), ("stores", "stores"), ("store", "store")),
        *(("models", "models"), ("data", "data"), ("weights", "weights")),
    ):
        shutil.copytree(bench.material / source, folder / target)


def _damaged(
    bench: Bench, number: int, trial: Trial, peaks: list[float]
) -> Scenario[Case]:
    folder = bench.folder / "hostile" / str(number)
    _fill(folder, bench)
    trial.damage(folder / trial.path)
    job = commands.lgn(folder, *trial.arguments)
    (ended,) = yield [dataclasses.replace(job, seconds=MOST_SECONDS)]
    allowed = (2,) if trial.needed else (0, 2)
    faults = [*commands.bad_end(ended, allowed), *_too_large(ended.peak)]
    peaks.append(ended.peak)
    name = f"hostile: `lgn {trial.arguments[0]}`, {trial.path} is {trial.way}"
    return Case(name, faults, folder)


def _named(
    bench: Bench,
    number: int,
    way: str,
    arguments: Arguments,
    peaks: list[float],
) -> Scenario[Case]:
    folder = bench.folder / "names" / str(number)
    _fill(folder, bench)
    name = damage.NAMES[way]
    (folder / "runs" / name).symlink_to("a")
    (folder / "named/Train").mkdir(parents=True)
    shutil.copytree(
        folder / "data/Train/Train001", folder / "named/Train" / name
    )
    if "data/Test/@" in arguments:
        shutil.copytree(
            folder / "data/Test/Test001", folder / "data/Test" / name
        )
    job: Job = commands.lgn(
        folder, *(each.replace("@", name) for each in arguments)
    )
    (ended,) = yield [dataclasses.replace(job, seconds=MOST_SECONDS)]
    faults = [*commands.bad_end(ended, (0, 2)), *_too_large(ended.peak)]
    peaks.append(ended.peak)
    words = " ".join(arguments[:4])
    return Case(f"names: `lgn {words}`, @ is {way}", faults, folder)


def _too_large(peak: float) -> Iterator[Fault]:
    if peak > MOST_MEMORY:
        yield Fault("wrong", f"took {peak:.0f} MB")
