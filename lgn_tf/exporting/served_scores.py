"""The scores of predicted frames that every served endpoint answers with."""

from typing import Any

from lgn_tf.data.video import optical_flow
from lgn_tf.scores import frame_scores


class ServedScores:
    """Scores predicted frames, in `keras.ops`.

    Args:
        model: an `LGNNet`.
        statistics: `evidence.Statistics`, or None for no online score.
        moving: `evidence.Statistics` with motion, or None where nobody tells
            the motion.

    Attributes:
        names: of the scores.
        moving: as given.
    """

    def __init__(self, model: Any, statistics: Any, moving: Any = None) -> None:
        """Stores the arguments."""
        self._size = model.image_size
        self._statistics = statistics
        self.moving = moving
        self.names = ["psnr", "regular_score"]
        self.names += ["distance"] if model.has_memory else []
        if statistics is not None:
            self.names += ["normality", "anomaly_score"]

    def __call__(
        self, target: Any, prediction: Any, readout: Any, motion: Any = None
    ) -> dict[str, Any]:
        """Returns a float32 tensor (batch,) for each name.

        Args:
            target: tensor (batch, height, width, channels) in [-1, 1].
            prediction: tensor of the same shape.
            readout: `MemoryReadout`, or () without a memory.
            motion: tensor (batch, rows, columns), `motion.Motion.cells`, that
                the online score takes in; or None.
        """
        result = {
            "psnr": frame_scores.psnr(target, prediction),
            "regular_score": frame_scores.regular_score(target, prediction),
        }
        distance = readout.distance if readout else None
        if distance is not None:
            result["distance"] = frame_scores.feature_distance(distance)
        statistics = self._statistics if motion is None else self.moving
        if statistics is not None:
            evidence, _ = frame_scores.online_evidence(
                frame_scores.stored_error_map(target, prediction),
                distance,
                statistics,
                self._size,
            )
            if motion is not None:
                evidence += frame_scores.motion_evidence(
                    motion, (optical_flow.BOX,) * 2, statistics
                )
            online = frame_scores.online_score(evidence, statistics)
            result |= {"normality": 1.0 - online, "anomaly_score": online}
        return result
