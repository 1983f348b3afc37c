"""LGN-Net and its ablations.

    frames -> local branch (STP-Net) ------------------> F_loc --+
    clip   -> E_glo -> F_lat -> queries -> memory -> F_glo ------+-> D_lg

| variant | local branch | global branch | decoder gets |
|---|---|---|---|
| lgn_net | ST-LSTM | memory | F_loc, F_glo |
| lgn_st | ConvLSTM | memory | F_loc, F_glo |
| glo_net | - | memory | F_lat (unit length) and F_glo side by side |
| loc_net | ConvLSTM | - | F_loc |

`clip_encoding` has the methods for all that comes before the memory. A `Config`
becomes a network in `build_model`, and nowhere else.
"""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from lgn_tf.config.model_arguments import validate_model_arguments
from lgn_tf.model.arguments import arguments_of
from lgn_tf.model.blocks import scaled
from lgn_tf.model.clip_encoding import ClipEncoding
from lgn_tf.model.decoder import Decoder
from lgn_tf.model.frame_predictor import FramePredictor
from lgn_tf.model.global_encoder import GlobalEncoder
from lgn_tf.model.local_branch import FrameEncoder, STPNet, Upsampler
from lgn_tf.model.memory import PrototypeMemory
from lgn_tf.model.outputs import LGNOutput


