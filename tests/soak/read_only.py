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


def _trials(data: str) -> Iterator[Trial]:
    run, size = ("runs/a",), commands.SIZE
    evaluate = ("evaluate", "runs/a", "--no-gamma-sweep", "--out")
    score = ("score", "runs/a", f"{data}/Test", "--out")
    export = ("export", "--run", "runs/a", "--warm-up-batches", "1", "--out")
    bulk = ("bulk-score", "runs/a", "store", "--gamma", "0", "--out")
    prepare = ("prepare", "--data-root", "data", *size, "--out")
    weights = (f"{data}/../weights/model.npz", f"{data}/../weights/keys.npz")
    train = (*commands.TRAIN, "--data-root", data, "--runs")
    for name, closed, *arguments in (
        ("score of a run", run, (*score, "out")),
        ("evaluate of a run", run, (*evaluate, "out")),
        ("evaluate of run and store", ("runs", "stores"), (*evaluate, "out")),
        (
            "two evaluate of a store at once",
            ("stores",),
            (*evaluate, "out"),
            (*evaluate, "other"),
        ),
        (
            "train and evaluate of a store at once",
            ("stores",),
            (*train, "new"),
            (*evaluate, "out"),
        ),
        (
            "evaluate without a store",
            (*run, "stores"),
            (*evaluate, "out", "--no-store"),
        ),
        ("report of a run", run, ("report", "runs/a", "--out", "page.html")),
        ("export of a run", run, (*export, "out")),
        ("bulk-score of run and store", (*run, "store"), (*bulk, "out")),
        ("verify of a data set", ("data",), ("verify", "--data-root", "data")),
        ("prepare of a data set", ("data",), (*prepare, "out")),
        (
            "prepare --check of a store",
            ("store",),
            (*prepare, "store", "--check"),
        ),
        (
            "check-served of run and models",
            ("runs", "stores", "models"),
            ("check-served", "runs/a", "models"),
        ),
    ):
        yield Trial(name, closed, tuple(arguments), works=True)
    for name, closed, arguments in (
        ("train into", ("runs",), (*train, "runs")),
        ("train --resume in", ("runs",), ("train", "--resume", "runs/a")),
        ("prepare into", ("store",), (*prepare, "store", "--motion")),
        (
            "prepare another size into",
            ("store",),
            (
                "prepare",
                "--data-root",
                data,
                "--out",
                "store",
                "--image-size",
                "16",
                "16",
            ),
        ),
        ("evaluate into", ("runs",), ("evaluate", "runs/a")),
        ("score into", ("runs",), score[:-1]),
        ("report into", ("runs",), ("report", "runs/a")),
        ("export into", ("models",), (*export, "models")),
        ("bulk-score into", ("scores",), (*bulk, "scores")),
        (
            "convert into",
            ("runs",),
            ("convert", *weights, "runs/b", "--image-size", "16", "24"),
        ),
        (
            "synthesize into",
            ("runs",),
            ("synthesize", "--out", "runs/drawn", *commands.DRAWN),
        ),
    ):
        yield Trial(name, closed, (arguments,), works=False)


def run(bench: Bench) -> Iterator[Outcome]:
    """Yields two rows: for what reads, and for what writes."""
    bench.say("read-only places")
    reason = namespaces.refused(bench.folder / "read-only" / "try")
    if reason:
        yield Outcome("read-only places", 0, skipped=reason)
        return
    trials = list(_trials(f"{bench.material}/data"))
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
