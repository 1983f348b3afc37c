"""Scores of a chunk of windows: the step of every loop over a whole video.

    frames -> encode (batched) -> read, decode -> measures
                                      ^  |
                                items +--+ update, where R < gamma

Only reading and decoding depend on the items: all else is done for the whole
chunk at once. Without an update reading and decoding are, too; with one they
go window by window inside the graph. The projections of the chunk's last
frames are handed on, so that each frame is encoded once.

`VideoScorer` calls it chunk after chunk as frames are read; the served
endpoints of whole videos loop over it inside a graph.

Letters: V windows of a chunk, n input frames, G gammas, I items, D their
dimension, H height, W width, C channels.
"""

import keras
from keras import ops

from lgn_tf.model.global_encoder import sliding_windows
from lgn_tf.model.outputs import Encoding
from lgn_tf.model.prototypes import MemoryReadout
from lgn_tf.scores import frame_scores


class ChunkScorer(keras.Model):
    """Scores windows that follow each other, and writes nothing.

    What one chunk leaves for the next is an output here and an input there.
    Scores have one row for all gammas where nothing would ever be updated.

    Args:
        network: an `LGNNet`.
        gammas: update threshold of each row.
        statistics: `evidence.Statistics`, or None for no online score.
        keep_predictions: whether to return those of the first row.

    Call arguments:
        inputs: a dictionary of `frames` (V + n, H, W, C), n and those that
            follow; where there is a local branch `projections`, what
            `LGNNet.encode_frames` made of the first n - 1; where `gated`
            `items` (G, I, D), and `real` (V,), false for a window that only
            fills the chunk up; and `motion` (V, rows, columns), where the
            online score takes it in, of one gamma only.

    Returns:
        A dictionary: the scores and maps of `frame_scores.all_scores`, each
        (V, G, ...); new `projections` and `items`; and `prediction`
        (V, H, W, C), where predictions are kept.
    """

    def __init__(self, network, gammas, statistics, keep_predictions):
        """Creates no weights of its own."""
        # Frames stay float32 where the network computes in half precision.
        super().__init__(autocast=False)
        self.network = network
        self.gammas = gammas
        self.statistics = statistics
        self.keep_predictions = keep_predictions
        self.gated = network.has_memory and any(gammas)

    def call(self, inputs):
        """Returns scores (V, G, ...), and what the next chunk takes."""
        network, frames = self.network, inputs["frames"]  # (V + n, H, W, C)
        length, outputs = network.frames, {}
        projections = None
        if network.has_local:
            fresh = network.encode_frames(frames[length - 1 : -1])
            projections = ops.concatenate(
                [inputs["projections"], fresh], axis=0
            )  # (V + n - 1, ...)
            outputs["projections"] = projections[-(length - 1) :]
            projections = sliding_windows(projections, length)
        windows = sliding_windows(frames[:-1], length)
        encoding = network.encode_windows(windows, projections)
        target = frames[length:]
        if self.gated:
            outputs["items"], predicted, distance, regular = self._in_order(
                encoding, target, inputs
            )
        else:
            readout = network.read(encoding)
            predicted = network.decode(encoding, readout)[:, None]
            distance = readout.distance[:, None] if readout else None
            regular = None
        if self.keep_predictions:
            outputs["prediction"] = predicted[:, 0]
        return outputs | self._scores(
            target, predicted, distance, regular, inputs.get("motion")
        )

    def _in_order(self, encoding, target, inputs):
        """Reads, decodes and updates window by window, for each gamma."""
        rows = len(self.gammas)
        zeros = ops.zeros_like(target[0])
        start = (
            inputs["items"],  # (G, I, D)
            ops.stack([zeros] * rows),
            ops.zeros((rows, *encoding.queries.shape[1:3])),
            ops.zeros((rows,)),
        )
        parts = {"queries": encoding.queries, "target": target}
        parts["real"] = inputs["real"]
        if self.network.has_local:
            parts["local"] = encoding.local_features
        if self.network.residual:
            parts["last"] = encoding.last_frame

        def step(state, place):
            window = {
                name: ops.take(part, place, axis=0)
                for name, part in parts.items()
            }
            state = self._step(state, window)
            return state, state

        # Keras' scan on TensorFlow slides over one tensor alone where the
        # length is unknown, and returns of each step what it carries on.
        places = ops.arange(ops.shape(target)[0])
        last, each = ops.scan(step, start, places)
        return last[0], *each[1:]

    def _step(self, state, window):
        """Returns the state after a window: items, and what was found."""
        network, items, rows = self.network, state[0], len(self.gammas)
        queries = window["queries"][None]
        local, last = (
            ops.stack([window[name]] * rows) if name in window else ()
            for name in ("local", "last")
        )
        readouts = [
            network.read(Encoding(queries=queries), items[row])
            for row in range(rows)
        ]
        together = zip(*readouts, strict=True)
        readout = MemoryReadout(
            *(ops.concatenate(part, axis=0) for part in together)
        )
        encoding = Encoding(
            local, ops.concatenate([queries] * rows, axis=0), last
        )
        predicted = network.decode(encoding, readout)  # (G, H, W, C)
        target = ops.stack([window["target"]] * rows)
        regular = frame_scores.regular_score(target, predicted)  # (G,)
        moved = [
            ops.where(
                ops.logical_and(regular[row] < gamma, window["real"]),
                network.memory.updated(queries, items[row]),
                items[row],
            )
            for row, gamma in enumerate(self.gammas)
        ]
        return ops.stack(moved), predicted, readout.distance, regular

    def _scores(self, target, predicted, distance, regular, motion):
        """Returns every score and map as a tensor (V, G, ...)."""
        rows = predicted.shape[1]

        def flat(maps):  # (V, G, ...) -> (V G, ...)
            if maps is None:
                return None
            return ops.reshape(maps, (-1, *maps.shape[2:]))

        result = frame_scores.all_scores(
            ops.repeat(target, rows, axis=0) if rows > 1 else target,
            flat(predicted),
            flat(distance),
            self.statistics,
            motion=motion,
            regular=flat(regular),
        )
        return {
            name: ops.reshape(value, (-1, rows, *value.shape[1:]))
            for name, value in result.items()
        }
