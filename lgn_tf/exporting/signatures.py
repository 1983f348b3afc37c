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

DEFAULT = "serving_default"
MAX_SIDE = 4096
"""Largest width and height of an encoded picture, checked before decoding."""

MAX_VIDEO_FRAMES = 256
"""Most frames of one video in one request, unless the export says another."""

PICTURE_SCALE = 0.5
"""Root of the mean squared error of a pixel that has the last colour of an
`error_map_bytes` picture; 0 has the first."""


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
class Tensor:
    """One named input or output.

    Attributes:
        name: its key in requests and answers.
        dtype: "uint8", "float32", "bool" or "string".
        shape: sizes; None where any goes. The first is the batch.
        meaning: one line for people.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    meaning: str


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


def raw_frames(count: int | None) -> Tensor:
    """Returns the input of `count` decoded frames a row."""
    return Tensor(
        "frames",
        "uint8",
        (None, count, None, None, 3),
        "frames of any size, oldest first, red, green, blue",
    )


def encoded_frames(count: int | None) -> Tensor:
    """Returns the input of `count` JPEG or PNG files a row."""
    return Tensor(
        "encoded_frames",
        "string",
        (None, count),
        "JPEG or PNG files, oldest first; each row may have its own size",
    )


def scores(
    model: ModelConfig, calibrated: bool, windows: tuple[None, ...] = ()
) -> tuple[Tensor, ...]:
    """Returns the outputs that every endpoint has.

    Args:
        model: decides whether there is a distance.
        calibrated: whether the export holds a calibration, without which
            there is no online score.
        windows: `(None,)` where a row holds several windows.
    """
    shape = (None, *windows)
    result = [
        Tensor(
            "valid",
            "bool",
            shape,
            "false where a picture of the window could not be used; its "
            "scores then say nothing",
        ),
        Tensor("psnr", "float32", shape, "of the last frame, in dB (Eq. 13)"),
        Tensor(
            "regular_score",
            "float32",
            shape,
            "weighted squared error; below gamma the memory may learn (Eq. 8)",
        ),
    ]
    if model.variant != "loc_net":
        result.append(
            Tensor(
                "distance", "float32", shape, "to the nearest items (Eq. 14)"
            )
        )
    if calibrated:
        result += [
            Tensor("normality", "float32", shape, "online, 1 is normal"),
            Tensor("anomaly_score", "float32", shape, "online, 1 is abnormal"),
        ]
    return tuple(result)


def maps(model: ModelConfig) -> tuple[Tensor, ...]:
    """Returns the heavy outputs of `predict`."""
    height, width = model.image_size
    result = [
        Tensor(
            "predicted_frame",
            "float32",
            (None, height, width, 3),
            "red, green, blue in [0, 1]",
        ),
        Tensor(
            "error_map",
            "float32",
            (None, height, width),
            "mean over channels of the squared error on [0, 1]",
        ),
    ]
    if model.variant != "loc_net":
        result.append(
            Tensor(
                "distance_map",
                "float32",
                (None, height // 8, width // 8),
                "distance of each query to its nearest item",
            )
        )
    return tuple(result)


PICTURES = (
    Tensor("predicted_frame_bytes", "string", (None,), "a PNG file"),
    Tensor(
        "error_map_bytes",
        "string",
        (None,),
        f"a PNG file; its colours end at an error of {PICTURE_SCALE}",
    ),
)


def memory(model: ModelConfig, item_dim: int) -> tuple[Tensor, Tensor]:
    """Returns the items and the threshold that a caller keeps.

    Args:
        model: says how many items there are.
        item_dim: numbers of one item.
    """
    items = Tensor(
        "items",
        "float32",
        (None, model.memory_items, item_dim),
        "the memory of the row; all zeros stands for the exported items",
    )
    gamma = Tensor(
        "gamma",
        "float32",
        (None,),
        "a regular score below it updates the items; 0 never does",
    )
    return items, gamma


def told_motion(endpoint: Endpoint, cells: tuple[int, int]) -> Endpoint:
    """Returns the endpoint like one of `TOLD_MOTION` that is told the motion.

    A graph computes no optical flow: the caller does, and the online score is
    that of all cues.

    Args:
        endpoint: that is told nothing.
        cells: rows and columns of `motion.Motion.cells` of a frame.
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
        model: what the network looks like.
        calibrated: whether the export holds a calibration.
        item_dim: numbers of one item; None for a model without memory.
        cells: rows and columns of the motion of a frame, where it has a part
            in the online score of all cues.
    """
    window = model.frames + 1
    raw, encoded = raw_frames(window), encoded_frames(window)
    plain = scores(model, calibrated)
    along = scores(model, calibrated, (None,))
    result = [
        Endpoint(DEFAULT, "scores of decoded frames", (raw,), plain),
        Endpoint("score_encoded", "scores of picture files", (encoded,), plain),
        Endpoint(
            "predict",
            "scores, the predicted frame and the maps as numbers",
            (raw,),
            plain + maps(model),
        ),
        Endpoint(
            "predict_encoded",
            "scores, the predicted frame and the error as pictures",
            (encoded,),
            plain + PICTURES,
        ),
        Endpoint(
            "score_video",
            "scores of every window of a piece of video",
            (raw_frames(None),),
            along,
        ),
        Endpoint(
            "score_video_encoded",
            "scores of every window of a piece of video, from picture files",
            (encoded_frames(None),),
            along,
        ),
    ]
    if item_dim is not None:
        items, gamma = memory(model, item_dim)
        changed = dataclasses.replace(items, meaning="the memory afterwards")
        result += [
            Endpoint(
                name,
                "scores, with a memory that the caller keeps and that learns",
                (frames, items, gamma),
                (*plain, changed),
            )
            for name, frames in (
                ("score_with_memory", raw),
                ("score_with_memory_encoded", encoded),
            )
        ]
    if cells is not None:
        result += [
            told_motion(each, cells)
            for each in result
            if each.name in TOLD_MOTION
        ]
    return tuple(result)
