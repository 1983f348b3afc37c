"""Serves a run's export and compares: REST's scores with the evaluation's.

The first test video goes over the wire as PNG files, the memory goes along
where the run updates it at test time, and every score must be the one that
`lgn evaluate` has stored.
"""

import base64
import dataclasses
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
from numpy.typing import NDArray

from lgn_tf import calibration as calibration_module
from lgn_tf import checkpoints, config, measures, provenance
from lgn_tf.data import sources
from lgn_tf.serving.model_settings import ModelSettings
from lgn_tf.serving.server import EmbeddedServer

MODEL = "lgn_net"
MOST_FRAMES = 24
TOLERANCE = {"psnr": 1e-3, "distance": 1e-5, "regular_score": 1e-5}
"""Largest difference of a score; `online` may differ by 1e-4."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What was compared.

    Attributes:
        video: its name.
        frames: scored frames.
        differences: the largest of each measure.
    """

    video: str
    frames: int
    differences: dict[str, float]


def check(run_dir: Path, models: Path) -> Comparison:
    """Serves `models` and asks for the scores of the run's first test video.

    Args:
        run_dir: an evaluated run.
        models: the folder of the versions that were exported from it.

    Returns:
        A `Comparison`.

    Raises:
        FileNotFoundError: where the run is not evaluated.
        ValueError: where a score differs.
    """
    settings = checkpoints.read_config(run_dir)
    source = sources.open_source(settings).store.split("test")
    count = min(MOST_FRAMES, source.frame_counts[0])
    name = source.names[0]
    stored = measures.read(run_dir / "evaluation", name)
    path = run_dir / checkpoints.CALIBRATION
    fitted = calibration_module.load(path) if path.is_file() else None
    gamma = provenance.threshold(settings, fitted, None)
    files = [_as_file(each) for each in source.read(0, 0, count)]
    served = (ModelSettings(MODEL, models),)
    with EmbeddedServer(lambda: served) as server:
        base = f"http://127.0.0.1:{server.rest_port}"
        with httpx.Client(base_url=base, timeout=600, trust_env=False) as http:
            found = _scores(http, files, settings, gamma)
    differences = {
        key: float(np.abs(found[key] - wanted[: len(found[key])]).max())
        for key, wanted in dataclasses.asdict(stored).items()
        if key in found and wanted is not None
    }
    for key, difference in differences.items():
        if not difference <= TOLERANCE.get(key, 1e-4):
            raise ValueError(
                f"{models}: {key} of {name} must be that of "
                f"{run_dir / 'evaluation'}. Found there: a difference of "
                f"{difference:.2g}"
            )
    return Comparison(name, len(found["psnr"]), differences)


def _as_file(frame: NDArray[np.uint8]) -> dict[str, str]:
    contents = cv2.imencode(".png", frame)[1].tobytes()
    return {"b64": base64.b64encode(contents).decode()}


def _scores(
    http: httpx.Client, files: list[Any], settings: config.Config, gamma: float
) -> dict[str, NDArray[Any]]:
    whole = _ask(http, "score_video_encoded", {"encoded_frames": [files]})
    found = {key: np.array(values[0]) for key, values in whole.items()}
    if not found.pop("valid").all():
        raise ValueError("The server could not decode all frames")
    if "anomaly_score" in found:
        # With the trained items, whatever gamma is.
        found["online"] = found.pop("anomaly_score")
    if gamma:
        found |= _with_memory(http, files, settings.model, gamma)
    return found


def _with_memory(
    http: httpx.Client,
    files: list[Any],
    model: config.ModelConfig,
    gamma: float,
) -> dict[str, NDArray[Any]]:
    """Scores frame by frame, and carries the items."""
    metadata = http.get(f"/v1/models/{MODEL}/metadata").json()
    signature = metadata["metadata"]["signature_def"]["signature_def"][
        "score_with_memory_encoded"
    ]
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
