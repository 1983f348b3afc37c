"""The results of an evaluation, as frozen values, and their JSON file."""

import dataclasses
import types
from collections.abc import Mapping
from pathlib import Path

import msgspec

from lgn_tf.alarms.events import EventResult
from lgn_tf.evaluation.bootstrap import Interval
from lgn_tf.evaluation.roc import Curve
from lgn_tf.files import atomic, scratch, untrusted
from lgn_tf.runs.provenance import IN_SAMPLE, Provenance

FILE = "results.json"

MOST_BYTES = 32 * untrusted.MEBIBYTE
"""Of the results; a video takes some hundred bytes."""

TITLES: Mapping[str, str] = types.MappingProxyType(
    {
        "paper": "paper (whole video)",
        "online": "online (past alone)",
        "online smoothed": "online, causal average",
        "online motion": "online with optical flow",
        "online motion smoothed": "online with optical flow, causal average",
        "psnr": "PSNR alone (whole video)",
        "psnr raw": "PSNR alone (past alone)",
        "distance": "distance alone (whole video)",
        "distance raw": "distance alone (past alone)",
        "cue error": "cue: local error",
        "cue distance": "cue: local distance",
        "cue motion": "cue: local optical flow",
    }
)
"""The title of each score in a table."""


@dataclasses.dataclass(frozen=True)
class ScoreResult:
    """Measures of one score over all frames.

    None where the labels hold one class, or there are none.

    Attributes:
        micro_auc: area under one ROC curve over all frames.
        macro_auc: mean of the areas of the videos, where a video of one class
            gets one frame of each appended, with the scores 0 and 1. None also
            for a score that does not lie in [0, 1].
        eer: equal error rate.
        gap: mean over abnormal frames minus mean over normal frames, in the
            score's own unit.
        curve: the ROC curve, thinned.
        interval: of the micro AUC, 95 % of the draws of a bootstrap over
            videos; None also for fewer than three videos.
    """

    micro_auc: float | None = None
    macro_auc: float | None = None
    eer: float | None = None
    gap: float | None = None
    curve: Curve | None = None
    interval: Interval | None = None


