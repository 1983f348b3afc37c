"""D_lg: from local features and the readout of the memory to a frame.

Letters: B batch, H height, W width, C channels, D query dimension.
"""

import keras
from keras import ops

from lgn_tf.backend import rematerialisation
from lgn_tf.model.arguments import arguments_of
from lgn_tf.model.blocks import Conv, ConvBNReLU, scaled


@keras.saving.register_keras_serializable("lgn_tf")
class Decoder(keras.layers.Layer):
    """Raises the global features to F'_glo, joins F_loc, predicts the frame.

    The variants of table II leave out one input or the other: without global
    features the three raising stages do not exist.

    Args:
        channels: of the predicted frame.
        width: multiplier of every channel count.
        residual: whether to draw the change to the last input frame. The last
            layer is linear then, and multiplied by one learned number,
            `scale`, that starts at zero: no change. Training may never get
            away from zero. `train.compiled` sets `scale` to a twentieth, and
            so should a program that calls `fit` itself.
        rematerialise: whether training keeps only the inputs of each block.
        **kwargs: of `keras.layers.Layer`.

    Call arguments:
        local_features: F_loc, a tensor (batch, height, width, 64 width), or
            None.
        global_features: F_glo from the memory, a tensor (batch, height / 8,
            width / 8, dim), or None.
        training: whether to normalise by the statistics of the batch.

    Returns:
        The predicted frame, a float32 tensor (batch, height, width, channels)
        in [-1, 1]; where `residual`, the predicted change, of any size.

    Raises:
        ValueError: where both inputs are None.

    Reference:
        The number that starts at zero: Bachlechner et al., ReZero is All You
        Need, UAI 2021.
    """

    def __init__(
        self,
        channels=3,
        width=1.0,
        residual=False,
        rematerialise=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.channels = channels
        self.width = width
        self.residual = residual
        self.rematerialise = rematerialise
        # (filters, transposed): two convolutions, then one that doubles.
        stages = ((512, 512, 256), (256, 256, 128), (128, 128, 64))
        self.raising = [
            ConvBNReLU(
                scaled(filters, width),
                transposed=index == 2,
                name=f"raise_{stage}_{index}",
                dtype=self.dtype_policy,
            )
            for stage, row in enumerate(stages)
            for index, filters in enumerate(row)
        ]
        self.joining = [
            ConvBNReLU(
                scaled(64, width), name=f"join_{index}", dtype=self.dtype_policy
            )
            for index in range(2)
        ]
        self.last = Conv(channels, name="last", dtype=self.dtype_policy)

    def build(self, local_features_shape=None, global_features_shape=None):
        if local_features_shape is None and global_features_shape is None:
            raise ValueError(
                "One of `local_features` and `global_features` must be given. "
                "Received: None for both"
            )
        joined = 0
        if global_features_shape is not None:
            shape = global_features_shape
            for block in self.raising:
                block.build(shape)
                shape = block.compute_output_shape(shape)
            joined = shape[-1]
        if local_features_shape is not None:
            shape = local_features_shape
            joined += shape[-1]
        shape = (*shape[:-1], joined)
        for block in self.joining:
            block.build(shape)
            shape = block.compute_output_shape(shape)
        self.last.build(shape)
        if self.residual:
            # A last layer of zeros copies as well, and was learned more slowly;
            # docs/results.md has the measurement.
            self.scale = self.add_weight(
                name="scale",
                shape=(),
                initializer="zeros",
                dtype="float32",
                autocast=False,
            )

    def call(self, local_features=None, global_features=None, training=False):
        call = rematerialisation.caller(self.rematerialise and training)
        parts = []
        if global_features is not None:
            for block in self.raising:
                global_features = call(
                    block, global_features, training=training
                )
            parts.append(global_features)  # F'_glo
        if local_features is not None:
            parts.append(local_features)
        features = ops.concatenate(parts, axis=-1)
        for block in self.joining:
            features = call(block, features, training=training)
        # The range of the frame needs more digits than half precision has.
        drawn = ops.cast(self.last(features), "float32")
        return self.scale * drawn if self.residual else ops.tanh(drawn)

    def get_config(self):
        return super().get_config() | arguments_of(self)
