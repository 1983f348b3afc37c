"""Inputs and outputs of served endpoints: names, types, shapes, meanings."""

import dataclasses

from lgn_tf.config.schema import ModelConfig

PICTURE_SCALE = 0.5
"""Root of the mean squared error of a pixel that has the last colour of an
`error_map_bytes` picture; 0 has the first."""


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


def score_tensors(
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


def map_tensors(model: ModelConfig) -> tuple[Tensor, ...]:
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


def memory_tensors(model: ModelConfig, item_dim: int) -> tuple[Tensor, Tensor]:
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
