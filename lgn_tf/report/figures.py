"""The figures of a report: curves of scores, areas and training.

Each function returns an `svg` element; see `charts`.

Reference:
    LGN-Net, figures 4, 5, 7, 8, 9 and 10.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from lgn_tf.data.datasets.labels import to_intervals
from lgn_tf.evaluation.results import MapResult, ScoreResult
from lgn_tf.report import charts
from lgn_tf.report.charts import Chart, marker
from lgn_tf.scores.normality import normality
from lgn_tf.scores.video_scores import VideoScores

Labels = NDArray[np.uint8]

SPAN = 5.0
"""Least span of an axis of areas, in per cent."""


def spans(labels: Labels | None, first: int) -> list[tuple[int, int]]:
    """Returns first and last frame of each abnormal span, from 0."""
    if labels is None:
        return []
    return [
        (first + start - 1, first + end - 1)
        for start, end in to_intervals(labels)
    ]


def curves_of(scores: VideoScores, labels: Labels | None, weight: float) -> str:
    """Draws the normality of each frame of a video by both protocols (Fig. 5).

    Args:
        scores: of the video.
        labels: (frames,) of the scored frames; abnormal spans are shaded.
        weight: lambda.
    """
    frames = np.arange(scores.first, scores.first + len(scores))
    found = spans(labels, scores.first)
    with charts.chart(charts.LOW) as chart:
        for start, end in found:
            chart.axes.axvspan(
                start - 0.5,
                end + 0.5,
                color=marker("span"),
                alpha=0.25,
                linewidth=0,
            )
        paper = normality(scores.psnr, scores.distance, weight)
        chart.line(frames, paper, "paper", 0)
        if scores.online is not None:
            chart.line(frames, 1 - scores.online, "online", 1)
        chart.axes.set_ylim(-0.03, 1.03)
        chart.axes.set_xlim(frames[0] - 0.5, frames[-1] + 0.5)
        chart.label("frame", "normality")
        where = ", ".join(f"{start} to {end}" for start, end in found)
        return chart.svg(
            f"curves-{scores.name}",
            f"Normality of video {scores.name} by frame; "
            + (f"abnormal frames: {where}" if where else "no abnormal span"),
        )


def roc(scores: Mapping[str, ScoreResult], names: Mapping[str, str]) -> str:
    """Draws ROC curves (Fig. 4 and 8).

    Args:
        scores: by name; those without a curve are left out.
        names: titles in the legend, of those that are drawn.
    """
    with charts.chart() as chart:
        chart.axes.plot(
            [0, 1], [0, 1], color=marker("muted"), linewidth=0.8, dashes=(1, 2)
        )
        areas = []
        for place, (name, title) in enumerate(names.items()):
            found = scores.get(name, ScoreResult())
            if found.curve is None or found.micro_auc is None:
                continue
            area = f"{title}: {100 * found.micro_auc:.1f}"
            chart.line(found.curve.x, found.curve.y, area, place)
            areas.append(area)
        _unit_square(chart)
        chart.label("false alarms", "abnormal frames found")
        if areas:
            chart.legend()
        return chart.svg("roc", f"ROC curves; areas: {', '.join(areas)}")


def _unit_square(chart: Chart) -> None:
    chart.axes.set_xlim(-0.01, 1.01)
    chart.axes.set_ylim(-0.01, 1.01)


def gaps(scores: Mapping[str, ScoreResult], names: Mapping[str, str]) -> str:
    """Draws gaps between the means of abnormal and normal frames (Fig. 7).

    Args:
        scores: by name, those in [0, 1]; without a gap they are left out.
        names: titles, of those that are drawn.
    """
    found = {
        title: scores[name].gap
        for name, title in names.items()
        if name in scores and scores[name].gap is not None
    }
    values = [0.0 if gap is None else gap for gap in found.values()]
    with charts.chart() as chart:
        places = np.arange(len(values))[::-1]
        colours = [marker(name) for name, _ in charts.LINES]
        bars = chart.axes.barh(
            places,
            values,
            height=0.6,
            color=[colours[k % len(colours)] for k in range(len(values))],
        )
        chart.axes.bar_label(
            bars, fmt="%.3f", padding=4, color=marker("ink"), fontsize=9
        )
        chart.axes.set_yticks(places, list(found))
        chart.axes.tick_params(axis="y", length=0, labelcolor=marker("ink"))
        chart.axes.grid(False, axis="y")
        chart.axes.margins(x=0.16)
        chart.axes.set_xlabel("gap", color=marker("ink"))
        told = ", ".join(f"{name} {gap:.3f}" for name, gap in found.items())
        return chart.svg("gaps", f"Gap scores: {told}")


def sweep(
    points: Sequence[tuple[float, float]],
    symbol: str,
    chosen: float,
    online: float | None = None,
) -> str:
    """Draws the area of the paper's score by a hyper-parameter (Fig. 9, 10).

    Args:
        points: (value, area).
        symbol: `gamma` or `lambda`.
        chosen: the value of the results, marked.
        online: area of the online score, which does not depend on it; or None.
    """
    with charts.chart() as chart:
        values = [value for value, _ in points]
        areas = [100 * area for _, area in points]
        chart.line(values, areas, "paper", 0, dots=True)
        shown = list(areas)
        if online is not None:
            ends = [min(values), max(values)]
            chart.line(ends, [100 * online] * 2, "online", 1)
            chart.legend()
            shown.append(100 * online)
        chart.axes.axvline(
            chosen, color=marker("third"), linewidth=1, linestyle=":"
        )
        chart.axes.annotate(
            f"{chosen:.3g}",
            (chosen, 1),
            xycoords=("data", "axes fraction"),
            xytext=(4, -2),
            textcoords="offset points",
            va="top",
            color=marker("third"),
        )
        # Differences of a tenth of a per cent must not look like cliffs.
        span = max(max(shown) - min(shown), SPAN)
        middle = (max(shown) + min(shown)) / 2
        chart.axes.set_ylim(middle - 0.6 * span, middle + 0.6 * span)
        chart.axes.locator_params(axis="x", nbins=6)
        chart.label(symbol, "micro AUC, %")
        best = max(points, key=lambda point: point[1])
        return chart.svg(
            f"sweep-{symbol}",
            f"Micro AUC by {symbol}: highest, {100 * best[1]:.1f} %, at "
            f"{best[0]:.3g}; used: {chosen:.3g}"
            + ("" if online is None else f"; online: {100 * online:.1f} %"),
        )


def regions(maps: Mapping[str, MapResult]) -> str:
    """Draws regions and tracks found by false regions a frame, of each map."""
    with charts.chart(charts.HIGH) as chart:
        told = []
        place = 0
        for name, found in maps.items():
            for curve, what, area in (
                (found.region_curve, "regions", found.rbdc),
                (found.track_curve, "tracks", found.tbdc),
            ):
                if curve is None or area is None:
                    continue
                title = f"{what}, {name} map: {100 * area:.1f}"
                chart.line(curve.x, curve.y, title, place)
                told.append(title)
                place += 1
        _unit_square(chart)
        chart.label("false regions a frame", "share found")
        if told:
            chart.legend(above=True)
        return chart.svg(
            "regions",
            "Abnormal regions and tracks found; areas: " + ", ".join(told),
        )


def training(
    log: Sequence[Mapping[str, float]], columns: Mapping[str, str], unit: str
) -> str:
    """Draws curves over the epochs.

    Args:
        log: one mapping an epoch, with `epoch`.
        columns: titles in the legend, of those that are drawn.
        unit: name of the vertical axis.
    """
    with charts.chart() as chart:
        ends = []
        for place, (name, title) in enumerate(columns.items()):
            points = [(row["epoch"], row[name]) for row in log if name in row]
            if not points:
                continue
            x, y = zip(*points, strict=True)
            chart.line(x, y, title, place, dots=len(points) < 30)
            ends.append(f"{title} {y[-1]:.4g}")
        chart.axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        chart.label("epoch", unit)
        if len(ends) > 1:
            chart.legend()
        return chart.svg(
            f"training-{'-'.join(columns)}",
            f"Over {len(log)} epochs, at the end: {', '.join(ends)}",
        )
