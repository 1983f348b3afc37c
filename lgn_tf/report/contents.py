"""The headline, the sections and the rows of a report."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from lgn_tf.data.datasets import registry
from lgn_tf.evaluation.bootstrap import Interval
from lgn_tf.evaluation.results import Opponent, Results, ScoreResult

_SECTIONS = (
    ("result", "Result", None),
    ("frames", "Frames", "frame_charts"),
    ("kinds", "Kinds", "kind_rows"),
    ("events", "Alarms", "event_rows"),
    ("videos", "Videos", None),
    ("pictures", "Pictures", "pictures"),
    ("places", "Regions", "map_charts"),
    ("training", "Training", "training_charts"),
    ("numbers", "All numbers", None),
    ("setup", "Setup", None),
)


@dataclasses.dataclass(frozen=True)
class Card:
    """A number of the headline.

    Attributes:
        title: name of the number.
        share: the number, in [0, 1]; or None.
        why: a sentence on its meaning.
        colour: of its bar, a class of the page.
        interval: around the number, or None.
    """

    title: str
    share: float | None
    why: str
    colour: str
    interval: Interval | None = None


@dataclasses.dataclass(frozen=True)
class Row(ScoreResult):
    """A row of the table of all numbers."""

    title: str = ""
    published: float | None = None
    milliseconds: float | None = None
    style: str = ""


def subtitle(results: Results) -> str:
    """Returns one line on the videos, the weights and the seed."""
    origin = results.provenance
    parts = [
        origin.dataset or "own videos",
        f"{len(results.videos)} test videos",
        f"{results.scored_frames:,} scored frames",
    ]
    if results.abnormal_frames is not None:
        parts.append(f"{results.abnormal_frames:,} abnormal")
    if origin.weights:
        length = f"{origin.epochs} epochs"
        if origin.steps:
            length = f"{origin.steps:,} steps"
        parts.append(f"weights of the {origin.weights}, {length}")
    parts.append(f"seed {origin.seed}")
    return " · ".join(parts)


def sections(shown: Mapping[str, Sequence[Any]]) -> list[tuple[str, str]]:
    """Returns (anchor, title) of the sections that hold something."""
    return [
        (anchor, title)
        for anchor, title, part in _SECTIONS
        if part is None or shown[part]
    ]


def cards(results: Results) -> list[Card]:
    """Returns the headline: the paper's score beside its rivals."""
    paper = results.scores["paper"]
    online = results.scores.get("online", ScoreResult())
    name, best = best_opponent(results)
    found = [
        Card(
            "Paper's protocol",
            paper.micro_auc,
            "Each video divided by its own range: comparable with "
            "publications, not available live.",
            "first",
            paper.interval,
        ),
        Card(
            "Online",
            online.micro_auc,
            _online(results),
            "second",
            online.interval,
        ),
        Card(
            "Best score without a model",
            best.micro_auc,
            "What any detector has to beat" + (f": {name}." if name else "."),
            "third",
            best.interval,
        ),
    ]
    published = registry.paper_auc(results.provenance.dataset)
    if published is not None:
        found.append(
            Card(
                "Published in the paper",
                published,
                "Paper's protocol at full size: 256 x 256, 60 epochs.",
                "fourth",
            )
        )
    return found


def best_opponent(results: Results) -> tuple[str, Opponent]:
    """Returns the name and the result of the best opponent; or empty ones."""
    return max(
        results.baselines.items(),
        key=lambda one: one[1].micro_auc or 0.0,
        default=("", Opponent()),
    )


def _online(results: Results) -> str:
    if "online" not in results.scores:
        return "The run has no calibration."
    words = (
        "Calibrated on normal video, knows the past alone: what a camera gets"
    )
    return (
        f"{words}. In-sample." if results.provenance.in_sample else f"{words}."
    )


def rows(results: Results) -> list[Row]:
    """Returns the rows of the table of all numbers."""
    published = registry.paper_auc(results.provenance.dataset)
    found = [
        _row(
            score,
            title=results.title(name),
            published=published if name == "paper" else None,
            style="strong" if name in ("paper", "online") else "",
        )
        for name, score in results.scores.items()
    ]
    found += [
        _row(
            opponent,
            title=f"without a model: {name}",
            milliseconds=opponent.milliseconds,
            style="apart",
        )
        for name, opponent in results.baselines.items()
    ]
    return found


def _row(score: ScoreResult, **words: Any) -> Row:
    fields = dataclasses.fields(ScoreResult)
    return Row(
        **{one.name: getattr(score, one.name) for one in fields}, **words
    )
