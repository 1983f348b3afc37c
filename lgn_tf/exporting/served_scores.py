"""The scores of predicted frames that every served endpoint answers with."""

from collections.abc import Mapping
from typing import Any

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
        self.statistics = statistics
        self.moving = moving
        self.names = ["psnr", "regular_score"]
        self.names += ["distance"] if model.has_memory else []
        if statistics is not None:
            self.names += ["normality", "anomaly_score"]

    def __call__(
        self, target: Any, prediction: Any, readout: Any, motion: Any = None
    ) -> dict[str, Any]:
        """Scores predicted frames.

        Args:
            target: tensor (batch, height, width, channels) in [-1, 1].
            prediction: tensor of the same shape.
            readout: `MemoryReadout`, or () without a memory.
            motion: tensor (batch, rows, columns), `optical_flow.Motion.cells`,
                that the online score takes in; or None.

        Returns:
            A float32 tensor (batch,) for each of `names`.
        """
        scores = frame_scores.all_scores(
            target,
            prediction,
            readout.distance if readout else None,
            self.statistics if motion is None else self.moving,
            motion=motion,
        )
        return self.named(scores)

    def named(self, scores: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the scores under the names that they are served by.

        Args:
            scores: tensors (batch,) from `frame_scores.all_scores`.
        """
        known = dict(scores)
        if "online" in known:
            online = known["online"]
            known |= {"normality": 1.0 - online, "anomaly_score": online}
        return {name: known[name] for name in self.names}
