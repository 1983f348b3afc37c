"""Endpoints that score whole videos, chunk by chunk inside a graph.

Letters: V windows of a video, n input frames, H height, W width, C channels.
"""

from typing import Any

from lgn_tf.data.video import preprocessing
from lgn_tf.exporting.served_scores import ServedScores
from lgn_tf.inference.chunk_scorer import ChunkScorer

CHUNK = 8
"""Windows of a video that are scored at once."""


class VideoGraph:
    """Scores every window of a video; memory does not grow with their number.

    Args:
        model: an `LGNNet`.
        measures: names of the scores, and the statistics behind them.
        chunk: windows that are scored at once.
    """

    def __init__(
        self,
        model: Any,
        measures: ServedScores,
        chunk: int = CHUNK,
    ) -> None:
        """Stores the arguments; the graph is built when called."""
        self._model = model
        self._measures = measures
        self._chunk = chunk
        self._plain, self._told = (
            ChunkScorer(model, (0.0,), known, keep_predictions=False)
            for known in (measures.statistics, measures.moving)
        )

    def __call__(self, video: Any, motion: Any = None) -> dict[str, Any]:
        """Scores one video.

        Args:
            video: uint8 (V + n, H, W, C).
            motion: float32 (V, rows, columns), `optical_flow.Motion.cells` of
                each window's last frame, that the online score takes in; or
                None.

        Returns:
            A float32 tensor (V,) for each name.
        """
        import tensorflow as tf

        model, n = self._model, self._model.frames
        windows = tf.shape(video)[0] - n
        chunks = (windows + self._chunk - 1) // self._chunk
        found = {
            name: tf.TensorArray(
                tf.float32, chunks, infer_shape=False, element_shape=(None,)
            )
            for name in self._measures.names
        }
        first = preprocessing.to_float(video[: n - 1])
        carried = model.encode_frames(first) if model.has_local else first

        def step(chunk: Any, carried: Any, found: Any) -> Any:
            start = chunk * self._chunk
            stop = tf.minimum(start + self._chunk, windows)
            frames = preprocessing.to_float(video[start : stop + n])
            told = None if motion is None else motion[start:stop]
            scores, carried = self._scores(frames, carried, told)
            found = {
                name: each.write(chunk, scores[name])
                for name, each in found.items()
            }
            return chunk + 1, carried, found

        _, _, found = tf.while_loop(
            lambda chunk, *_: chunk < chunks,
            step,
            (tf.constant(0), carried, found),
            parallel_iterations=1,
        )
        return {name: each.concat() for name, each in found.items()}

    def _scores(
        self, frames: Any, carried: Any, motion: Any
    ) -> tuple[dict[str, Any], Any]:
        """Scores a chunk; returns its scores, and what the next one takes."""
        import tensorflow as tf

        inputs = {"frames": frames}
        if self._model.has_local:
            inputs["projections"] = carried
        if motion is not None:
            inputs["motion"] = motion
        scorer = self._plain if motion is None else self._told
        # Not `scorer(inputs)`: its name would stand before that of every
        # operation, and a sixth of the graph is names.
        found = scorer.call(inputs)
        if self._model.has_local:
            carried = tf.ensure_shape(found.pop("projections"), carried.shape)
        # One row for the only gamma.
        scores = {name: value[:, 0] for name, value in found.items()}
        return self._measures.named(scores), carried
