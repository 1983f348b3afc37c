"""The numbers of an evaluation as a table on the terminal."""

import rich.table

from lgn_tf.results import Results, ScoreResult


def scores(results: Results) -> rich.table.Table:
    """Returns a row for each score, then those that need no model."""
    table = rich.table.Table(
        "score", "micro AUC", "macro AUC", "EER", "gap", title="frame level"
    )
    for name, score in results.scores.items():
        table.add_row(results.provenance.title(name), *_cells(score))
    table.add_section()
    for name, area in results.baselines.items():
        table.add_row(f"no model: {name}", _percent(area))
    return table


def _cells(score: ScoreResult) -> list[str]:
    gap = "-" if score.gap is None else f"{score.gap:.3f}"
    areas = (score.micro_auc, score.macro_auc, score.eer)
    return [*(_percent(area) for area in areas), gap]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def maps(results: Results) -> rich.table.Table:
    """Returns a row for each map that was compared with masks."""
    table = rich.table.Table(
        "map", "pixel AUC", "RBDC", "TBDC (derived tracks)", title="pixel level"
    )
    for name, found in results.maps.items():
        row = (found.pixel_auc, found.rbdc, found.tbdc)
        table.add_row(name, *(_percent(area) for area in row))
    return table


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
    if results.one_class_videos:
        lines.append(
            f"macro: {results.one_class_videos} videos of one class got a "
            "normal and an abnormal frame appended"
        )
    lines += [f"skipped, too short for a score: {n}" for n in results.skipped]
    return lines
