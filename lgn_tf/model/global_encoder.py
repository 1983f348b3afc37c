"""The global branch: a clip to its latent features F_lat.

Letters: B batch, T input frames, H height, W width, C channels.
"""

import keras
from keras import ops

from lgn_tf.backend import rematerialisation
from lgn_tf.model.arguments import arguments_of
from lgn_tf.model.blocks import Conv, ConvBNReLU, scaled


def stack_frames(clips):
    """Puts the frames of each clip side by side on the channel axis.

    Args:
        clips: tensor (batch, time, height, width, channels).

    Returns:
        A tensor (batch, height, width, time * channels), time-major.
    """
    _, time, height, width, channels = clips.shape
    clips = ops.transpose(clips, (0, 2, 3, 1, 4))  # (B, H, W, T, C)
    return ops.reshape(clips, (-1, height, width, time * channels))


def sliding_windows(frames, length):
    """Returns all windows along the first axis.

    Args:
        frames: tensor (N, ...), N at least `length`.
        length: number of frames in a window.

    Returns:
        A tensor (N - length + 1, length, ...).
    """
    count = frames.shape[0]
    count = ops.shape(frames)[0] if count is None else count
    last = count - length + 1
    return ops.stack([frames[t : t + last] for t in range(length)], axis=1)


@keras.saving.register_keras_serializable("lgn_tf")
class GlobalEncoder(keras.layers.Layer):
    """E_glo: all frames of a clip at once, to an eighth of the resolution.

    Three stages of two convolutions (64, 128, 256 channels), each followed by
    a 2 x 2 maximum, then two of 512, the last of which has neither batch
    normalisation nor ReLU.

    Args:
        width: multiplier of every channel count.
        rematerialise: whether training keeps only the inputs of each block.
        **kwargs: of `keras.layers.Layer`.

    Call arguments:
        clips: tensor (batch, time, height, width, channels).
        training: whether to normalise by the statistics of the batch.

    Returns:
        F_lat, a tensor (batch, height / 8, width / 8, 512 width).
    """

    def __init__(self, width=1.0, rematerialise=False, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.rematerialise = rematerialise
        self.blocks = [
            ConvBNReLU(
                scaled(filters, width),
                name=f"block_{index}",
                dtype=self.dtype_policy,
            )
            for index, filters in enumerate((64, 64, 128, 128, 256, 256, 512))
        ]
        self.last = Conv(
            scaled(512, width), name="last", dtype=self.dtype_policy
        )

    def build(self, input_shape):
        batch, time, height, width, channels = input_shape
        shape = (batch, height, width, time * channels)
        for index, block in enumerate(self.blocks):
            block.build(shape)
            shape = block.compute_output_shape(shape)
            if self._pools_after(index):
                shape = (shape[0], shape[1] // 2, shape[2] // 2, shape[3])
        self.last.build(shape)

    def call(self, clips, training=False):
        call = rematerialisation.caller(self.rematerialise and training)
        features = stack_frames(clips)
        for index, block in enumerate(self.blocks):
            features = call(block, features, training=training)
            if self._pools_after(index):
                features = ops.max_pool(features, (2, 2), (2, 2))
        return self.last(features)

    def _pools_after(self, index):
        return index in (1, 3, 5)

    def compute_output_shape(self, input_shape):
        batch, _, height, width, _ = input_shape
        return (batch, height // 8, width // 8, self.last.filters)

    def get_config(self):
        return super().get_config() | arguments_of(self)
