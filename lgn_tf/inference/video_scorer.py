"""Scores whole videos: each frame encoded once, the memory in order.

    pieces of a video -> chunks of windows -> `ChunkScorer` -> `VideoScores`

A video is read in pieces, and what a chunk hands to the next is small; scores
that are large wait in a temporary file: memory does not grow with the length of
a video.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from lgn_tf.data.video import preprocessing
from lgn_tf.data.video.footage import Footage, ahead
from lgn_tf.files.spool import Spool
from lgn_tf.inference.chunk_scorer import ChunkScorer
from lgn_tf.scores.calibration import Calibration
from lgn_tf.scores.cue_values import DISTANCE
from lgn_tf.scores.video_scores import VideoScores

CHUNK = 16
"""Windows that are encoded at once."""


class TooShortError(ValueError):
    """A video has no frame that could be predicted."""


class VideoScorer:
    """Scores whole videos with a model, one after the other.

    The memory may learn at test time, as in the paper. Each frame is scored
    first; where its regular score lies below gamma, the queries of its window
    then update the items. The model's own items never change: the scorer keeps
    a copy, which goes on from video to video.

    Args:
        model: an `LGNNet`.
        gammas: each is scored in the same pass, with items of its own; 0 never
            updates.
        reset_memory: whether every video starts with the model's own items.
        calibration: adds the online score.
        chunk: windows that are encoded at once.
        keep_predictions: whether `predictions` holds the predicted frames of
            the last video, by the first gamma: as large as the video itself.

    Attributes:
        predictions: uint8 (frames, height, width, channels), or None.

    Raises:
        ValueError: for arguments out of bounds, weights that are not finite,
            or a calibration of another model.

    Example:
        >>> import lgn_tf
        >>> import numpy as np
        >>> run = lgn_tf.load("runs/demo")
        >>> scorer = lgn_tf.VideoScorer(run.model, calibration=run.calibration)

        Ten frames of a camera, blue, green, red:

        >>> frames = np.zeros((10, *run.model.image_size, 3), np.uint8)
        >>> [scores] = scorer.score("camera", [frames])
        >>> scores.name, len(scores)
        ('camera', 6)
    """

    def __init__(
        self,
        model: Any,
        *,
        gammas: Sequence[float] = (0.0,),
        reset_memory: bool = False,
        calibration: Calibration | None = None,
        chunk: int = CHUNK,
        keep_predictions: bool = False,
    ) -> None:
        """Compiles nothing yet."""
        if not gammas or not all(0 <= gamma < np.inf for gamma in gammas):
            raise ValueError(
                "`gammas` must be finite and not negative, and at least one. "
                f"Received: gammas={tuple(gammas)}"
            )
        if chunk < 1:
            raise ValueError(
                f"`chunk` must be at least 1. Received: chunk={chunk}"
            )
        _require_finite(model)
        self.model = model
        self.gammas = tuple(float(gamma) for gamma in gammas)
        self.reset_memory = reset_memory
        self.chunk = chunk
        self.predictions: NDArray[np.uint8] | None = None
        statistics = None
        if calibration is not None:
            statistics = calibration.statistics
            _require_fitting(model, calibration)
        self._scorer = ChunkScorer(
            model, self.gammas, statistics, keep_predictions
        )
        # XLA makes the JAX backend compile at all; TensorFlow does without.
        self._scorer.compile(jit_compile=keras.backend.backend() == "jax")
        self.reset()

    def reset(self) -> None:
        """Goes back to the model's own items."""
        self._items = None
        if self._scorer.gated:
            own = ops.convert_to_numpy(self.model.memory.items)
            self._items = np.stack([own] * len(self.gammas))

    def score_all(
        self,
        footage: Footage,
        progress: Callable[[int, int], None] | None = None,
    ) -> Iterator[tuple[VideoScores, ...]]:
        """Scores every video that is long enough, in order.

        Args:
            footage: the videos, at the model's size.
            progress: called with the frames that are done and their number.

        Yields:
            The result of `score` for each.
        """
        done, total = 0, sum(footage.frame_counts)

        def counted(index: int) -> Iterator[NDArray[np.uint8]]:
            nonlocal done
            for piece in footage.stream(index, self.chunk):
                yield piece
                done += len(piece)
                if progress:
                    progress(done, total)

        for index, name in enumerate(footage.names):
            if footage.frame_counts[index] > self.model.frames:
                yield self.score(name, counted(index))

    def score(
        self, name: str, pieces: Iterable[NDArray[np.uint8]]
    ) -> tuple[VideoScores, ...]:
        """Scores one video.

        Args:
            name: of the video.
            pieces: its frames in order, uint8 (any number, *image_size, 1 or
                3), as `Footage.stream` yields them.

        Returns:
            One `VideoScores` for each gamma.

        Raises:
            TooShortError: where no frame has enough frames before it.
            ValueError: for frames of another size, or where the scores are
                not finite, naming video and frame.
            OSError: where the temporary folder is full, naming it.
        """
        if self.reset_memory:
            self.reset()
        found: dict[str, Spool] = {}
        projections = None
        done = self.model.frames
        for chunk in self._chunks(name, ahead(pieces)):
            if self.model.has_local and projections is None:
                first = chunk[: self.model.frames - 1]
                projections = self.model.encode_frames(first)
            outputs = self._run(chunk, projections)
            projections = outputs.pop("projections", None)
            _require_finite_scores(name, done, outputs["psnr"])
            done += len(outputs["psnr"])
            if "prediction" in outputs:
                outputs["prediction"] = preprocessing.to_uint8(
                    outputs["prediction"]
                )
            for key, rows in outputs.items():
                found.setdefault(key, Spool()).append(rows)
        if not found:
            raise TooShortError(
                f"{name}: a video must have at least {self.model.frames + 1} "
                f"frames, of which the last is predicted from those before"
            )
        columns = {key: rows.array() for key, rows in found.items()}
        self.predictions = columns.pop("prediction", None)
        return tuple(
            self._scores(name, row, gamma, columns)
            for row, gamma in enumerate(self.gammas)
        )

    def _chunks(
        self, name: str, pieces: Iterable[NDArray[np.uint8]]
    ) -> Iterator[NDArray[np.float32]]:
        """Yields chunk + n frames at a time, the last n of them again."""
        model = self.model
        shape = (*model.image_size, model.channels)
        held = np.empty((0, *shape), np.float32)
        for piece in pieces:
            if piece.shape[1:3] != model.image_size:
                raise ValueError(
                    f"{name}: frames must be of the model's size, "
                    f"{model.image_size[0]} x {model.image_size[1]}. "
                    f"Received: {piece.shape[1]} x {piece.shape[2]}"
                )
            fresh = np.empty((len(piece), *shape), np.float32)
            preprocessing.fill(fresh, piece)
            held = np.concatenate([held, fresh])
            while len(held) >= self.chunk + model.frames:
                yield held[: self.chunk + model.frames]
                held = held[self.chunk :]
        if len(held) > model.frames:
            yield held

    def _run(
        self, frames: NDArray[np.float32], projections: Any
    ) -> dict[str, Any]:
        count = len(frames) - self.model.frames
        # A last chunk is filled up, so that few sizes are ever compiled.
        size = min(self.chunk, 1 << (count - 1).bit_length())
        filling = np.repeat(frames[-1:], size - count, axis=0)
        inputs = {"frames": np.concatenate([frames, filling])}
        if self.model.has_local:
            inputs["projections"] = projections
        if self._scorer.gated:
            inputs["items"] = self._items
            inputs["real"] = np.arange(size) < count
        outputs = self._scorer.predict_on_batch(inputs)
        self._items = outputs.pop("items", None)
        return {
            name: value if name == "projections" else value[:count]
            for name, value in outputs.items()
        }

    def _scores(
        self, name: str, row: int, gamma: float, columns: dict[str, Any]
    ) -> VideoScores:
        # One row serves all gammas where there is nothing to update.
        row = min(row, columns["psnr"].shape[1] - 1)
        own = {key: value[:, row] for key, value in columns.items()}
        absent = {"distance": None, "online": None}
        # Compared in the precision that the graph compared them in.
        updated = own["regular_score"] < np.float32(gamma)
        if not self._scorer.gated:
            updated = np.zeros_like(updated)
        return VideoScores(
            name=name,
            first=self.model.frames,
            updated=updated,
            **(absent | own),
        )


def _require_finite(model: Any) -> None:
    for weight in model.weights:
        values = ops.convert_to_numpy(weight)
        bad = np.count_nonzero(~np.isfinite(values.astype(np.float32)))
        if bad:
            raise ValueError(
                "The model's weights must be finite numbers. Received: "
                f"{weight.path} with {bad} of {values.size} that are not"
            )


def _require_finite_scores(
    name: str, first: int, psnr: NDArray[np.float32]
) -> None:
    bad = np.flatnonzero(~np.isfinite(psnr).all(axis=1))
    if len(bad):
        raise ValueError(
            f"{name}: the prediction of frame {first + int(bad[0])}, counted "
            "from 0, is not finite. Weights or frames overflow in "
            "half precision, or hold no numbers"
        )


def _require_fitting(model: Any, calibration: Calibration) -> None:
    if (DISTANCE in calibration.cues) != model.has_memory:
        raise ValueError(
            "`calibration` must be of this model, "
            f"{'with' if model.has_memory else 'without'} a memory. "
            f"Received: cues {', '.join(calibration.cues)}"
        )
