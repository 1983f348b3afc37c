"""The numbers of an evaluation as a table on the terminal, and in words."""

from collections.abc import Iterator
from typing import Any

import rich.box
import rich.table
import rich.text

from lgn_tf.alarms.events import EventResult
from lgn_tf.evaluation import comparison, kind_areas
from lgn_tf.evaluation.bootstrap import LEAST_VIDEOS, LEVEL, Interval
from lgn_tf.evaluation.results import Comparison, KindArea, Results, ScoreResult


def everything(results: Results) -> Iterator[Any]:
    """Yields the tables of an evaluation, and then its notes, for printing."""
    yield scores(results)
    if results.kinds:
        yield kinds(results)
    if results.maps:
        yield maps(results)
    if results.events:
        yield events(results)
    yield from notes(results)


def scores(results: Results) -> rich.table.Table:
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
        caption="\n".join(verdicts(results)),
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
    between = "-".join(_percent(end) for end in score.interval or ())
    macro, eer = _percent(score.macro_auc), _percent(score.eer)
    return [_percent(score.micro_auc), between or "-", macro, eer, gap]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def verdicts(results: Results) -> list[str]:
    """Says of each score that is compared whether its best opponent is beaten.

    Returns:
        A sentence each; none where there is no area, or no opponent.
    """
    return [
        _verdict(results, name, found)
        for name, found in results.comparisons.items()
    ]


def _verdict(results: Results, name: str, found: Comparison) -> str:
    area = _percent(results.baselines[found.opponent].micro_auc)
    among = "online score" if comparison.COMPARED.get(name) else "score"
    return (
        f"{results.title(name)} "
        f"{'beats' if found.beaten else 'does not beat'} the best {among} "
        f"without a model, {found.opponent} ({area}): "
        f"{100 * found.margin:+.1f} points ({_between(found.interval)})"
    )


def _between(interval: Interval | None) -> str:
    if interval is None:
        return "too few videos for an interval"
    low, high = (f"{100 * end:+.1f}" for end in interval)
    return f"{LEVEL:.0%}: {low} to {high}"


def _gain(gain: float) -> str:
    if gain > 0:
        return (
            f"the model predicts {gain:.2f} dB better than copying the last "
            "frame"
        )
    return (
        "the model predicts no better than copying the last frame (gain "
        f"{gain:.2f} dB): train longer, with --residual, at a larger "
        "--image-size, or on more video"
    )


STILL = 0.1
"""Below this variation a distance says nothing. It lies between that of a
memory that had collapsed, 0.04, and the least of ten others, 0.17."""


def _still(variation: float, weight: float) -> str:
    return (
        "the distance to the prototypes hardly varies from frame to frame (by "
        f"{variation:.1%}): the memory tells nothing apart, and the paper's "
        f"score counts it {1 - weight:.0%}. Look at the PSNR alone, or train "
        "with another --seed"
    )


KIND_RULE = (
    f"Found: the {LEVEL:.0%} interval lies above 50%; where fewer than "
    f"{LEAST_VIDEOS} videos show the kind there is no interval, and "
    f"the area lies above {kind_areas.FOUND:.0%}."
)
"""When a kind counts as found, in words."""

_STYLES = {True: "green", False: "bold red", None: ""}


def kinds(results: Results) -> rich.table.Table:
    """Returns a row for each kind of anomaly, with a column for each score.

    Below stands which kinds each score does not find.
    """
    titles = kind_titles(results)
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
        caption=rich.text.Text("\n".join([*kind_verdicts(results), KIND_RULE])),
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
    """The area, its interval and the word, each on a line of its own."""
    cell = rich.text.Text(_percent(one.area))
    if one.interval is not None:
        cell.append("\n" + "-".join(_percent(end) for end in one.interval))
    return cell.append(f"\n{kind_word(one.found)}", _STYLES[one.found])


def kind_word(found: bool | None) -> str:
    """Returns the word that says whether a kind is found."""
    if found is None:
        return "no area"
    return "found" if found else "not found"


