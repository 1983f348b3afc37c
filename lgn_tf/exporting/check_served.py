"""Serves an exported run, and compares its answers with the evaluation.

The first test video goes over the wire as PNG files, the memory goes along
where the run updates it at test time, and the motion where the export is told
it. Every score must be the one that `lgn evaluate` has stored. An online score
that it has not stored, or with other weights of the cues than the export's, is
scored anew by its code.
"""

import base64
import contextlib
import dataclasses
import itertools
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
from numpy.typing import NDArray

from lgn_serving.failure import Failure
from lgn_serving.models import catalogue
from lgn_serving.models.settings import ModelSettings, version_folders
from lgn_serving.models.version import AVAILABLE
from lgn_serving.server import EmbeddedServer
from lgn_tf.config import schema
from lgn_tf.data.datasets.dataset import Video
from lgn_tf.data.video import footage, optical_flow
from lgn_tf.exporting import model_card, saved_model
from lgn_tf.runs import directory
from lgn_tf.runs.run import Run
from lgn_tf.scores import motion_scores, video_scores
from lgn_tf.scores.calibration import Calibration
from lgn_tf.scores.cue_values import CUES, IN_GRAPH

MODEL = "lgn_net"
MOST_FRAMES = 24
TOLERANCE = {"psnr": 1e-3, "distance": 1e-5, "regular_score": 1e-5}
"""Largest difference of a score; the online ones may differ by 1e-4."""

TOLD = "score_video_with_motion_encoded"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Differences between served and stored scores.

    Attributes:
        video: its name.
        frames: scored frames.
        differences: the largest of each measure.
        anew: reasons, for the measures that were scored anew.
    """

    video: str
    frames: int
    differences: dict[str, float]
    anew: dict[str, str]


def check(run: Run, models: Path) -> Comparison:
    """Serves `models` and asks for the scores of the run's first test video.

    Args:
        run: an evaluated run.
        models: the folder of the versions that were exported from it.

    Returns:
        A `Comparison`.

    Raises:
        FileNotFoundError: where the run is not evaluated.
        ValueError: where a score differs, or no version can be served.
    """
    run = run.changed(cue_weights=_served_weights(models))
    settings, test_set = run.config, run.test_set()
    clips = test_set.footage
    count = min(MOST_FRAMES, clips.frame_counts[0])
    name, frames = clips.names[0], clips.read(0, 0, count)
    moved = None
    served = (ModelSettings(MODEL, models),)
    with _quiet(), EmbeddedServer(lambda: served) as server:
        _require_available(server, models)
        base = f"http://127.0.0.1:{server.rest_port}"
        with httpx.Client(base_url=base, timeout=600, trust_env=False) as http:
            if TOLD in _signatures(http):
                video = test_set.videos[name]
                moved = _motion(video, count)[settings.model.frames :]
            files = [_as_file(each) for each in frames]
            found = _scores(http, files, settings, run.gamma(), moved)
    wanted, anew = _expected(run, name, frames, moved)
    differences = {
        key: float(np.abs(found[key] - series[: len(found[key])]).max())
        for key, series in wanted.items()
        if key in found and series is not None
    }
    for key, difference in differences.items():
        if not difference <= TOLERANCE.get(key, 1e-4):
            how = ", scored anew" if key in anew else ""
            raise ValueError(
                f"{models}: {key} of {name} must be that of "
                f"{run.folder / directory.EVALUATION}{how}. Found there: a "
                f"difference of {difference:.2g}"
            )
    return Comparison(name, len(found["psnr"]), differences, anew)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the server from logging why it loads no version: we raise that."""
    log = logging.getLogger(catalogue.__name__)
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


def _require_available(server: EmbeddedServer, models: Path) -> None:
    """Refuses to ask a server that has loaded nothing, and says why."""
    try:
        versions = server.catalogue.status(MODEL)
    except Failure as failure:
        raise ValueError(
            f"{models}: must hold numbered folders, one a version. "
            "Found there: none"
        ) from failure
    if not any(version.state == AVAILABLE for version in versions):
        newest = versions[0]
        raise ValueError(
            f"{models / str(newest.number)}: cannot be served. "
            f"Found there: {newest.message}"
        )


def _served_weights(models: Path) -> dict[str, float]:
    """Returns the weights of the cues in the newest version, by name."""
    versions = version_folders(models)
    if not versions:
        return {}
    extra = versions[max(versions)] / saved_model.EXTRA
    if not (extra / model_card.JSON).is_file():
        return {}
    return model_card.read_config(extra).scoring.cue_weights


def _motion(video: Video, count: int) -> NDArray[np.float32]:
    """Measures the first frames of a test video in their own size."""
    frames = itertools.islice(footage.read_frames(video), count)
    return np.stack([one.cells for one in optical_flow.measured(frames)])


