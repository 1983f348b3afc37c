"""What a report says of the results: headline, rows, charts and their words."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import markupsafe

from lgn_tf.data.datasets import registry
from lgn_tf.evaluation.bootstrap import Interval
from lgn_tf.evaluation.results import Opponent, Results, ScoreResult
from lgn_tf.report import figures
from lgn_tf.runs.provenance import IN_SAMPLE

_CURVES = {"paper": "paper", "online": "online", "psnr raw": "PSNR, past alone"}
_GAPS = {
    "paper": "paper",
    "online": "online",
    "psnr": "PSNR",
    "distance": "distance",
}
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
        title: what it is.
        share: in [0, 1], or None.
        why: what it means.
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


@dataclasses.dataclass(frozen=True)
class Figure:
    """A chart and its words; `name` is that of its file."""

    name: str
    title: str
    svg: markupsafe.Markup
    caption: str


def subtitle(results: Results) -> str:
    """Says in one line what was evaluated."""
    stand = results.provenance
    parts = [
        stand.dataset or "own videos",
        f"{len(results.videos)} test videos",
        f"{results.scored_frames:,} scored frames",
    ]
    if results.abnormal_frames is not None:
        parts.append(f"{results.abnormal_frames:,} abnormal")
    if stand.weights:
        length = f"{stand.epochs} epochs"
        if stand.steps:
            length = f"{stand.steps:,} steps"
        parts.append(f"weights of the {stand.weights}, {length}")
    parts.append(f"seed {stand.seed}")
    return " · ".join(parts)


def sections(shown: Mapping[str, Sequence[Any]]) -> list[tuple[str, str]]:
    """Returns (anchor, title) of the sections that hold something."""
    return [
        (anchor, title)
        for anchor, title, part in _SECTIONS
        if part is None or shown[part]
    ]


def cards(results: Results) -> list[Card]:
    """Returns the headline: the paper's score beside all it must stand by."""
    paper = results.scores["paper"]
    online = results.scores.get("online", ScoreResult())
    name, best = _best(results)
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


def _best(results: Results) -> tuple[str, Opponent]:
    """The opponent with the largest area, and its name; or empty ones."""
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


def frame_charts(results: Results) -> list[Figure]:
    """Returns the charts of the frame scores; none without two classes."""
    if results.scores["paper"].micro_auc is None:
        return []
    stand = results.provenance
    curves = dict(_CURVES)
    if stand.in_sample:
        curves["online"] += IN_SAMPLE
    online = results.scores.get("online", ScoreResult()).micro_auc
    name, best = _best(results)
    charts = [
        _figure(
            "roc",
            "ROC",
            figures.roc({**results.scores, name: best}, {**curves, name: name}),
            "Share of abnormal frames found by share of false alarms, over all "
            "frames, beside the best score without a model. Dotted: chance.",
        ),
        _figure(
            "gap",
            "Gap",
            figures.gaps(results.scores, _GAPS),
            "Mean score of abnormal frames minus that of normal ones. All "
            "scores lie in [0, 1].",
        ),
    ]
    if results.lambda_sweep:
        charts.append(
            _figure(
                "auc-by-lambda",
                "AUC by λ",
                figures.sweep(
                    results.lambda_sweep,
                    "lambda",
                    stand.normality_weight,
                    online,
                ),
                "By the share of the PSNR in the paper's score. Upright: used "
                "here, not chosen from this curve. Online needs no lambda.",
            )
        )
    if len(results.gamma_sweep) > 1:
        charts.append(
            _figure(
                "auc-by-gamma",
                "AUC by γ",
                figures.sweep(
                    results.gamma_sweep,
                    "gamma",
                    stand.update_threshold,
                    online,
                ),
                "Frames whose regular score is below it update the memory at "
                "test time. Upright: used here, not chosen from this curve. "
                "Online keeps the trained items.",
            )
        )
    return charts


def map_charts(results: Results) -> list[Figure]:
    """Returns the chart of regions and tracks; none without masks."""
    if all(found.rbdc is None for found in results.maps.values()):
        return []
    return [
        _figure(
            "regions-and-tracks",
            "Regions and tracks found",
            figures.regions(results.maps),
            f"{results.regions:,} abnormal regions in {results.tracks:,} "
            "derived tracks.",
        )
    ]


def training_charts(log: Sequence[Mapping[str, float]]) -> list[Figure]:
    """Returns curves over the epochs, of those columns that the log has."""
    charts = []
    for title, columns, unit, caption in (
        (
            "Loss",
            {"loss": "training", "val_loss": "validation"},
            "loss",
            "The total loss.",
        ),
        (
            "PSNR",
            {"psnr": "training", "val_psnr": "validation"},
            "PSNR, dB",
            "Of the predicted frames.",
        ),
        (
            "Memory items in use",
            {"items_in_use": "items"},
            "items",
            "Items that are nearest to at least one query, a batch.",
        ),
        (
            "Share of the busiest item",
            {"top_item_share": "share"},
            "share of queries",
            "Queries whose nearest item is the most chosen one.",
        ),
    ):
        if any(name in row for row in log for name in columns):
            svg = figures.training(log, columns, unit)
            name = f"training-{next(iter(columns))}"
            charts.append(_figure(name, title, svg, caption))
    return charts


def _figure(name: str, title: str, svg: str, caption: str) -> Figure:
    return Figure(name, title, markupsafe.Markup(svg), caption)
