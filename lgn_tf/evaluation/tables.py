"""The numbers of an evaluation as tables on the terminal."""

from collections.abc import Iterator
from typing import Any

import rich.box
import rich.table
import rich.text

from lgn_tf.alarms.events import EventResult
from lgn_tf.evaluation import notes
from lgn_tf.evaluation.bootstrap import LEVEL
from lgn_tf.evaluation.notes import percent
from lgn_tf.evaluation.results import KindArea, Results, ScoreResult


def all_tables(results: Results) -> Iterator[Any]:
    """Yields the tables of an evaluation, and then its notes, for printing."""
    yield score_table(results)
    if results.kinds:
        yield kind_table(results)
    if results.maps:
        yield map_table(results)
    if results.events:
        yield event_table(results)
    yield from notes.notes(results)


def score_table(results: Results) -> rich.table.Table:
    """Returns a row for each score, then those that need no model.

    Below stands whether the best of them were beaten.
    """
    table = rich.table.Table(
        "score",
        "micro\nAUC",
        f"{LEVEL:.0%}",
        "macro\nAUC",
        "EER",
        "gap",
        "ms a\nframe",
        title="frame level",
        # Narrow enough for a terminal of 80 columns.
        box=rich.box.SIMPLE,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        caption="\n".join(notes.verdicts(results)),
        caption_style="bold",
        caption_justify="left",
    )
    for name, score in results.scores.items():
        table.add_row(results.title(name), *_cells(score), "")
    table.add_section()
    if results.baselines:
        table.add_row("without a model:")
    for name, opponent in results.baselines.items():
        time = f"{opponent.milliseconds:.1f}"
        table.add_row(f"  {name}", *_cells(opponent), time)
    return table


def _cells(score: ScoreResult) -> list[str]:
    gap = "-" if score.gap is None else f"{score.gap:.3g}"
    between = "-".join(percent(end) for end in score.interval or ())
    macro, eer = percent(score.macro_auc), percent(score.eer)
    return [percent(score.micro_auc), between or "-", macro, eer, gap]


_STYLES = {True: "green", False: "bold red", None: ""}


def kind_table(results: Results) -> rich.table.Table:
    """Returns a row for each kind of anomaly, with a column for each score.

    Below stands which kinds each score does not find.
    """
    titles = notes.kind_titles(results)
    table = rich.table.Table(
        "kind",
        "frames",
        "videos",
        *titles.values(),
        title="frame AUC by kind",
        box=rich.box.SIMPLE,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        # As text: brackets in a name of the user's own are no mark-up.
        caption=rich.text.Text(
            "\n".join([*notes.kind_verdicts(results), notes.KIND_RULE])
        ),
        caption_justify="left",
    )
    for kind, one in results.kinds.items():
        table.add_row(
            rich.text.Text(kind),
            str(one.frames),
            str(one.videos),
            *(_kind_cell(one.areas[name]) for name in titles),
        )
    return table


def _kind_cell(one: KindArea) -> rich.text.Text:
    """Returns the area, its interval and the word, a line each."""
    cell = rich.text.Text(percent(one.area))
    if one.interval is not None:
        cell.append("\n" + "-".join(percent(end) for end in one.interval))
    return cell.append(f"\n{notes.kind_word(one.found)}", _STYLES[one.found])


def map_table(results: Results) -> rich.table.Table:
    """Returns a row for each map that was compared with masks."""
    table = rich.table.Table(
        "map", "pixel AUC", "RBDC", "TBDC (derived tracks)", title="pixel level"
    )
    for name, found in results.maps.items():
        row = (found.pixel_auc, found.rbdc, found.tbdc)
        table.add_row(name, *(percent(area) for area in row))
    return table


EVENT_COLUMNS = (
    "score",
    "false alarms allowed",
    "events found",
    "median delay",
    "false alarms",
    "kept on normal clips",
)
"""The columns of `event_rows`."""


def event_table(results: Results) -> rich.table.Table:
    """Returns a row for each online score and rate of false alarms."""
    minutes = next(iter(results.events.values()))[0].calibration_minutes
    table = rich.table.Table(
        *EVENT_COLUMNS,
        title=f"event level, {results.frame_rate:g} frames a second",
        caption=f"thresholds from {minutes:.1f} minutes of normal video",
        box=rich.box.SIMPLE,
    )
    for row in event_rows(results):
        table.add_row(*row)
    return table


def event_rows(results: Results) -> list[list[str]]:
    """Returns the cells of each online score and rate of false alarms."""
    return [
        [
            results.title(name),
            f"{one.rate:g} an hour",
            *_alarms(one),
        ]
        for name, rates in results.events.items()
        for one in rates
    ]


def _alarms(one: EventResult) -> list[str]:
    if one.threshold is None:
        why = "no threshold keeps it" if one.supported else "not supported"
        return [why, "-", "-", "-"]
    delay, promise = one.median_delay, one.promise
    return [
        "-" if one.found is None else f"{percent(one.found)} of {one.events}",
        "-" if delay is None else f"{delay:.1f} s",
        f"{one.false_alarms} in {60 * one.normal_hours:.1f} minutes",
        "-"
        if promise is None
        else f"{promise.found:.0f} an hour "
        f"({promise.interval[0]:.0f} to {promise.interval[1]:.0f})",
    ]
