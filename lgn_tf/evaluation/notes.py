"""An evaluation in sentences: verdicts, and what the numbers rest on."""

from lgn_tf.evaluation import comparison, kind_areas
from lgn_tf.evaluation.bootstrap import LEAST_VIDEOS, LEVEL, Interval
from lgn_tf.evaluation.results import Comparison, Results


def percent(share: float | None) -> str:
    """Returns a share in per cent, with one digit; `-` for None."""
    return "-" if share is None else f"{100 * share:.1f}"


def verdicts(results: Results) -> list[str]:
    """Returns for each compared score whether it beats its best opponent.

    Returns:
        A sentence each; none where there is no area, or no opponent.
    """
    return [
        _verdict(results, name, found)
        for name, found in results.comparisons.items()
    ]


def _verdict(results: Results, name: str, found: Comparison) -> str:
    area = percent(results.baselines[found.opponent].micro_auc)
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


KIND_RULE = (
    f"Found: the {LEVEL:.0%} interval lies above 50%; where fewer than "
    f"{LEAST_VIDEOS} videos show the kind there is no interval, and "
    f"the area lies above {kind_areas.FOUND:.0%}."
)
"""When a kind counts as found, in words."""


def kind_word(found: bool | None) -> str:
    """Returns `found`, `not found` or, for None, `no area`."""
    if found is None:
        return "no area"
    return "found" if found else "not found"


def kind_titles(results: Results) -> dict[str, str]:
    """Returns the titles of the scores that kinds are measured by."""
    # Every kind has the same ones.
    areas = next((one.areas for one in results.kinds.values()), {})
    return {
        name: f"without a model: {name}"
        if name in results.baselines
        else results.title(name)
        for name in areas
    }


def kind_verdicts(results: Results) -> list[str]:
    """Returns for each score the kinds that it finds and does not find.

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


def notes(results: Results) -> list[str]:
    """Returns a sentence for each thing that the numbers rest on."""
    return [
        *_on_the_run(results),
        *_on_the_scores(results),
        *_on_the_areas(results),
        *(f"skipped, too short for a score: {n}" for n in results.skipped),
    ]


def _on_the_run(results: Results) -> list[str]:
    origin = results.provenance
    if results.abnormal_frames is None:
        counts = "no labels: scores are written, metrics absent"
    else:
        counts = (
            f"{results.abnormal_frames} abnormal, labels {origin.label_version}"
        )
    weights = f", weights of the {origin.weights}" if origin.weights else ""
    lines = [
        f"{origin.dataset}: {len(results.videos)} videos, "
        f"{results.scored_frames} scored frames, {counts}",
        f"lambda {origin.normality_weight:g}: {origin.weight_origin}",
        f"gamma {origin.update_threshold:.4g}: {origin.threshold_origin}",
        f"training clips held out: K = {origin.holdout}{weights}",
    ]
    if origin.memory_reset:
        lines.append("each video begins with the trained items")
    return lines


def _on_the_scores(results: Results) -> list[str]:
    origin, lines = results.provenance, []
    paper = results.scores["paper"].micro_auc
    if results.abnormal_frames is not None and paper is None:
        lines.append("all frames are of one class: there is no AUC")
    if origin.in_sample is None:
        lines.append("no calibration: no online score")
    elif origin.in_sample:
        lines.append(
            "online score: in-sample, calibrated on clips that were fitted on"
        )
    if results.gain is not None:
        lines.append(_gain(results.gain))
    variation = results.distance_variation
    weight = origin.normality_weight
    if variation is not None and variation < STILL and weight < 1:
        lines.append(_still(variation, weight))
    return lines


def _on_the_areas(results: Results) -> list[str]:
    lines = []
    if results.draws:
        skipped = results.skipped_draws
        lines.append(
            f"{LEVEL:.0%}: of {results.draws} draws of videos"
            + (f", {skipped} of one class skipped" if skipped else "")
        )
    if results.one_class_videos:
        lines.append(
            f"macro: {results.one_class_videos} videos of one class got a "
            "normal and an abnormal frame appended"
        )
    return lines
