"""The functions behind the served endpoints, as TensorFlow graphs.

    bytes or uint8 -> prepare -> encode -> read, decode -> measures

Frames arrive red, green, blue and in any size. They go through
`data.video.preprocessing`, as the frames of training did. Nothing is ever
written: where the memory learns, its items come with the request and go back
with the answer.

Letters: B rows of the batch, T frames of a row, V windows, n input frames,
H height, W width, C channels, h and w of the frames as they came.
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from keras import ops

from lgn_tf.data.video import preprocessing
from lgn_tf.exporting import signatures
from lgn_tf.exporting.intake import Intake, required
from lgn_tf.exporting.request_limits import RequestLimits
from lgn_tf.exporting.served_scores import ServedScores
from lgn_tf.exporting.tensors import PICTURE_SCALE
from lgn_tf.exporting.video_graph import CHUNK, VideoGraph
from lgn_tf.model.outputs import Encoding
from lgn_tf.model.prototypes import MemoryReadout
from lgn_tf.scores import frame_scores

Outputs = dict[str, Any]

_LIMITS = RequestLimits()


class Endpoints:
    """Builds the function of each signature.

    Args:
        model: an `LGNNet` on the TensorFlow backend.
        statistics: `evidence.Statistics`, or None for no online score.
        limits: how large a request may be.
        chunk: windows of a video that are scored at once.
        moving: `evidence.Statistics` with motion, for endpoints that are told
            it; or None for none.
    """

    def __init__(
        self,
        model: Any,
        statistics: Any,
        limits: RequestLimits = _LIMITS,
        chunk: int = CHUNK,
        moving: Any = None,
    ) -> None:
        """Stores the arguments; the graphs are built when called."""
        import tensorflow as tf

        self._tf = tf
        self._model = model
        self._measures = ServedScores(model, statistics, moving)
        self._intake = Intake(model, limits)
        self._score_video = VideoGraph(model, self._measures, chunk)
        self._window = model.frames + 1
        colours = cv2.applyColorMap(
            np.arange(256, dtype=np.uint8), cv2.COLORMAP_INFERNO
        )
        self._colours = colours[:, 0, ::-1].copy()

        def forward(clips: Any) -> tuple[Any, Any]:
            encoding = model.encode(clips)
            readout = model.read(encoding)
            return model.decode(encoding, readout), readout

        # Functions of their own, so that the graph holds them once and not
        # once an endpoint.
        self._forward = tf.function(forward, autograph=False)
        self._encode = tf.function(model.encode, autograph=False)
        self._decode = tf.function(model.decode, autograph=False)

    def functions(self) -> dict[str, Callable[..., Outputs]]:
        """Returns every endpoint's function, by the endpoint's name.

        Each takes its inputs in the order of `signatures.endpoints`.
        """
        raw, encoded = self._intake.from_raw, self._intake.from_encoded
        result: dict[str, Callable[..., Outputs]] = {
            signatures.DEFAULT: lambda x, motion=None: self._score(
                *raw(x), motion
            ),
            "score_encoded": lambda x, motion=None: self._score(
                *encoded(x), motion
            ),
            "predict": lambda x: self._predict(*raw(x)),
            "predict_encoded": lambda x: self._draw(*encoded(x)),
            "score_video": lambda x, motion=None: self._score_videos(
                *raw(x, True), motion
            ),
            "score_video_encoded": lambda x, motion=None: self._score_videos(
                *encoded(x, True), motion
            ),
        }
        if self._model.has_memory:
            result["score_with_memory"] = lambda x, items, gamma: self._learn(
                *raw(x), items, gamma
            )
            result["score_with_memory_encoded"] = lambda x, items, gamma: (
                self._learn(*encoded(x), items, gamma)
            )
        if self._measures.moving is not None:
            for like, name in signatures.TOLD_MOTION.items():
                result[name] = result[like]
        return result

    def _score(self, frames: Any, usable: Any, motion: Any = None) -> Outputs:
        target, prediction, readout = self._run(frames)
        valid = self._tf.reduce_all(usable, axis=1)
        if motion is not None:
            motion, valid = self._intake.with_motion(
                motion, valid, self._measures.moving.motion.scale.shape
            )
        return {
            "valid": valid,
            **self._measures(target, prediction, readout, motion),
        }

    def _run(self, frames: Any) -> tuple[Any, Any, Any]:
        """Predicts the last of n + 1 frames, uint8 (B, n + 1, H, W, C)."""
        frames = preprocessing.to_float(self._shaped(frames, self._window))
        return frames[:, -1], *self._forward(frames[:, :-1])

    def _shaped(self, frames: Any, count: int | None) -> Any:
        model = self._model
        size = (*model.image_size, model.channels)
        return self._tf.ensure_shape(frames, (None, count, *size))

    def _predict(self, frames: Any, usable: Any) -> Outputs:
        target, prediction, readout = self._run(frames)
        result = {
            "valid": self._tf.reduce_all(usable, axis=1),
            **self._measures(target, prediction, readout),
            "predicted_frame": self._colour((prediction + 1.0) / 2.0),
            "error_map": ops.mean(
                frame_scores.error_map(target, prediction), axis=-1
            ),
        }
        if readout:
            result["distance_map"] = readout.distance
        return result

    def _colour(self, picture: Any) -> Any:
        """Turns channels in the model's order into red, green, blue."""
        if picture.shape[-1] == 1:
            return self._tf.repeat(picture, 3, axis=-1)
        return self._tf.reverse(picture, [-1])

    def _draw(self, frames: Any, usable: Any) -> Outputs:
        tf = self._tf
        target, prediction, readout = self._run(frames)
        errors = ops.mean(frame_scores.error_map(target, prediction), axis=-1)
        share = tf.sqrt(errors) / PICTURE_SCALE
        level = tf.cast(tf.round(tf.minimum(share, 1.0) * 255.0), tf.int32)
        drawn = {
            "predicted_frame_bytes": self._colour(
                preprocessing.to_uint8(prediction)
            ),
            "error_map_bytes": tf.gather(tf.constant(self._colours), level),
        }
        return {
            "valid": tf.reduce_all(usable, axis=1),
            **self._measures(target, prediction, readout),
            **{
                name: tf.map_fn(
                    tf.io.encode_png, values, fn_output_signature=tf.string
                )
                for name, values in drawn.items()
            },
        }

    def _learn(
        self, frames: Any, usable: Any, items: Any, gamma: Any
    ) -> Outputs:
        """Scores each row with its own items, then updates them."""
        tf, model = self._tf, self._model
        own = ops.convert_to_tensor(model.memory.items)  # (I, D)
        rows = tf.shape(frames)[0]
        items = tf.ensure_shape(items, (None, *own.shape))
        gamma = tf.ensure_shape(gamma, (None,))
        items = required(
            items,
            (
                tf.shape(items)[0] == rows,
                "frames and items must have as many rows",
            ),
            (tf.size(gamma) == rows, "gamma must be one a row"),
        )
        sound = tf.math.is_finite(items)
        sound = tf.reduce_all(sound, axis=(1, 2)) & tf.math.is_finite(gamma)
        fresh = tf.reduce_all(items == 0, axis=(1, 2)) | ~sound
        items = tf.where(fresh[:, None, None], own, items)
        frames = preprocessing.to_float(self._shaped(frames, self._window))
        encoding = self._encode(frames[:, :-1])
        readout = self._read_own(encoding, items)
        target, prediction = frames[:, -1], self._decode(encoding, readout)
        measures = self._measures(target, prediction, readout)
        valid = tf.reduce_all(usable, axis=1) & sound
        learns = valid & (measures["regular_score"] < gamma)
        updated = tf.map_fn(
            lambda row: model.memory.updated(*row),
            (encoding.queries, items),
            fn_output_signature=tf.TensorSpec(own.shape, tf.float32),
        )
        items = tf.where(learns[:, None, None], updated, items)
        return {"valid": valid, **measures, "items": items}

    def _read_own(self, encoding: Any, items: Any) -> Any:
        def read(row: tuple[Any, Any]) -> Any:
            queries, own = row
            found = self._model.read(Encoding(queries=queries[None]), own)
            return found.features[0], found.distance[0]

        tf = self._tf
        _, height, width, dim = encoding.queries.shape
        features, distance = tf.map_fn(
            read,
            (encoding.queries, items),
            fn_output_signature=(
                tf.TensorSpec((height, width, dim), tf.float32),
                tf.TensorSpec((height, width), tf.float32),
            ),
        )
        return MemoryReadout(features, (), (), distance, ())

    def _score_videos(
        self, frames: Any, usable: Any, motion: Any = None
    ) -> Outputs:
        """Scores every window of each video, one video after the other."""
        tf = self._tf
        valid = self._intake.of_windows(usable)
        rows = [self._shaped(frames, None)]
        if motion is not None:
            motion, valid = self._intake.with_motion(
                motion, valid, self._measures.moving.motion.scale.shape
            )
            rows.append(motion)
        measures = tf.map_fn(
            lambda row: self._score_video(*row),
            rows,
            fn_output_signature={
                name: tf.TensorSpec((None,), tf.float32)
                for name in self._measures.names
            },
            parallel_iterations=1,
        )
        return {"valid": valid, **measures}
