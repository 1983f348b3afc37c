"""Warm-up requests, which a server sends to a new version before its use.

TensorFlow Serving sends them when it has loaded a version, so that no client
waits for the first run. They lie in the version's `assets.extra`, as records
of `PredictionLog`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lgn_tf.config.schema import ModelConfig
from lgn_tf.exporting.signatures import Endpoint
from lgn_tf.exporting.tensors import Tensor

FILE = "tf_serving_warmup_requests"

MOST_BYTES = 64 * 2**20
"""How large the file may be."""


def write_requests(
    path: Path,
    endpoints: Sequence[Endpoint],
    model: ModelConfig,
    batch_sizes: Sequence[int],
) -> int:
    """Writes a request for each endpoint and batch size.

    Args:
        path: of the file.
        endpoints: of the exported model.
        model: says how large and how many the frames are.
        batch_sizes: rows of the requests; best 1 and those of the server's
            batching.

    Returns:
        The size of the file in bytes.

    Raises:
        ValueError: where the file would be larger than `MOST_BYTES`.
        OSError: where it cannot be written.
    """
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    black = np.zeros((*model.image_size, 3), np.uint8)
    picture = cv2.imencode(".png", black)[1].tobytes()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for endpoint in endpoints:
            for rows in batch_sizes:
                log = prediction_log_pb2.PredictionLog()
                request = log.predict_log.request
                request.model_spec.signature_name = endpoint.name
                for tensor in endpoint.inputs:
                    shape = _shape(tensor, rows, model)
                    _fill(request.inputs[tensor.name], tensor, shape, picture)
                writer.write(log.SerializeToString())
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise ValueError(
            f"Warm-up requests must have {MOST_BYTES} bytes at most. "
            f"Received: {size} bytes of batch sizes {tuple(batch_sizes)}"
        )
    return size


def _shape(tensor: Tensor, rows: int, model: ModelConfig) -> list[int]:
    # Where any size goes: as many rows as asked, frames of one window, the
    # model's height and width. The motion is that of windows.
    count = 1 if tensor.name == "motion" else model.frames + 1
    usual = [rows, count, *model.image_size, 3]
    return [
        usual[place] if size is None else size
        for place, size in enumerate(tensor.shape)
    ]


def _fill(message: Any, tensor: Tensor, shape: list[int], text: bytes) -> None:
    import tensorflow as tf

    message.dtype = tf.dtypes.as_dtype(tensor.dtype).as_datatype_enum
    for size in shape:
        message.tensor_shape.dim.add(size=size)
    # One value stands for all that would follow.
    if tensor.dtype == "string":
        message.string_val.append(text)
    elif tensor.dtype == "float32":
        message.float_val.append(0.0)
    else:
        message.int_val.append(0)
