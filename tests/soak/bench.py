"""What all themes share: folders, the seed, the scale, and the material."""

import dataclasses
import os
import shutil
import sys
import time
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from tests.soak import commands, lanes
from tests.soak.lanes import Ended, Job, Scenario
from tests.soak.outcome import Fault, Tally, kept_in


@dataclasses.dataclass(frozen=True)
class Case:
    """The end of one case.

    Attributes:
        name: for the first case that is named.
        faults: that were found.
        folder: in which it happened.
    """

    name: str
    faults: Sequence[Fault]
    folder: Path | None = None


@dataclasses.dataclass(frozen=True)
class Bench:
    """The settings of a run, and its folders.

    Attributes:
        folder: everything is written below it.
        seed: of every choice.
        scale: share of the full number of cases.
        keep: whether the folder of a row's first bad case stays.
        began: moment of `time.monotonic()`.
    """

    folder: Path
    seed: int
    scale: float
    keep: bool
    began: float = dataclasses.field(default_factory=time.monotonic)

    @property
    def material(self) -> Path:
        """What the commands read; see `make_material`."""
        return self.folder / "material"

    def count(self, full: int, least: int = 1) -> int:
        """Returns the number of cases at this scale."""
        return max(least, round(full * self.scale))

    def random(self, *name: object) -> np.random.Generator:
        """Returns the generator of a case; others draw nothing from it."""
        words = "/".join(map(str, name)).encode()
        return np.random.default_rng([self.seed, zlib.crc32(words)])

    def say(self, words: str) -> None:
        """Says on standard error what is being done, and since when."""
        minutes = (time.monotonic() - self.began) / 60
        print(f"{minutes:.1f} min: {words}", file=sys.stderr, flush=True)

    def tally(
        self,
        tally: Tally,
        cases: Iterable[Scenario[Case]],
        lanes_at_once: int = lanes.LANES,
    ) -> None:
        """Runs cases and counts them; clears the folders of the good ones."""
        for case in lanes.run(cases, lanes_at_once):
            self.settle(tally, case)

    def settle(self, tally: Tally, case: Case) -> None:
        """Counts a case, and clears its folder unless it is to be looked at."""
        stays = bool(case.faults) and self.keep and not tally.first
        name = case.name + kept_in(case.folder if stays else None)
        for fault in tally.add(name, case.faults):
            self.say(f"  {case.name}: {fault.kind}: {fault.words}")
        if case.folder is not None and not stays:
            shutil.rmtree(case.folder, ignore_errors=True)


def must(job: Job) -> Ended:
    """Runs a job that cannot fail for a theme to make sense.

    Raises:
        RuntimeError: where it fails.
    """

    def scenario() -> Scenario[Ended]:
        (ended,) = yield [job]
        return ended

    ended = lanes.alone(scenario())
    if ended.status:
        raise RuntimeError(f"the material cannot be made: {ended.error}")
    return ended


def make_material(bench: Bench) -> None:
    """Makes data, a run with an old evaluation, a store, models, weights."""
    here = bench.material
    here.mkdir(parents=True)
    bench.say("material")

    def lgn(*arguments: str) -> None:
        must(commands.lgn(here, *arguments))

    lgn("synthesize", "--out", "data", *commands.DRAWN)
    must(Job(_write_authors_weights, here))
    must(commands.train(here).job(here))
    prepare = ("prepare", "--data-root", "data")
    lgn(*prepare, "--out", "store", *commands.SIZE, "--motion")
    lgn(*prepare, "--out", "store of another size", "--image-size", "24", "24")
    # The evaluation that is there before differs from the one to come.
    lgn("evaluate", "runs/a", "--no-gamma-sweep", "--distance-weight", "1")
    lgn("report", "runs/a")
    shutil.copytree(here / "runs/a", here / "run")
    lgn("evaluate", "runs/a")
    shutil.copytree(here / "runs/a", here / "evaluated")
    score = ("score", "runs/a", "data/Test", "--out", "old scores")
    lgn(*score, "--gamma", "10")
    lgn(*commands.EXPORT)
    lgn(*commands.EXPORT, "--best", "--distance-weight", "1")
    (here / "models of two").mkdir()
    for version in ("1", "2"):
        shutil.copytree(
            here / "models" / version, here / f"models of two/{version}"
        )
    shutil.rmtree(here / "models/2")


def _write_authors_weights() -> None:
    """Writes drawn weights with the names of the authors' checkpoint."""
    from tests.parity import source

    fixture = source.load()
    # Colours and their gates stay; all other channels are a sixteenth.
    shapes = [
        [int(size) for size in str(shape).strip("(),").split(",")]
        for shape in fixture["shapes"]
    ]
    narrow = [
        tuple(
            size if size in (3, 12) or place > 1 else round(size / 16)
            for place, size in enumerate(shape)
        )
        for shape in shapes
    ]
    fixture["shapes"] = np.array([str(shape) for shape in narrow])
    os.mkdir("weights")  # noqa: PTH102
    np.savez("weights/model.npz", **source.draw_weights(fixture))
    items = np.random.default_rng(0).standard_normal((3, 32))
    items /= np.linalg.norm(items, axis=1, keepdims=True)
    np.savez("weights/keys.npz", keys=items.astype(np.float32))