def kind_titles(results: Results) -> dict[str, str]:
    """Returns what each score that kinds are measured by is called, by name."""
    # Every kind has the same ones.
    areas = next((one.areas for one in results.kinds.values()), {})
    return {
        name: f"without a model: {name}"
        if name in results.baselines
        else results.title(name)
        for name in areas
    }


def kind_verdicts(results: Results) -> list[str]:
    """Says of each score which kinds it does not find.

    Returns:
        A sentence each; none where no kind has an area.
    """
    sentences = []
    for name, title in kind_titles(results).items():
        told = {
            kind: one.areas[name].found
            for kind, one in results.kinds.items()
            if one.areas[name].found is not None
        }
        missed = [kind for kind, found in told.items() if not found]
        if told:
            sentences.append(
                f"{title} finds {len(told) - len(missed)} of {len(told)} kinds"
                + (f"; not found: {', '.join(missed)}" if missed else "")
            )
    return sentences


def maps(results: Results) -> rich.table.Table:
    """Returns a row for each map that was compared with masks."""
    table = rich.table.Table(
        "map", "pixel AUC", "RBDC", "TBDC (derived tracks)", title="pixel level"
    )
    for name, found in results.maps.items():
        row = (found.pixel_auc, found.rbdc, found.tbdc)
        table.add_row(name, *(_percent(area) for area in row))
    return table


EVENT_COLUMNS = (
    "score",
    "false alarms allowed",
    "events found",
    "median delay",
    "false alarms",
    "kept on normal clips",
)
"""What `event_rows` holds."""


def events(results: Results) -> rich.table.Table:
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
        "-" if one.found is None else f"{_percent(one.found)} of {one.events}",
        "-" if delay is None else f"{delay:.1f} s",
        f"{one.false_alarms} in {60 * one.normal_hours:.1f} minutes",
        "-"
        if promise is None
        else f"{promise.found:.0f} an hour "
        f"({promise.interval[0]:.0f} to {promise.interval[1]:.0f})",
    ]


def notes(results: Results) -> list[str]:
    """Says what the numbers stand on, a line each."""
    stand = results.provenance
    if results.abnormal_frames is None:
        counts = "no labels: scores are written, metrics absent"
    else:
        counts = (
            f"{results.abnormal_frames} abnormal, labels {stand.label_version}"
        )
    weights = f", weights of the {stand.weights}" if stand.weights else ""
    lines = [
        f"{stand.dataset}: {len(results.videos)} videos, "
        f"{results.scored_frames} scored frames, {counts}",
        f"lambda {stand.normality_weight:g}: {stand.weight_origin}",
        f"gamma {stand.update_threshold:.4g}: {stand.threshold_origin}",
        f"training clips held out: K = {stand.holdout}{weights}",
    ]
    if stand.memory_reset:
        lines.append("each video begins with the trained items")
    paper = results.scores["paper"].micro_auc
    if results.abnormal_frames is not None and paper is None:
        lines.append("all frames are of one class: there is no AUC")
    if stand.in_sample is None:
        lines.append("no calibration: no online score")
    elif stand.in_sample:
        lines.append(
            "online score: in-sample, calibrated on clips that were fitted on"
        )
    if results.gain is not None:
        lines.append(_gain(results.gain))
    variation = results.distance_variation
    weight = stand.normality_weight
    if variation is not None and variation < STILL and weight < 1:
        lines.append(_still(variation, weight))
    if results.draws:
        lines.append(
            f"{LEVEL:.0%}: of {results.draws} draws of videos"
            + (
                f", {results.skipped_draws} of one class skipped"
                if results.skipped_draws
                else ""
            )
        )
    if results.one_class_videos:
        lines.append(
            f"macro: {results.one_class_videos} videos of one class got a "
            "normal and an abnormal frame appended"
        )
    lines += [f"skipped, too short for a score: {n}" for n in results.skipped]
    return lines