@dataclasses.dataclass(frozen=True)
class Opponent(ScoreResult):
    """Measures of one score that needs no model.

    Attributes:
        online: whether it needs nothing but the past, as a camera has it.
        milliseconds: that a frame took, on the machine that evaluated.
    """

    online: bool = False
    milliseconds: float = 0.0


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A score of the model beside the best one that needs none.

    Attributes:
        opponent: name of the one with the largest micro AUC; for a score that
            is online, of those that are online.
        margin: micro AUC of the score minus that of the opponent.
        interval: of the margin, paired: both areas are of the same draws of a
            bootstrap over videos; None for fewer than three videos.
        beaten: whether the opponent was: the whole interval lies above 0.
    """

    opponent: str
    margin: float
    interval: Interval | None
    beaten: bool


@dataclasses.dataclass(frozen=True)
class KindArea:
    """The area of one score for one kind of anomaly.

    Attributes:
        area: under one ROC curve over the frames that show the kind and all
            normal ones; None where there is none of one of them.
        interval: of the area, 95 % of the draws of a bootstrap over videos;
            None where fewer than three videos show the kind.
        found: whether the score finds the kind, see `kind_areas.is_found`;
            None without an area.
    """

    area: float | None
    interval: Interval | None
    found: bool | None


@dataclasses.dataclass(frozen=True)
class KindResult:
    """One kind of anomaly.

    Attributes:
        frames: that show it, of those that were scored.
        videos: that hold such a frame.
        areas: by the name of the score: `paper`, `online` and `online motion`,
            where they are there, and the score without a model that has the
            largest area over all frames, the same for every kind.
    """

    frames: int
    videos: int
    areas: dict[str, KindArea]


@dataclasses.dataclass(frozen=True)
class MapResult:
    """Measures of one kind of map against masks.

    Attributes:
        pixel_auc: area under one ROC curve over all mask pixels.
        rbdc: region-based detection, area up to one false region a frame.
        tbdc: track-based detection, likewise.
        region_curve: share of regions found by false regions a frame.
        track_curve: share of tracks found by false regions a frame.
    """

    pixel_auc: float | None
    rbdc: float | None
    tbdc: float | None
    region_curve: Curve | None = None
    track_curve: Curve | None = None


@dataclasses.dataclass(frozen=True)
class VideoResult:
    """One video.

    Attributes:
        name: of the video.
        frames: that were scored.
        abnormal: of them; None without labels.
        updated: of them, frames that updated the memory.
        paper_auc: area of the paper's score; None for one class.
        online_auc: area of the online score, likewise.
    """

    name: str
    frames: int
    abnormal: int | None
    updated: int
    paper_auc: float | None
    online_auc: float | None


@dataclasses.dataclass(frozen=True)
class Results:
    """Everything that one evaluation found.

    Attributes:
        provenance: where the numbers come from.
        scores: by name: `paper` (Eq. 17, minimum and maximum of the whole
            video), `online` (calibrated, from the past alone), `online
            smoothed`, `online motion` (with the optical flow, which a graph
            does not compute), `psnr` and `distance`, each with the minimum
            and maximum of the video and `raw`, and each cue of the online
            score by itself.
        baselines: each score that needs no model, by name.
        maps: by name, `error` and `online`; empty without masks.
        videos: one by one.
        scored_frames: of all videos.
        abnormal_frames: of them; None without labels.
        one_class_videos: videos that got two frames appended for the macro
            areas.
        gain: mean over the scored frames of the PSNR of the prediction minus
            that of the frame before, in dB; None where it was not measured.
        comparisons: `paper` and `online` beside their best opponent; empty
            where there is no area.
        draws: of the bootstrap behind the intervals; 0 where there is none.
        skipped_draws: of them, those that held frames of one class only.
        events: what an operator hears by an online score, for each rate of
            false alarms; empty without labels, calibration or frame rate.
        frame_rate: frames a second that events were timed with.
        regions: abnormal regions in the masks.
        tracks: into which they were linked, by overlap from frame to frame.
        lambda_sweep: (lambda, area of the paper's score).
        gamma_sweep: (gamma, area of the paper's score).
        skipped: names of the videos that are too short for a score.
        kinds: of anomalies, by name; empty where nobody says which there are.
        distance_variation: standard deviation of the distance over all scored
            frames, as a share of its mean; None without a memory.
    """

    provenance: Provenance
    scores: dict[str, ScoreResult]
    baselines: dict[str, Opponent]
    maps: dict[str, MapResult]
    videos: tuple[VideoResult, ...]
    scored_frames: int
    abnormal_frames: int | None
    one_class_videos: int
    gain: float | None
    comparisons: dict[str, Comparison] = dataclasses.field(default_factory=dict)
    draws: int = 0
    skipped_draws: int = 0
    events: dict[str, tuple[EventResult, ...]] = dataclasses.field(
        default_factory=dict
    )
    frame_rate: float | None = None
    regions: int = 0
    tracks: int = 0
    lambda_sweep: tuple[tuple[float, float], ...] = ()
    gamma_sweep: tuple[tuple[float, float], ...] = ()
    skipped: tuple[str, ...] = ()
    kinds: dict[str, KindResult] = dataclasses.field(default_factory=dict)
    distance_variation: float | None = None

    def title(self, score: str) -> str:
        """Returns the name of a score in a table of these results."""
        title = TITLES.get(score, score)
        if score.startswith("online") and self.provenance.in_sample:
            return title + IN_SAMPLE
        return title


def write_results(results: Results, folder: Path) -> None:
    """Writes `results.json` into a folder; it appears whole or not at all."""
    text = msgspec.json.format(msgspec.json.encode(results), indent=1)
    atomic.write_bytes(folder / FILE, text + b"\n")


def read_results(folder: Path) -> Results:
    """Reads `results.json` from a folder.

    Raises:
        FileNotFoundError: where there are no results.
        ValueError: naming the file, where it is damaged.
    """
    scratch.restore(folder)
    path = folder / FILE
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run `lgn evaluate` first")
    contents = untrusted.read_bytes(path, MOST_BYTES)
    try:
        found = msgspec.json.decode(contents, type=Results)
        untrusted.require_moderate(msgspec.to_builtins(found))
        _require_shown(found)
        return found
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path}: not the results of an evaluation of this version; "
            f"`lgn evaluate` makes them anew. Found there: {error}"
        ) from error


def _require_shown(found: Results) -> None:
    """Refuses what no chart and no table of these results could show."""
    if not 0 <= found.provenance.normality_weight <= 1:
        raise ValueError(
            f"the normality weight {found.provenance.normality_weight:g}"
        )
    if "paper" not in found.scores:
        raise ValueError("no score `paper`")
    curves = [
        *(one.curve for one in found.scores.values()),
        *(one.curve for one in found.baselines.values()),
        *(one.region_curve for one in found.maps.values()),
        *(one.track_curve for one in found.maps.values()),
    ]
    if not all(len(one.x) == len(one.y) for one in curves if one):
        raise ValueError("a curve with more places than values")
