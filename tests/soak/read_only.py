"""Places that cannot be written: what only reads works, all else says so."""

import dataclasses
import shutil
from collections.abc import Iterator

from tests.soak import commands, contents, namespaces
from tests.soak.bench import Bench, Case
from tests.soak.lanes import Scenario, alone
from tests.soak.outcome import Fault, Outcome, Tally


@dataclasses.dataclass(frozen=True)
class Trial:
    """Commands beside a place that is read-only.

    Attributes:
        name: for the table.
        closed: folders that cannot be written.
        commands: arguments of commands that run at once.
        works: whether they succeed; otherwise each says in a line why not.
    """

    name: str
    closed: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...]
    works: bool


Arguments = tuple[str, ...]

_EVALUATE = ("evaluate", "runs/a", "--no-gamma-sweep", "--out", "out")
_ELSEWHERE = (*_EVALUATE[:-1], "other")
_SCORE = ("score", "runs/a", "data/Test", "--out", "out")
_EXPORT = ("export", "--run", "runs/a", "--warm-up-batches", "1", "--out")
_BULK = ("bulk-score", "runs/a", "store", "--gamma", "0", "--out")
_PREPARE = ("prepare", "--data-root", "data", "--image-size", "32", "32")
_SMALLER = ("prepare", "--data-root", "data", "--image-size", "16", "16")
_CONVERT = ("convert", "weights/model.npz", "weights/keys.npz")
_TRAIN = (*commands.TRAIN, "--data-root", "data", "--runs")
_RESUME = ("train", "--resume", "runs/a")

READING: dict[str, tuple[tuple[str, ...], tuple[Arguments, ...]]] = {
    "score of a run": (("runs",), (_SCORE,)),
    "evaluate of a run": (("runs",), (_EVALUATE,)),
    "evaluate of a run and a store": (("runs", "stores"), (_EVALUATE,)),
    "two evaluate of a store": (("stores",), (_EVALUATE, _ELSEWHERE)),
    "resume and evaluate of a store": (("stores",), (_RESUME, _EVALUATE)),
    "evaluate without a store": (
        ("runs", "stores", "data"),
        ((*_EVALUATE, "--no-store", "--data-root", "data"),),
    ),
    "report of a run": (("runs",), (("report", "runs/a", "--out", "a.html"),)),
    "export of a run": (("runs",), ((*_EXPORT, "out"),)),
    "bulk-score of a run and a store": (("runs", "store"), ((*_BULK, "out"),)),
    "convert of weights": (
        ("weights",),
        ((*_CONVERT, "out", "--image-size", "16", "24"),),
    ),
    "verify of a data set": (("data",), (("verify", "--data-root", "data"),)),
    "prepare of a data set": (("data",), ((*_PREPARE, "--out", "out"),)),
    "train on a data set": (("data",), ((*_TRAIN, "new"),)),
    "prepare --check of a store": (
        ("store",),
        ((*_PREPARE, "--out", "store", "--check"),),
    ),
    "check-served of a run and models": (
        ("runs", "stores", "models"),
        (("check-served", "runs/a", "models"),),
    ),
}
"""Read-only folders, and commands that succeed beside them."""

WRITING: dict[str, tuple[str, Arguments]] = {
    "train into": ("runs", (*_TRAIN, "runs")),
    "train --resume in": ("runs", _RESUME),
    "prepare into": ("old", (*_PREPARE, "--motion", "--out", "old")),
    "prepare another size into": ("store", (*_SMALLER, "--out", "store")),
    "evaluate into": ("runs", _EVALUATE[:-2]),
    "score into": ("runs", _SCORE[:-2]),
    "report into": ("runs", ("report", "runs/a")),
    "export into": ("models", (*_EXPORT, "models")),
    "bulk-score into": ("scores", (*_BULK, "scores")),
    "convert into": (
        "runs",
        (*_CONVERT, "runs/b", "--image-size", "16", "24"),
    ),
    "synthesize into": (
        "runs",
        ("synthesize", "--out", "runs/drawn", *commands.DRAWN),
    ),
}
"""A read-only folder, and a command that says that it cannot write there."""


def _trials() -> Iterator[Trial]:
    for name, (closed, several) in READING.items():
        yield Trial(name, closed, several, works=True)
    for name, (folder, one) in WRITING.items():
        yield Trial(name, (folder,), (one,), works=False)


def run(bench: Bench) -> Iterator[Outcome]:
    """Yields two rows: for what reads, and for what writes."""
    bench.say("read-only places")
    reason = namespaces.refused(bench.folder / "read-only" / "try")
    if reason:
        yield Outcome("read-only places", 0, skipped=reason)
        return
    trials = list(_trials())
    for works, words in (
        (True, "commands that read, where they cannot write"),
        (False, "commands that write, where they cannot"),
    ):
        chosen = [trial for trial in trials if trial.works == works]
        step = max(1, round(len(chosen) / bench.count(len(chosen), 3)))
        tally = Tally(words, bench.seed)
        bench.tally(tally, (_case(bench, each) for each in chosen[::step]))
        goal = "all succeed" if works else "status 2, one line"
        yield tally.outcome(goal=f"0, 0, 0; {goal}")


def _case(bench: Bench, trial: Trial) -> Scenario[Case]:
    folder = bench.folder / "read-only" / trial.name
    for source, target in (
        ("evaluated", "runs/a"),
        ("stores", "stores"),
        ("store", "store"),
        ("models", "models"),
        ("old scores", "scores"),
        ("data", "data"),
        ("weights", "weights"),
        ("store of another size", "old"),
    ):
        shutil.copytree(bench.material / source, folder / target)

    def work() -> list[Fault]:
        for closed in trial.closed:
            namespaces.make_read_only(folder / closed)
        return alone(scenario())

    def scenario() -> Scenario[list[Fault]]:
        before = {each: contents.state(folder / each) for each in trial.closed}
        ends = yield [commands.lgn(folder, *each) for each in trial.commands]
        faults = [
            fault
            for end in ends
            for fault in commands.bad_end(end, (0,) if trial.works else (2,))
        ]
        for closed, old in before.items():
            faults += commands.differences(contents.state(folder / closed), old)
        return faults

    faults = yield from namespaces.inside(work, folder)
    return Case(
        f"read-only: {trial.name} {', '.join(trial.closed)}", faults, folder
    )
