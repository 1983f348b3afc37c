"""The charts of a report with their titles and captions."""

import dataclasses
from collections.abc import Mapping, Sequence

import markupsafe

from lgn_tf.evaluation.results import Results, ScoreResult
from lgn_tf.report import figures
from lgn_tf.report.contents import best_opponent
from lgn_tf.runs.provenance import IN_SAMPLE

_CURVES = {"paper": "paper", "online": "online", "psnr raw": "PSNR, past alone"}
_GAPS = {
    "paper": "paper",
    "online": "online",
    "psnr": "PSNR",
    "distance": "distance",
}


@dataclasses.dataclass(frozen=True)
class Figure:
    """A chart with title and caption; `name` is that of its file."""

    name: str
    title: str
    svg: markupsafe.Markup
    caption: str


def frame_charts(results: Results) -> list[Figure]:
    """Returns the charts of the frame scores; none without two classes."""
    if results.scores["paper"].micro_auc is None:
        return []
    curves = dict(_CURVES)
    if results.provenance.in_sample:
        curves["online"] += IN_SAMPLE
    name, best = best_opponent(results)
    return [
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
        *_sweep_charts(results),
    ]


def _sweep_charts(results: Results) -> list[Figure]:
    """Returns the areas by lambda and by gamma, where they were measured."""
    origin = results.provenance
    online = results.scores.get("online", ScoreResult()).micro_auc
    charts = []
    if results.lambda_sweep:
        points, chosen = results.lambda_sweep, origin.normality_weight
        charts.append(
            _figure(
                "auc-by-lambda",
                "AUC by λ",
                figures.sweep(points, "lambda", chosen, online),
                "By the share of the PSNR in the paper's score. Upright: used "
                "here, not chosen from this curve. Online needs no lambda.",
            )
        )
    if len(results.gamma_sweep) > 1:
        points, chosen = results.gamma_sweep, origin.update_threshold
        charts.append(
            _figure(
                "auc-by-gamma",
                "AUC by γ",
                figures.sweep(points, "gamma", chosen, online),
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
