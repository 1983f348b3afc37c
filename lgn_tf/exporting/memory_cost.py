"""How much memory a request needs inside an exported graph.

The graph is run once for each kind of endpoint, and TensorFlow says how many
bytes were allocated at the same time. A server charges requests by these
numbers before it runs them.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lgn_serving.costs import Memory
from lgn_serving.models.graph_session import quiet_load
from lgn_tf.config.schema import ModelConfig
from lgn_tf.data.video import untrusted_images
from lgn_tf.exporting import signatures
from lgn_tf.exporting.signatures import Endpoint
from lgn_tf.exporting.video_graph import CHUNK

_VIDEO = "score_video"

_FRAME_COPIES = 16
"""Bytes for each number of a decoded frame. Where pictures are put in their
places they are 32-bit integers twice, and in three steps before and after."""

_OUTPUT_COPIES = 4
"""Copies of an output while it is computed and sent."""


def measure(
    version: Path, endpoints: Sequence[Endpoint], model: ModelConfig
) -> dict[str, Memory]:
    """Runs an exported version, and returns what its endpoints need.

    Args:
        version: the folder that holds `saved_model.pb`.
        endpoints: of the version.
        model: says how large and how many the frames are.

    Raises:
        OSError: where the version cannot be run.
    """
    window, frame = model.frames + 1, _FRAME_COPIES * _numbers(model)
    with _Session(version) as session:
        one, two = (
            session.peak(signatures.DEFAULT, (rows, window, *model.image_size))
            for rows in (1, 2)
        )
        length = window + CHUNK - 1
        video = session.peak(_VIDEO, (1, length, *model.image_size))
    # Never less than the frames themselves, as bytes and as floats.
    row = max(two - one, 5 * window * _numbers(model))
    result = {}
    for endpoint in endpoints:
        is_video = endpoint.name.startswith(_VIDEO)
        result[endpoint.name] = Memory(
            frames=endpoint.inputs[0].name,
            request=max(video - length * frame if is_video else one - row, 0),
            row=0 if is_video else row + _outputs(endpoint, model),
            frame=frame,
            # The decoded picture, and its channels in the other order.
            pixel=untrusted_images.PARALLEL * 2 * 3,
            # Resizing holds four times the columns of the result in float64.
            line=untrusted_images.PARALLEL * 4 * 3 * 8 * model.image_size[1],
            side=signatures.MAX_SIDE,
        )
    return result


def _numbers(model: ModelConfig) -> int:
    return math.prod(model.image_size) * model.channels


def _outputs(endpoint: Endpoint, model: ModelConfig) -> int:
    """Returns the bytes of the large outputs of one row."""
    numbers = sum(
        math.prod(size or 1 for size in each.shape)
        if each.dtype != "string"
        else math.prod(model.image_size) * 3
        for each in endpoint.outputs
    )
    return 4 * numbers * _OUTPUT_COPIES


class _Session:
    """A version, loaded as a server loads it; a context manager."""

    def __init__(self, version: Path) -> None:
        import tensorflow as tf

        self._v1 = tf.compat.v1
        graph = tf.Graph()
        self._session = self._v1.Session(graph=graph)
        try:
            with graph.as_default():
                loaded = quiet_load(tf, self._session, version)
            self._signatures: Mapping[str, Any] = loaded.signature_def
        except BaseException:
            self._session.close()
            raise

    def __enter__(self) -> "_Session":
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def peak(self, name: str, shape: tuple[int, ...]) -> int:
        """Returns the most bytes that are allocated at the same time.

        Args:
            name: of a signature that takes decoded frames alone.
            shape: (rows, frames, height, width) of the request.
        """
        signature = self._signatures[name]
        (frames,) = signature.inputs.values()
        found = self._v1.RunMetadata()
        options = self._v1.RunOptions(
            trace_level=self._v1.RunOptions.SOFTWARE_TRACE
        )
        self._session.run(
            [each.name for each in signature.outputs.values()],
            {frames.name: np.zeros((*shape, 3), np.uint8)},
            options=options,
            run_metadata=found,
        )
        return _peak(found.step_stats)


def _peak(stats: Any) -> int:
    """Returns the most bytes of allocations that were not freed."""
    changes = np.array(
        [
            (record.alloc_micros, record.alloc_bytes)
            for device in stats.dev_stats
            for node in device.node_stats
            for memory in node.memory
            for record in memory.allocation_records
        ],
        np.int64,
    ).reshape(-1, 2)
    ordered = changes[np.argsort(changes[:, 0], kind="stable"), 1]
    return int(np.cumsum(ordered).max(initial=0))
