"""The rows of the table: what was done, how often, and what went wrong."""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

Kind = Literal["lost", "wrong", "dead"]
"""Of a fault: a file lost or torn, a wrong answer or end, a hang or crash."""


@dataclasses.dataclass(frozen=True)
class Fault:
    """One thing that went wrong.

    Attributes:
        kind: see `Kind`.
        words: what was seen.
    """

    kind: Kind
    words: str


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One row of the table.

    Attributes:
        what: was done.
        count: how often.
        lost: files lost or torn, by case.
        wrong: cases with a wrong answer, a wrong end or something left over.
        dead: cases that hung or crashed.
        numbers: other numbers that were measured.
        goal: in words.
        met: whether the numbers keep within the goal.
        first: the first case that went wrong.
        skipped: why nothing was done.
    """

    what: str
    count: int
    lost: int = 0
    wrong: int = 0
    dead: int = 0
    numbers: str = ""
    goal: str = "0, 0, 0"
    met: bool = True
    first: str = ""
    skipped: str = ""

    @property
    def good(self) -> bool:
        """Whether every goal is met."""
        return self.met and not (self.lost or self.wrong or self.dead)


class Tally:
    """Counts the cases of one row.

    Args:
        what: was done.
        seed: of the run, for the name of a case.
    """

    def __init__(self, what: str, seed: int) -> None:
        """Starts without a case."""
        self.what, self.seed = what, seed
        self.count = 0
        self.first = ""
        self._cases: dict[str, int] = dict.fromkeys(
            ("lost", "wrong", "dead"), 0
        )

    def add(
        self, name: str, faults: Iterable[Fault], count: int = 1
    ) -> Sequence[Fault]:
        """Counts a case; each kind of fault counts once in it.

        Returns:
            The faults.
        """
        found = list(faults)
        self.count += count
        for kind in {fault.kind for fault in found}:
            self._cases[kind] += 1
        if found and not self.first:
            words = "; ".join(fault.words for fault in found)
            self.first = f"{name} (seed {self.seed}): {words}"
        return found

    def outcome(
        self, numbers: str = "", goal: str = "0, 0, 0", met: bool = True
    ) -> Outcome:
        """Returns the row; a number that misses its goal names itself."""
        return Outcome(
            self.what,
            self.count,
            self._cases["lost"],
            self._cases["wrong"],
            self._cases["dead"],
            numbers=numbers,
            goal=goal,
            met=met,
            first=self.first if met or self.first else f"measured: {numbers}",
        )


HEAD = (
    "what",
    "how many",
    "lost or torn",
    "wrong",
    "dead or hung",
    "measured",
    "goal",
    "",
)


def cells(row: Outcome) -> tuple[str, ...]:
    """Returns a row as texts, in the order of `HEAD`."""
    if row.skipped:
        return (row.what, "0", "", "", "", row.skipped, row.goal, "skipped")
    return (
        row.what,
        f"{row.count:,}",
        *map(str, (row.lost, row.wrong, row.dead)),
        row.numbers,
        row.goal,
        "ok" if row.good else "**missed**",
    )


def table(rows: Sequence[Outcome]) -> str:
    """Returns the rows as a table of Markdown."""
    lines = [HEAD, ("---",) * len(HEAD), *map(cells, rows)]
    texts = [" | ".join(_plain(cell) for cell in line) for line in lines]
    return "\n".join(f"| {text} |" for text in texts)


def first_cases(rows: Sequence[Outcome]) -> str:
    """Returns a line for each row that missed a goal."""
    return "\n".join(
        f"- {_plain(row.what)}: {_plain(row.first)}"
        for row in rows
        if not (row.good or row.skipped)
    )


def _plain(text: str) -> str:
    # A path or an error may hold anything.
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text.replace("|", "/")[:600]


def kept_in(folder: Path | None) -> str:
    """Returns where a case lies, in words."""
    return f" [{folder}]" if folder is not None else ""