def _expected(
    run: Run,
    name: str,
    frames: NDArray[np.uint8],
    moved: NDArray[np.float32] | None,
) -> tuple[dict[str, Any], dict[str, str]]:
    """Returns every measure, and the reasons for those scored anew."""
    evaluation = run.folder / directory.EVALUATION
    stored = video_scores.read_scores(evaluation, name)
    wanted = dataclasses.asdict(stored)
    anew: dict[str, str] = {}
    fitted = run.calibration
    if fitted is None:
        return wanted, anew
    if stored.online_motion is None:
        anew["online_motion"] = "the evaluation holds none"
    weights = _evaluated_weights(run, fitted)
    for key, cues in (
        ("online", IN_GRAPH),
        ("online_motion", CUES),
    ):
        if any(weights.get(c) != fitted.cue_weights.get(c) for c in cues):
            words = model_card.weights_text(weights)
            anew[key] = f"the evaluation weighs the cues otherwise: {words}"
    if moved is None:
        anew.pop("online_motion", None)
    if anew:
        scorer = run.scorer(gamma=0.0)
        (scores,) = scorer.score(name, [frames])
        if "online" in anew:
            wanted["online"] = scores.online
        if moved is not None and "online_motion" in anew:
            strengths = [fitted.strength(cells) for cells in moved]
            wanted["online_motion"] = motion_scores.score_with_motion(
                scores, fitted, strengths
            )
    return wanted, anew


def _evaluated_weights(run: Run, fitted: Calibration) -> dict[str, float]:
    """Returns the weights of the cues that the evaluation has."""
    evaluated = run.results
    if evaluated is not None and evaluated.provenance.cue_weights:
        return evaluated.provenance.cue_weights
    # An earlier version has not written them: those of the run.
    weights = Run(run.folder).config.scoring.cue_weights
    return {cue: weights[cue] for cue in fitted.cues}


def _as_file(frame: NDArray[np.uint8]) -> dict[str, str]:
    contents = cv2.imencode(".png", frame)[1].tobytes()
    return {"b64": base64.b64encode(contents).decode()}


def _signatures(http: httpx.Client) -> dict[str, Any]:
    metadata = http.get(f"/v1/models/{MODEL}/metadata").json()
    return dict(metadata["metadata"]["signature_def"]["signature_def"])


def _scores(
    http: httpx.Client,
    files: list[Any],
    settings: schema.Config,
    gamma: float,
    moved: NDArray[np.float32] | None,
) -> dict[str, NDArray[Any]]:
    inputs = {"encoded_frames": [files]}
    found = _whole(http, "score_video_encoded", inputs)
    if "anomaly_score" in found:
        # With the trained items, whatever gamma is.
        found["online"] = found.pop("anomaly_score")
    if moved is not None:
        told = _whole(http, TOLD, inputs | {"motion": [moved.tolist()]})
        found["online_motion"] = told["anomaly_score"]
    if gamma:
        found |= _with_memory(http, files, settings.model, gamma)
    return found


def _whole(
    http: httpx.Client, signature: str, inputs: dict[str, Any]
) -> dict[str, NDArray[Any]]:
    """Scores the video in one request."""
    answer = _ask(http, signature, inputs)
    found = {key: np.array(values[0]) for key, values in answer.items()}
    if not found.pop("valid").all():
        raise ValueError("The server could not decode all frames")
    return found


def _with_memory(
    http: httpx.Client,
    files: list[Any],
    model: schema.ModelConfig,
    gamma: float,
) -> dict[str, NDArray[Any]]:
    """Scores frame by frame, and carries the items."""
    signature = _signatures(http)["score_with_memory_encoded"]
    shape = signature["inputs"]["items"]["tensor_shape"]["dim"]
    # Zeros stand for the trained items.
    items: Any = np.zeros([int(dim["size"]) for dim in shape[1:]])[None]
    items = items.tolist()
    rows = []
    for start in range(len(files) - model.frames):
        window = files[start : start + model.frames + 1]
        found = _ask(
            http,
            "score_with_memory_encoded",
            {"encoded_frames": [window], "items": items, "gamma": [gamma]},
        )
        items = found.pop("items")
        rows.append(found)
    return {
        key: np.array([row[key][0] for row in rows])
        for key in ("psnr", "regular_score", "distance")
    }


def _ask(http: httpx.Client, signature: str, inputs: Any) -> dict[str, Any]:
    answer = http.post(
        f"/v1/models/{MODEL}:predict",
        json={"signature_name": signature, "inputs": inputs},
    ).json()
    if "error" in answer:
        raise ValueError(f"The server refused: {answer['error']}")
    return dict(answer["outputs"])
