"""The training objective of a model of the next frame, and its logs."""

import keras
from keras import ops

from lgn_tf.backend import distribution
from lgn_tf.model import losses, prototypes
from lgn_tf.scores import frame_scores


class FramePredictor(keras.Model):
    """A model that predicts the next frame, with or without a memory.

    `fit` minimises intensity + compactness_weight x compactness +
    separateness_weight x separateness (Eq. 12). The logs hold each of them, the
    PSNR in dB and its gain over that of copying the last input frame, the
    number of items in use and the share of the queries that the most used item
    has.

    A subclass returns an `LGNOutput` and has `has_memory` and, where that is
    true, `memory` and `memory_items`.
    """

    def create_trackers(self):
        """Creates the metrics; a subclass calls it at the end of `__init__`."""
        names = ["intensity", "psnr", "gain"]
        if self.has_memory:
            names += ["compactness", "separateness"]
            names += ["items_in_use", "top_item_share"]
        self.trackers = {name: keras.metrics.Mean(name=name) for name in names}

    def compile(self, optimizer=None, loss=None, jit_compile=None, **kwargs):
        """Compiles with the authors' optimizer and loss where none is given.

        Args:
            optimizer: default Adam at 2e-4 with epsilon 1e-8.
            loss: of (next frame, prediction), default `losses.Intensity`.
                The memory's losses are added to it.
            jit_compile: whether XLA compiles the step. The default is the
                faster one by measurement: no on TensorFlow, yes on JAX.
            **kwargs: of `keras.Model.compile`.
        """
        if optimizer is None:
            optimizer = keras.optimizers.Adam(2e-4, epsilon=1e-8)
        if loss is None:
            loss = losses.Intensity()
        if jit_compile is None:
            jit_compile = keras.backend.backend() == "jax"
        super().compile(
            optimizer=optimizer, loss=loss, jit_compile=jit_compile, **kwargs
        )
        if self.built:
            # Variables made inside the first step would have it traced twice.
            self.optimizer.build(self.trainable_variables)

    def compile_from_config(self, config):
        """Compiles with the arguments of a saved model."""
        self.compile(**keras.saving.deserialize_keras_object(config))

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """Returns the total loss (Eq. 12), and updates the metrics.

        The metrics are updated here, since JAX forbids it in `call`.

        Args:
            x: clips, tensor (batch, frames, height, width, channels).
            y: next frames, tensor (batch, height, width, channels).
            y_pred: `LGNOutput` of the clips.
            sample_weight: of `keras.Model.compute_loss`.
            training: of `keras.Model.compute_loss`.

        Returns:
            A scalar tensor.
        """
        prediction, readout = y_pred
        psnr = ops.mean(frame_scores.psnr(y, prediction))
        copied = ops.mean(frame_scores.psnr(y, x[:, -1]))
        loss = super().compute_loss(
            x, y, prediction, sample_weight, training=training
        )
        values = {
            "intensity": losses.intensity(y, prediction),
            "psnr": psnr,
            "gain": psnr - copied,
        }
        if self.has_memory:
            for part in self.memory.weighted_losses(readout):
                loss = loss + distribution.share(part)
            counts = prototypes.usage(readout.nearest, self.memory_items)
            values |= {
                "compactness": ops.mean(readout.distance),
                "separateness": ops.mean(readout.separateness),
                "items_in_use": ops.sum(ops.cast(counts > 0, "float32")),
                "top_item_share": ops.max(counts) / ops.sum(counts),
            }
        # Replicas hold equal shares of a batch; Keras adds up their totals.
        size = ops.cast(ops.shape(prediction)[0], "float32")
        for name, value in values.items():
            self.trackers[name].update_state(value, sample_weight=size)
        return loss
