"""A run as one page of HTML that needs nothing beside itself.

It is made of what lies in the run directory: `evaluation/` (see `video_scores`,
`results` and `keyframes`), and where they are there `config.json`,
`environment.json` and `log.csv`.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import markupsafe

import lgn_tf
from lgn_tf.config import schema
from lgn_tf.evaluation import notes, results, tables
from lgn_tf.evaluation.results import Results, VideoResult
from lgn_tf.files import atomic, listings, ownership, untrusted
from lgn_tf.report import captioned_charts, charts, contents, figures, gallery
from lgn_tf.report.gallery import Moment
from lgn_tf.runs import directory, environment
from lgn_tf.runs.provenance import IN_SAMPLE
from lgn_tf.runs.run import Run
from lgn_tf.scores import video_scores

FILE = "report.html"
FIGURES = "figures"

_KIND = "figures"
_GENERATOR = b'<meta name="generator" content="lgn-tf'

SHOWN = 24
"""Videos of which a picture is shown, those with the highest scores."""


def write_report(run_dir: Path, out: Path | None = None) -> Path:
    """Writes the report of a run; it appears whole or not at all.

    The charts are written once more as SVG files, for papers and slides: into
    `figures/` of the run directory, or, beside another file NAME.html, into
    `NAME-figures/`.

    Args:
        run_dir: with an `evaluation/` folder.
        out: the file; default `report.html` in the run directory, which is
            written to in no other case.

    Returns:
        The file.

    Raises:
        FileNotFoundError: where the run was not evaluated.
        ValueError: naming a file that is damaged.
        FileExistsError: where the file is no report, or the folder holds
            anything but figures of one.
        OSError: where it cannot be written.
    """
    path = out or run_dir / FILE
    named = listings.settled(path)
    beside = named.with_name(f"{named.stem}-{FIGURES}")
    folder = run_dir / FIGURES if out is None else beside
    _require_report(path)
    values = _values(run_dir)
    # Drawn before anything is written.
    text, drawn = _page(values), dict(_figures(values))
    # Those of a first version are figures of the same names.
    names = {f"{name}.svg" for name in drawn}
    with ownership.folder(folder, _KIND, names) as new:
        for name, svg in drawn.items():
            (new / f"{name}.svg").write_bytes(svg.encode())
    with atomic.opened(path) as file:
        file.write(text.encode())
    return path


def _require_report(path: Path) -> None:
    """Refuses to write over a file that is no report."""
    if not os.path.lexists(path):
        return
    head = b""
    if path.is_file():
        with path.open("rb") as file:
            head = file.read(1024)
    if _GENERATOR not in head:
        raise FileExistsError(
            f"{path} exists, is no report, and is not overwritten"
        )


def _figures(values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for part in ("frame_charts", "map_charts", "training_charts"):
        for figure in values[part]:
            yield figure.name, charts.standalone(figure.svg)
    for video in values["videos"]:
        yield f"normality-{video['name']}", charts.standalone(video["svg"])


def render_report(run_dir: Path) -> str:
    """Returns the page as HTML; see `write_report`."""
    return _page(_values(run_dir))


def _page(values: dict[str, Any]) -> str:
    template = jinja2.Environment(
        loader=jinja2.PackageLoader("lgn_tf.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    ).get_template(FILE)
    return template.render(**values)


def _values(run_dir: Path) -> dict[str, Any]:
    """Returns all that the page shows, by the names in its template."""
    directory.require_whole(run_dir)
    folder = run_dir / directory.EVALUATION
    found = results.read_results(folder)
    videos, moments = _videos(folder, found)
    shown: dict[str, Sequence[Any]] = {
        "frame_charts": captioned_charts.frame_charts(found),
        "map_charts": captioned_charts.map_charts(found),
        "training_charts": captioned_charts.training_charts(Run(run_dir).log),
        "pictures": gallery.draw_gallery(moments, found.provenance.cue_weights),
        "event_rows": tables.event_rows(found),
        "kind_rows": list(found.kinds.items()),
    }
    return {
        "run": run_dir.resolve().name,
        "version": lgn_tf.__version__,
        "subtitle": contents.subtitle(found),
        "sections": contents.sections(shown),
        "cards": contents.cards(found),
        "verdicts": notes.verdicts(found),
        "event_columns": tables.EVENT_COLUMNS,
        "kind_titles": notes.kind_titles(found),
        "kind_verdicts": notes.kind_verdicts(found),
        "kind_rule": notes.KIND_RULE,
        "kind_word": notes.kind_word,
        "notes": notes.notes(found),
        "results": found,
        "maps": found.maps,
        "rows": contents.rows(found),
        "videos": videos,
        "has_online": "online" in found.scores,
        "map_names": {name for one in moments for name in one.maps},
        "labelled": found.abnormal_frames is not None,
        "setup": _setup(run_dir),
        **shown,
    }


def _videos(
    folder: Path, found: Results
) -> tuple[list[dict[str, Any]], list[Moment]]:
    """Returns curves of every video, and the moments that are shown."""
    told = {video.name: video for video in found.videos}
    weight = found.provenance.normality_weight
    curves, moments = [], []
    for scores in video_scores.ScoreFolder(folder):
        labels = video_scores.read_labels(folder, scores.name)
        svg = figures.curves_of(scores, labels, weight)
        curves.append(
            {
                "name": scores.name,
                "svg": markupsafe.Markup(svg),
                "caption": _caption(
                    told.get(scores.name),
                    len(scores),
                    bool(found.provenance.in_sample),
                ),
            }
        )
        moment = gallery.moment(folder, scores, labels)
        if moment is not None:
            moments.append(moment)
    best = sorted(moments, key=lambda moment: -moment.strength)[:SHOWN]
    return curves, [moment for moment in moments if moment in best]


def _caption(video: VideoResult | None, frames: int, in_sample: bool) -> str:
    parts = [f"{frames} frames"]
    if video is None:
        return parts[0]
    if video.abnormal is not None:
        parts.append(f"{video.abnormal} abnormal")
    areas = [
        f"{name} {100 * auc:.1f}"
        for name, auc in (
            ("paper", video.paper_auc),
            ("online", video.online_auc),
        )
        if auc is not None
    ]
    if in_sample and video.online_auc is not None:
        areas[-1] += IN_SAMPLE
    if areas:
        parts.append(f"AUC: {', '.join(areas)}")
    return " · ".join(parts)


def _setup(run_dir: Path) -> dict[str, dict[str, str]]:
    """Returns configuration and environment, flat, by title."""
    return {
        title: dict(_flat(untrusted.read_json(run_dir / name, most), ""))
        for title, name, most in (
            ("Configuration", directory.CONFIG, schema.MOST_BYTES),
            ("Environment", directory.ENVIRONMENT, environment.MOST_BYTES),
        )
        if (run_dir / name).is_file()
    }


def _flat(values: Any, path: str) -> list[tuple[str, str]]:
    if not isinstance(values, Mapping):
        whole = isinstance(values, str)
        return [(path, values if whole else json.dumps(values))]
    return [
        pair
        for name, value in values.items()
        for pair in _flat(value, f"{path}.{name}" if path else str(name))
    ]
