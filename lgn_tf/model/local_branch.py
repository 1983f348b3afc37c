"""The local branch: frame encoder, stack of recurrent cells, upsampler.

    frames -> E_loc -> STP-Net (4 cells over time) -> deconvolutions -> F_loc

Letters: B batch, T input frames, N frames, H height, W width, C channels,
U units.
"""

import keras
from keras import ops

from lgn_tf.backend import rematerialisation
from lgn_tf.model.arguments import arguments_of
from lgn_tf.model.blocks import ConvBNReLU, scaled
from lgn_tf.model.recurrent_cells import ConvLSTMCell, STLSTMCell

LAYERS = 4
CELLS = {"st_lstm": STLSTMCell, "conv_lstm": ConvLSTMCell}


class _Stack(keras.layers.Layer):
    """Blocks one after another: the base of encoder and upsampler.

    A subclass lists in `layers` the filters and options of each `ConvBNReLU`.
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
                **options,
            )
            for index, (filters, options) in enumerate(self.layers)
        ]

    def build(self, input_shape):
        for block in self.blocks:
            block.build(input_shape)
            input_shape = block.compute_output_shape(input_shape)

    def call(self, features, training=False):
        call = rematerialisation.caller(self.rematerialise and training)
        for block in self.blocks:
            features = call(block, features, training=training)
        return features

    def compute_output_shape(self, input_shape):
        for block in self.blocks:
            input_shape = block.compute_output_shape(input_shape)
        return input_shape

    def get_config(self):
        return super().get_config() | arguments_of(self)


@keras.saving.register_keras_serializable("lgn_tf")
class FrameEncoder(_Stack):
    """E_loc: one frame to features at a quarter of its resolution.

    Its weights are shared by all frames of a clip.

    Args:
        width: multiplier of every channel count.
        rematerialise: whether training keeps only the inputs of each block.
        **kwargs: of `keras.layers.Layer`.

    Call arguments:
        features: frames, a tensor (frames, height, width, channels).
        training: whether to normalise by the statistics of the batch.

    Returns:
        A tensor (frames, height / 4, width / 4, 128 width).
    """

    layers = (
        (64, {"strides": 2}),
        (64, {"strides": 1}),
        (128, {"strides": 2}),
        (128, {"strides": 1}),
    )


@keras.saving.register_keras_serializable("lgn_tf")
class STPNet(keras.layers.Layer):
    """Stack of recurrent cells, unrolled over the frames of a clip.

    The states start at zero in each clip. With ST-LSTM cells the memory runs
    up the layers and on to the first layer of the next step.

    Args:
        units: channels of the states.
        cell: "st_lstm", or "conv_lstm" for the ablations.
        layers: number of cells.
        rematerialise: whether training keeps only the inputs of each cell and
            step.
        **kwargs: of `keras.layers.Layer`.

    Call arguments:
        inputs: tensor (batch, time, height, width, channels), E_loc's features
            of each frame; where `projected`, the result of `project`.
        projected: whether `inputs` went through `project`.
        training: whether a backward pass follows.

    Returns:
        A tensor (batch, height, width, 2 units): the top layer's hidden state
        after the last frame, joined with its memory (ST-LSTM) or cell
        (ConvLSTM).

    Raises:
        ValueError: for a `cell` that is neither, or no layers.
    """

    def __init__(
        self,
        units,
        cell="st_lstm",
        layers=LAYERS,
        rematerialise=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if cell not in CELLS:
            raise ValueError(
                f"`cell` must be one of {', '.join(CELLS)}. "
                f"Received: cell={cell!r}"
            )
        if layers < 1:
            raise ValueError(
                f"`layers` must be at least 1. Received: layers={layers}"
            )
        self.units = units
        self.cell = cell
        self.layers = layers
        self.rematerialise = rematerialise
        self.cells = [
            CELLS[cell](units, name=f"cell_{index}", dtype=self.dtype_policy)
            for index in range(layers)
        ]

    def build(self, input_shape):
        channels = input_shape[-1]
        for cell in self.cells:
            cell.build((*input_shape[:-1], channels))
            channels = self.units

    def project(self, features):
        """Returns the first cell's convolutions of E_loc's features.

        Args:
            features: tensor (frames, height, width, channels).

        Returns:
            A tensor (frames, height, width, gates * units).
        """
        return self.cells[0].project(features)

    def call(self, inputs, projected=False, training=False):
        state = self.final_state(inputs, projected, training)
        return ops.concatenate([state.hidden, state[-1]], axis=-1)

    def final_state(self, inputs, projected=False, training=False):
        """Returns the top layer's state after the last frame."""
        call = rematerialisation.caller(self.rematerialise and training)
        kernels = [cell.joint_kernels() for cell in self.cells]
        states = [cell.initial_state for cell in self.cells]
        for time in range(inputs.shape[1]):
            x = inputs[:, time]
            # The memory goes up the layers, and from the top one to the first
            # of the next step.
            giver = states[-1]
            for layer, cell in enumerate(self.cells):
                state = self._hand_memory(giver, states[layer])
                giver = states[layer] = call(
                    cell,
                    x,
                    state,
                    kernels[layer],
                    projected=projected and layer == 0,
                )
                x = giver.hidden
        return states[-1]

    def _hand_memory(self, giver, taker):
        if self.cell == "conv_lstm":
            return taker
        return taker._replace(memory=giver.memory)

    def compute_output_shape(self, input_shape):
        batch, _, height, width, _ = input_shape
        return (batch, height, width, 2 * self.units)

    def get_config(self):
        return super().get_config() | arguments_of(self)


@keras.saving.register_keras_serializable("lgn_tf")
class Upsampler(_Stack):
    """F_loc: the states of STP-Net back to the resolution of the frame.

    Args:
        width: multiplier of every channel count.
        rematerialise: whether training keeps only the inputs of each block.
        **kwargs: of `keras.layers.Layer`.

    Call arguments:
        features: states, a tensor (batch, height / 4, width / 4, 2 units).
        training: whether to normalise by the statistics of the batch.

    Returns:
        A tensor (batch, height, width, 64 width).
    """

    layers = ((128, {"transposed": True}), (64, {"transposed": True}))
