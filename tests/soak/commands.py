"""The commands that write: their arguments, what they read and publish."""

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from tests.soak.contents import FOLDER, State, unreadable
from tests.soak.lanes import Ended, Job
from tests.soak.outcome import Fault


@dataclasses.dataclass(frozen=True)
class Command:
    """A command and a folder that it is run in.

    Attributes:
        name: for the table.
        arguments: of `lgn`; paths are relative to the folder.
        brings: what is copied into the folder before, from the material:
            (from, to).
        again: the arguments of a second start, where they differ.
        changing: published files that have other states on the way: they must
            be readable; all others are the old ones or the new.
        whole: published folders that appear as a whole.
        once: a path that a second start refuses to write again.
    """

    name: str
    arguments: tuple[str, ...]
    brings: tuple[tuple[str, str], ...] = ()
    again: tuple[str, ...] = ()
    changing: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()
    once: str = ""

    def fill(self, folder: Path, material: Path) -> None:
        """Makes the folder, with copies of what the command reads."""
        folder.mkdir(parents=True, exist_ok=True)
        for source, target in self.brings:
            place = folder / target
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(material / source, place, dirs_exist_ok=True)

    def job(self, folder: Path, again: bool = False) -> Job:
        """Returns the command as a job."""
        arguments = self.again if again and self.again else self.arguments
        return Job(lambda: _main(arguments), folder)


def _main(arguments: tuple[str, ...]) -> int:
    from lgn_tf.cli import main

    return main.main(list(arguments))


def lgn(folder: Path, *arguments: str) -> Job:
    """Returns any command as a job."""
    return Job(lambda: _main(arguments), folder)


SIZE = ("--image-size", "32", "32")

TRAIN = (
    *("train", "--dataset", "folder", "--name", "a", *SIZE),
    *("--variant", "glo_net", "--channels", "1", "--width", "0.0625"),
    *("--memory-items", "4", "--frames", "2", "--epochs", "2"),
    *("--batch-size", "8", "--strategy", "single", "--save-every", "1e-9"),
    *("--holdout", "1"),
)
"""A run of two epochs that has every file of a run, with a snapshot a step."""


def train(material: Path) -> Command:
    """Returns the training, which has a theme of its own."""
    return Command(
        "train",
        (*TRAIN, "--data-root", f"{material}/data"),
        again=("train", "--resume", "runs/a"),
        changing=("runs/a/*", "stores/*/manifest.json", "stores/*/*/*"),
    )


_RUN = (("run", "runs/a"), ("stores", "stores"))


def writing(material: Path) -> list[Command]:
    """Returns all other commands that write."""
    return [*_of_data(material), *_of_runs(material), _convert(material)]


def _of_data(material: Path) -> list[Command]:
    data = f"{material}/data"
    prepare = ("prepare", "--data-root", data, "--out", "store", *SIZE)
    changing = ("store/manifest.json", "store/*/*")
    return [
        Command("prepare", (*prepare, "--motion"), changing=changing),
        Command(
            "prepare, another size",
            prepare,
            brings=(("store of another size", "store"),),
            changing=changing,
        ),
        Command(
            "synthesize",
            ("synthesize", "--out", "drawn", *DRAWN),
            whole=("drawn",),
            once="drawn",
        ),
    ]


def _of_runs(material: Path) -> list[Command]:
    test = f"{material}/data/Test"
    return [
        Command(
            "evaluate",
            ("evaluate", "runs/a"),
            brings=_RUN,
            whole=("runs/a/evaluation",),
        ),
        Command(
            "score",
            ("score", "runs/a", test, "--out", "scores"),
            brings=(*_RUN, ("old scores", "scores")),
        ),
        Command(
            "export",
            _export("--version", "2"),
            brings=(*_RUN, ("models", "models")),
            whole=("models/2",),
            once="models/2",
        ),
        Command("report", ("report", "runs/a"), (("evaluated", "runs/a"),)),
        Command(
            "bulk-score",
            ("bulk-score", "runs/a", "store", "--out", "bulk", "--gamma", "0"),
            brings=(*_RUN, ("store", "store")),
        ),
    ]


def _convert(material: Path) -> Command:
    return Command(
        "convert",
        (
            *("convert", f"{material}/weights/model.npz"),
            *(f"{material}/weights/keys.npz", "converted", "--image-size"),
            *("16", "24"),
        ),
        whole=("converted",),
        once="converted",
    )


DRAWN = ("--train", "2", "--test", "2", "--frames", "30")
"""How much is drawn."""


def _export(*more: str) -> tuple[str, ...]:
    return (
        *("export", "--run", "runs/a", "--out", "models"),
        *("--warm-up-batches", "1", *more),
    )


EXPORT = _export()


def hidden(path: str) -> bool:
    """Returns whether a path is none of those that a command publishes."""
    return any(
        part.startswith(".") or part.endswith(".partial")
        for part in PurePosixPath(path).parts
    )


def torn(
    command: Command, root: Path, now: State, old: State, new: State
) -> Iterator[Fault]:
    """Yields what a stopped command has left torn or lost.

    Args:
        command: that was stopped.
        root: its folder.
        now: what lies there.
        old: what lay there before.
        new: what an uninterrupted command leaves there.
    """
    for path, found in now.items():
        wanted = {old.get(path), new.get(path)}
        if hidden(path) or found in wanted or found == FOLDER:
            continue
        if any(PurePosixPath(path).match(each) for each in command.changing):
            reason = unreadable(root / path)
            if reason is not None:
                yield Fault("lost", f"cannot be read: {reason}")
        else:
            yield Fault("lost", f"neither the old file nor the new: {path}")
    for path in old:
        if path in new and path not in now:
            yield Fault("lost", f"gone: {path}")
    for folder in command.whole:
        sides = [_below(folder, each) for each in (now, old, new)]
        if sides[0] not in sides[1:]:
            yield Fault("lost", f"half of a folder: {folder}")


def _below(folder: str, found: State) -> dict[str, str]:
    return {
        path: value
        for path, value in found.items()
        if path == folder or path.startswith(f"{folder}/")
    }


def differences(now: State, new: State) -> Iterator[Fault]:
    """Yields what an uninterrupted command would have left otherwise."""
    kinds = {
        "left over": [path for path in now if path not in new],
        "missing": [path for path in new if path not in now],
        "other bytes": [p for p in now if p in new and now[p] != new[p]],
    }
    for words, paths in kinds.items():
        if paths:
            yield Fault("wrong", f"{words}: {', '.join(sorted(paths)[:4])}")


def bad_end(ended: Ended, allowed: tuple[int, ...]) -> Iterator[Fault]:
    """Yields what is wrong with the way in which a command ended.

    A refusal is status 2 and one line on standard error.

    Args:
        ended: the process.
        allowed: exit statuses.
    """
    last = ended.lines[-1][:300] if ended.lines else ""
    if ended.hung:
        yield Fault("dead", f"hung for {ended.seconds:.0f} s")
    elif ended.status < 0:
        yield Fault("dead", f"died of signal {-ended.status}: {last}")
    elif ended.status not in allowed:
        yield Fault("wrong", f"exit status {ended.status}: {last}")
    if ended.status == 2 and len(ended.lines) != 1:
        yield Fault("wrong", f"{len(ended.lines)} lines on stderr: {last}")
    if ended.status == 0 and ended.lines:
        yield Fault("wrong", f"words on stderr: {last}")