@keras.saving.register_keras_serializable("lgn_tf")
class LGNNet(ClipEncoding, FramePredictor):
    """Predicts the next frame from local and global normality.

    The local branch follows the motion of the last frames (section III-B). The
    global branch reads a memory of prototypes of normal video (section III-C,
    Eq. 2 to 6). A decoder joins both. `fit(clips, next_frames)` minimises the
    loss of Eq. 12; `FramePredictor` has its parts and the logs.

    `call` is `decode(encode(clips), read(...))`, and the parts can be called
    alone: `encode_video` gives all windows of a video with each frame encoded
    once, and only `read` and `decode` depend on the items of the memory.

    Args:
        image_size: (height, width) in pixels, multiples of 8 (of 4 for
            `loc_net`).
        channels: 3 (blue, green, red) or 1.
        frames: number of input frames, at least 2.
        width: multiplier of every channel count.
        variant: "lgn_net", "lgn_st", "glo_net" or "loc_net" (table II).
        memory_items: number of prototype items, at least 2.
        compactness_weight: weight of Eq. 10.
        separateness_weight: weight of Eq. 11.
        residual: whether the decoder draws the change from the last input
            frame, which is no part of the paper. The change is added in
            float32 to the frame as it was given, and the sum is kept within
            [-1, 1]. In training the loss sees the sum before that, so that a
            change that is too large has a gradient. A residual model that was
            not trained copies the last frame.
        memory_options: further arguments of `PrototypeMemory`, all of them off
            by default: `temperature`, `momentum`, `revive_after`,
            `max_over_assigned`.
        rematerialise: whether training keeps only the inputs of each recurrent
            cell and each block of convolution, normalisation and ReLU, and
            computes the rest again in the backward pass: less memory, the same
            numbers.
        **kwargs: of `keras.Model`; `dtype` takes a policy such as
            "mixed_bfloat16". Memory, similarities, the prediction and scores
            stay float32.

    Call arguments:
        clips: tensor (batch, frames, height, width, channels) in [-1, 1].
        training: whether to normalise by the statistics of the batch and to
            write the memory.

    Returns:
        An `LGNOutput`: the prediction, float32 (batch, height, width,
        channels) in [-1, 1], and the readout of the memory.

    Raises:
        ValueError: for arguments that make no network.

    Example:
        >>> import numpy as np
        >>> from lgn_tf.model.lgn_net import LGNNet
        >>> model = LGNNet(image_size=(16, 24), channels=1, width=0.0625)
        >>> clips = np.zeros((2, 4, 16, 24, 1), "float32")
        >>> prediction, readout = model(clips)
        >>> tuple(prediction.shape)
        (2, 16, 24, 1)
        >>> tuple(readout.distance.shape)
        (2, 2, 3)

    Reference:
        LGN-Net, arXiv 2211.07454.
    """

    def __init__(
        self,
        image_size: tuple[int, int] = (256, 256),
        channels: int = 3,
        frames: int = 4,
        width: float = 1.0,
        variant: str = "lgn_net",
        memory_items: int = 10,
        compactness_weight: float = 10.0,
        separateness_weight: float = 5.0,
        residual: bool = False,
        memory_options: Mapping[str, Any] | None = None,
        rematerialise: bool = False,
        **kwargs: Any,
    ):
        validate_model_arguments(
            image_size, channels, frames, width, variant, memory_items
        )
        # The layers cast what they are given; the last frame stays as it is.
        super().__init__(**{"autocast": False, **kwargs})
        self.image_size = tuple(image_size)
        self.channels = channels
        self.frames = frames
        self.width = width
        self.variant = variant
        self.memory_items = memory_items
        self.compactness_weight = compactness_weight
        self.separateness_weight = separateness_weight
        self.residual = residual
        self.memory_options = dict(memory_options or {})
        self.rematerialise = rematerialise
        self.has_local = variant != "glo_net"
        self.has_memory = variant != "loc_net"
        self._create_layers()
        self.create_trackers()

    def _create_layers(self):
        width = self.width
        common = {
            "rematerialise": self.rematerialise,
            "dtype": self.dtype_policy,
        }
        if self.has_local:
            cell = "st_lstm" if self.variant == "lgn_net" else "conv_lstm"
            units = scaled(128, width)
            self.frame_encoder = FrameEncoder(
                width, name="frame_encoder", **common
            )
            self.stp_net = STPNet(units, cell, name="stp_net", **common)
            self.upsampler = Upsampler(width, name="upsampler", **common)
        if self.has_memory:
            self.global_encoder = GlobalEncoder(
                width, name="global_encoder", **common
            )
            self.memory = PrototypeMemory(
                self.memory_items,
                self.compactness_weight,
                self.separateness_weight,
                add_losses=False,
                name="memory",
                **self.memory_options,
            )
        self.decoder = Decoder(
            self.channels, width, self.residual, name="decoder", **common
        )

    def build(self, input_shape=None):
        """Creates all weights; the shapes follow from the arguments."""
        del input_shape
        height, width = self.image_size
        frame = (None, height, width, self.channels)
        clip = (None, self.frames, height, width, self.channels)
        local_shape = global_shape = None
        if self.has_local:
            self.frame_encoder.build(frame)
            features = self.frame_encoder.compute_output_shape(frame)
            features = (None, self.frames, *features[1:])
            self.stp_net.build(features)
            states = self.stp_net.compute_output_shape(features)
            self.upsampler.build(states)
            local_shape = self.upsampler.compute_output_shape(states)
        if self.has_memory:
            self.global_encoder.build(clip)
            global_shape = self.global_encoder.compute_output_shape(clip)
            self.memory.build(global_shape)
            if not self.has_local:
                global_shape = (*global_shape[:-1], 2 * global_shape[-1])
        self.decoder.build(local_shape, global_shape)
        self.built = True

    def call(self, clips, training=False):
        encoding = self.encode(clips, training=training)
        readout = ()
        if self.has_memory:
            readout = self.memory(encoding.queries, training=training)
        prediction = self.decode(encoding, readout, training=training)
        return LGNOutput(prediction, readout)

    def read(self, encoding, items=None):
        """Reads the memory.

        Args:
            encoding: `Encoding` of the windows.
            items: tensor (items, dim) to read from instead of the layer's own.

        Returns:
            A `MemoryReadout`; an empty tuple for `loc_net`.
        """
        if not self.has_memory:
            return ()
        return self.memory.read(encoding.queries, items)

    def decode(self, encoding, readout, training=False):
        """Predicts the next frames.

        Args:
            encoding: `Encoding` of the windows.
            readout: `MemoryReadout` of the same windows.
            training: whether to normalise by the statistics of the batch.

        Returns:
            A float32 tensor (batch, height, width, channels) in [-1, 1]; of a
            residual model in training, not yet kept within these bounds.
        """
        local_features = global_features = None
        if self.has_local:
            local_features = encoding.local_features
        if self.has_memory:
            global_features = ops.cast(readout.features, self.compute_dtype)
        if not self.has_local:
            queries = ops.cast(encoding.queries, self.compute_dtype)
            global_features = ops.concatenate(
                [queries, global_features], axis=-1
            )
        drawn = self.decoder(local_features, global_features, training=training)
        if not self.residual:
            return drawn
        prediction = encoding.last_frame + drawn
        return prediction if training else ops.clip(prediction, -1.0, 1.0)

    def get_config(self):
        """Returns the arguments."""
        return super().get_config() | arguments_of(self)


def build_model(config):
    """Builds the network that a configuration describes.

    Args:
        config: a `lgn_tf.config.schema.Config`.

    Returns:
        An `LGNNet` whose weights exist. Its start is that of the global seed,
        `keras.utils.set_random_seed`.
    """
    model = LGNNet(
        image_size=config.model.image_size,
        channels=config.model.channels,
        frames=config.model.frames,
        width=config.model.width,
        variant=config.model.variant,
        memory_items=config.model.memory_items,
        compactness_weight=config.training.compactness_weight,
        separateness_weight=config.training.separateness_weight,
        residual=config.model.residual,
        rematerialise=config.training.rematerialise,
        dtype=config.model.dtype,
        name=config.model.variant,
    )
    model.build()
    return model
