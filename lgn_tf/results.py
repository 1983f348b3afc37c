"""What an evaluation found, as one frozen value that goes to and from JSON."""

import dataclasses
import types
from collections.abc import Mapping
from pathlib import Path

import msgspec

from lgn_tf import atomic
from lgn_tf.roc import Curve

FILE = "results.json"

TITLES: Mapping[str, str] = types.MappingProxyType(
    {
        "paper": "paper (whole video)",
        "online": "online (past alone)",
        "online smoothed": "online, causal average",
        "psnr": "PSNR alone (whole video)",
        "psnr raw": "PSNR alone (past alone)",
        "distance": "distance alone (whole video)",
        "distance raw": "distance alone (past alone)",
    }
)
"""What each score is called in a table."""

IN_SAMPLE = ", in-sample"
"""Stands behind all that a calibration on fitted clips had a part in."""


@dataclasses.dataclass(frozen=True)
class Provenance:
    """What the numbers stand on.

    Attributes:
        dataset: its name.
        label_version: of the frame labels; empty where there are none.
        normality_weight: lambda of Eq. 17.
        weight_origin: how lambda was chosen, in words.
        update_threshold: gamma.
        threshold_origin: how gamma was chosen, in words.
        holdout: K, the training clips that were not fitted on.
        in_sample: whether the calibration saw clips that were fitted on; None
            for a run without calibration.
        seed: of the training run.
        epochs: that the weights were trained for.
        config_hash: SHA-256 of the configuration.
        weights: which weights, such as `last epoch`.
        memory_reset: whether each video began with the trained items.
    """

    dataset: str = ""
    label_version: str = ""
    normality_weight: float = 0.6
    weight_origin: str = ""
    update_threshold: float = 0.0
    threshold_origin: str = ""
    holdout: int = 0
    in_sample: bool | None = None
    seed: int = 0
    epochs: int = 0
    config_hash: str = ""
    weights: str = ""
    memory_reset: bool = False

    def title(self, score: str) -> str:
        """Returns what a score is called in a table of these results."""
        title = TITLES.get(score, score)
        calibrated = score.startswith("online")
        return title + (IN_SAMPLE if calibrated and self.in_sample else "")


@dataclasses.dataclass(frozen=True)
class ScoreResult:
    """How well one score tells abnormal frames.

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
    """

    micro_auc: float | None = None
    macro_auc: float | None = None
    eer: float | None = None
    gap: float | None = None
    curve: Curve | None = None


@dataclasses.dataclass(frozen=True)
class MapResult:
    """How well one map tells where the anomaly is.

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
        provenance: what the numbers stand on.
        scores: by name: `paper` (Eq. 17, minimum and maximum of the whole
            video), `online` (calibrated, from the past alone), `online
            smoothed`, and `psnr` and `distance`, each with the minimum and
            maximum of the video and `raw`.
        baselines: area of each score that needs no model.
        maps: by name, `error` and `online`; empty without masks.
        videos: one by one.
        scored_frames: of all videos.
        abnormal_frames: of them; None without labels.
        one_class_videos: videos that got two frames appended for the macro
            areas.
        regions: abnormal regions in the masks.
        tracks: into which they were linked, by overlap from frame to frame.
        lambda_sweep: (lambda, area of the paper's score).
        gamma_sweep: (gamma, area of the paper's score).
        skipped: names of the videos that are too short for a score.
    """

    provenance: Provenance
    scores: dict[str, ScoreResult]
    baselines: dict[str, float]
    maps: dict[str, MapResult]
    videos: tuple[VideoResult, ...]
    scored_frames: int
    abnormal_frames: int | None
    one_class_videos: int
    regions: int = 0
    tracks: int = 0
    lambda_sweep: tuple[tuple[float, float], ...] = ()
    gamma_sweep: tuple[tuple[float, float], ...] = ()
    skipped: tuple[str, ...] = ()


def write(results: Results, folder: Path) -> None:
    """Writes `results.json` into a folder; it appears whole or not at all."""
    text = msgspec.json.format(msgspec.json.encode(results), indent=1)
    atomic.write_bytes(folder / FILE, text + b"\n")


def read(folder: Path) -> Results:
    """Reads what `write` wrote.

    Raises:
        FileNotFoundError: where there are no results.
        ValueError: naming the file, where it is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run `lgn evaluate` first")
    try:
        return msgspec.json.decode(path.read_bytes(), type=Results)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path}: not the results of an evaluation. Found there: {error}"
        ) from error
