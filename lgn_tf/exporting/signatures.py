"""The wire contract: names, types and shapes of the served endpoints.

Every input and output carries the batch in its first dimension. Frames and
pictures on the wire are red, green, blue. A window is `frames` input frames
and the frame that is scored, oldest first: 5 with the paper's 4 input frames.
Numeric outputs are float32 whatever the model computes in. Encoded pictures
are JPEG or PNG files, none wider or higher than `MAX_SIDE`.

Bytes travel in JSON as `{"b64": "..."}`; an output of bytes ends in `_bytes`,
which is what tells TensorFlow Serving to send it so.
"""

import dataclasses
import types
from collections.abc import Mapping

from lgn_tf.config.schema import ModelConfig
from lgn_tf.exporting import tensors
from lgn_tf.exporting.tensors import Tensor

DEFAULT = "serving_default"
MAX_SIDE = 4096
"""Largest width and height of an encoded picture, checked before decoding."""

TOLD_MOTION: Mapping[str, str] = types.MappingProxyType(
    {
        DEFAULT: "score_with_motion",
        "score_encoded": "score_with_motion_encoded",
        "score_video": "score_video_with_motion",
        "score_video_encoded": "score_video_with_motion_encoded",
    }
)
"""Endpoints that are told the motion, by the one that each is like else."""

_OF_ALL_CUES = {
    "valid": "false where a picture of the window could not be used, or the "
    "motion is negative or no number; its scores then say nothing",
    "normality": "online, with motion; 1 is normal",
    "anomaly_score": "online, with motion; 1 is abnormal",
}


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """One signature of the exported model.

    Attributes:
        name: the signature's name.
        meaning: one line for people.
        inputs: what a request holds, in order.
        outputs: what an answer holds.
    """

    name: str
    meaning: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def told_motion(endpoint: Endpoint, cells: tuple[int, int]) -> Endpoint:
    """Returns the endpoint like one of `TOLD_MOTION` that is told the motion.

    A graph computes no optical flow: the caller does, and the online score is
    that of all cues.

    Args:
        endpoint: that is told nothing.
        cells: rows and columns of `optical_flow.Motion.cells` of a frame.
    """
    motion = Tensor(
        "motion",
        "float32",
        # One map a window, as there is one score.
        (*endpoint.outputs[0].shape, *cells),
        "of the last frame of the window: the mean length, in each cell, of "
        "the optical flow from the frame before, in shares of the longer side",
    )
    return Endpoint(
        TOLD_MOTION[endpoint.name],
        f"{endpoint.meaning} and the motion in them",
        (*endpoint.inputs, motion),
        tuple(
            dataclasses.replace(
                each, meaning=_OF_ALL_CUES.get(each.name, each.meaning)
            )
            for each in endpoint.outputs
        ),
    )


def endpoints(
    model: ModelConfig,
    calibrated: bool,
    item_dim: int | None,
    cells: tuple[int, int] | None = None,
) -> tuple[Endpoint, ...]:
    """Returns every endpoint of an exported model, the default one first.

    Args:
        model: of the configuration.
        calibrated: whether the export holds a calibration.
        item_dim: numbers of one item; None for a model without memory.
        cells: rows and columns of the motion of a frame, where it has a part
            in the online score of all cues.
    """
    result = [*_of_windows(model, calibrated), *_of_videos(model, calibrated)]
    if item_dim is not None:
        result += _with_memory(model, calibrated, item_dim)
    if cells is not None:
        result += [
            told_motion(each, cells)
            for each in result
            if each.name in TOLD_MOTION
        ]
    return tuple(result)


def _of_windows(model: ModelConfig, calibrated: bool) -> list[Endpoint]:
    window = model.frames + 1
    raw = (tensors.raw_frames(window),)
    encoded = (tensors.encoded_frames(window),)
    plain = tensors.score_tensors(model, calibrated)
    return [
        Endpoint(DEFAULT, "scores of decoded frames", raw, plain),
        Endpoint("score_encoded", "scores of picture files", encoded, plain),
        Endpoint(
            "predict",
            "scores, the predicted frame and the maps as numbers",
            raw,
            plain + tensors.map_tensors(model),
        ),
        Endpoint(
            "predict_encoded",
            "scores, the predicted frame and the error as pictures",
            encoded,
            plain + tensors.PICTURES,
        ),
    ]


def _of_videos(model: ModelConfig, calibrated: bool) -> list[Endpoint]:
    along = tensors.score_tensors(model, calibrated, (None,))
    meaning = "scores of every window of a piece of video"
    raw, encoded = tensors.raw_frames(None), tensors.encoded_frames(None)
    return [
        Endpoint("score_video", meaning, (raw,), along),
        Endpoint(
            "score_video_encoded",
            f"{meaning}, from picture files",
            (encoded,),
            along,
        ),
    ]


def _with_memory(
    model: ModelConfig, calibrated: bool, item_dim: int
) -> list[Endpoint]:
    window = model.frames + 1
    items, gamma = tensors.memory_tensors(model, item_dim)
    changed = dataclasses.replace(items, meaning="the memory afterwards")
    return [
        Endpoint(
            name,
            "scores, with a memory that the caller keeps and that learns",
            (frames, items, gamma),
            (*tensors.score_tensors(model, calibrated), changed),
        )
        for name, frames in (
            ("score_with_memory", tensors.raw_frames(window)),
            ("score_with_memory_encoded", tensors.encoded_frames(window)),
        )
    ]
