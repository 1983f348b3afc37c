"""Recurrent cells of the local branch: ST-LSTM, and ConvLSTM for ablations.

ST-LSTM keeps, beside the cell c of each layer, a memory m that runs up through
the layers and on to the first layer of the next step (paper, III-B):

    g  = tanh(W_xg * x + W_hg * h)      g' = tanh(W'_xg * x + W_mg * m)
    i  = sigma(W_xi * x + W_hi * h)     i' = sigma(W'_xi * x + W_mi * m)
    f  = sigma(W_xf * x + W_hf * h + 1) f' = sigma(W'_xf * x + W_mf * m + 1)
    c <- f c + i g                      m <- f' m + i' g'
    o  = sigma(W_xo * x + W_ho * h + W_o * [c, m])
    h <- o tanh(W_1x1 * [c, m])

`*` is a convolution without a bias. A part of the state that is None is zero:
its convolutions, and the forget gate that would multiply it, are skipped.

Letters: B batch, H height, W width, C input channels, U units.
"""

from typing import Any, NamedTuple

import keras
from keras import ops

from lgn_tf.backend import convolution
from lgn_tf.model.arguments import arguments_of
from lgn_tf.model.blocks import kernel_initializer

X_GATES = ("f", "i", "g", "o", "i'", "g'", "f'")
"""Order of the gates in the fused kernel of x.

The kernel of h holds the first four, the kernel of m the last three. A zero
state needs no forget gate: those are at the ends, so that the others are one
slice. `ConvLSTMCell` has the first four alone.
"""
H_GATES = X_GATES[:4]
M_GATES = X_GATES[4:]


class STLSTMState(NamedTuple):
    """State of an `STLSTMCell`; None stands for zeros.

    Attributes:
        hidden: tensor (batch, height, width, units).
        cell: tensor of the same shape.
        memory: tensor of the same shape, shared by all layers.
    """

    hidden: Any = None
    cell: Any = None
    memory: Any = None


class ConvLSTMState(NamedTuple):
    """State of a `ConvLSTMCell`; None stands for zeros.

    Attributes:
        hidden: tensor (batch, height, width, units).
        cell: tensor of the same shape.
    """

    hidden: Any = None
    cell: Any = None


def _gates(inputs, kernel):
    """Convolves; every convolution of a cell ends in a sigmoid or a tanh."""
    return convolution.convolve(inputs, kernel, bounded=True)


class _RecurrentCell(keras.layers.Layer):
    """The base of both cells: arguments, kernels, gates from x and a state.

    A subclass adds the weights and `call`.
    """

    def __init__(self, units, kernel_size=3, forget_bias=1.0, **kwargs):
        super().__init__(**kwargs)
        if kernel_size % 2 == 0:
            raise ValueError(
                "`kernel_size` must be odd, so that the state keeps its size. "
                f"Received: kernel_size={kernel_size}"
            )
        self.units = units
        self.kernel_size = kernel_size
        self.forget_bias = forget_bias

    def _add_kernel(self, name, channels, filters, size=None):
        size = self.kernel_size if size is None else size
        return self.add_weight(
            name=name,
            shape=(size, size, channels, filters),
            initializer=kernel_initializer(),
        )

    def project(self, inputs):
        """Returns the convolutions of x of all gates.

        They depend on x alone, so they are computed once for a frame that is
        in several windows. `call` takes them where `projected`.

        Args:
            inputs: tensor (batch, height, width, channels).

        Returns:
            A tensor (batch, height, width, gates * units).
        """
        return _gates(inputs, self.x_kernel)

    def _sum(self, inputs, state, first, last, joint, projected):
        """Returns the gates first to last - 1 of W_x * x + W_s * state.

        `joint` is the kernel of x and the state side by side; a state that is
        None is zero.
        """
        span = slice(first * self.units, last * self.units)
        if projected:
            total = inputs[..., span]
            if state is not None:
                total = total + _gates(state, joint[:, :, -self.units :])
        elif state is None:
            total = _gates(inputs, self.x_kernel[..., span])
        else:
            # One convolution of both, rather than two and a sum.
            both = ops.concatenate([inputs, state], axis=-1)
            total = _gates(both, joint)
        return ops.split(total, last - first, axis=-1)

    def _check_state(self, hidden, cell):
        if (hidden is None) != (cell is None):
            raise ValueError(
                "`hidden` and `cell` of a state must both be None or both be "
                f"given. Received: hidden={hidden}, cell={cell}"
            )

    def _advance_cell(self, gates, cell):
        """Returns sigma(f + forget_bias) c + sigma(i) tanh(g)."""
        *forget, i, g = gates
        update = ops.sigmoid(i) * ops.tanh(g)
        if not forget:
            return update
        return ops.sigmoid(forget[0] + self.forget_bias) * cell + update

    def get_config(self):
        return super().get_config() | arguments_of(self)


@keras.saving.register_keras_serializable("lgn_tf")
class STLSTMCell(_RecurrentCell):
    """One layer and one step of the spatiotemporal LSTM.

    The equations stand in the module's docstring.

    Args:
        units: number of channels of the state.
        kernel_size: side of the kernels, odd.
        forget_bias: added inside both forget gates.
        **kwargs: of `keras.layers.Layer`.

    Call arguments:
        inputs: tensor (batch, height, width, channels); where `projected`,
            the result of `project`.
        state: `STLSTMState`; its memory comes from the layer below, or from
            the top layer of the step before.
        kernels: the result of `joint_kernels`, to compute it once for many
            steps.
        projected: whether `inputs` went through `project`.

    Returns:
        The next `STLSTMState`.

    Raises:
        ValueError: for an even `kernel_size`, or a state with a hidden part
            and no cell or the reverse.

    Reference:
        Wang et al., PredRNN, NeurIPS 2017; LGN-Net, section III-B.
    """

    initial_state = STLSTMState()

    def build(self, input_shape):
        units = self.units
        self.x_kernel = self._add_kernel("x_kernel", input_shape[-1], 7 * units)
        self.h_kernel = self._add_kernel("h_kernel", units, 4 * units)
        self.m_kernel = self._add_kernel("m_kernel", units, 3 * units)
        self.o_kernel = self._add_kernel("o_kernel", 2 * units, units)
        self.last_kernel = self._add_kernel("last_kernel", 2 * units, units, 1)

    def joint_kernels(self):
        """Returns the kernels of [x, h] and of [x, m]."""
        x, split = ops.convert_to_tensor(self.x_kernel), 4 * self.units
        return (
            ops.concatenate([x[..., :split], self.h_kernel], axis=2),
            ops.concatenate([x[..., split:], self.m_kernel], axis=2),
        )

    def call(self, inputs, state, kernels=None, projected=False):
        hidden, cell, memory = state
        self._check_state(hidden, cell)
        temporal, spatial = kernels or self.joint_kernels()
        # With a zero state no forget gate is needed: the first and the last.
        first = 0 if hidden is not None else 1
        last = 7 if memory is not None else 6
        *gates, o = self._sum(inputs, hidden, first, 4, temporal, projected)
        cell = self._advance_cell(gates, cell)
        i, g, *f = self._sum(inputs, memory, 4, last, spatial, projected)
        memory = self._advance_cell([*f, i, g], memory)
        both = ops.concatenate([cell, memory], axis=-1)  # (B, H, W, 2U)
        o = ops.sigmoid(o + _gates(both, self.o_kernel))
        hidden = o * ops.tanh(_gates(both, self.last_kernel))
        return STLSTMState(hidden, cell, memory)


@keras.saving.register_keras_serializable("lgn_tf")
class ConvLSTMCell(_RecurrentCell):
    """One layer and one step of the convolutional LSTM, without peepholes.

        c <- sigma(f + forget_bias) c + sigma(i) tanh(g)
        h <- sigma(o) tanh(c)

    with (f, i, g, o) = W_x * x + W_h * h, without biases like `STLSTMCell`,
    whose place it takes in the ablations of table II.

    Args:
        units: number of channels of the state.
        kernel_size: side of the kernels, odd.
        forget_bias: added inside the forget gate.
        **kwargs: of `keras.layers.Layer`.

    Call arguments:
        inputs: as in `STLSTMCell`.
        state: `ConvLSTMState`.
        kernels: as in `STLSTMCell`.
        projected: as in `STLSTMCell`.

    Returns:
        The next `ConvLSTMState`.

    Raises:
        ValueError: for an even `kernel_size`, or a state with a hidden part
            and no cell or the reverse.

    Reference:
        Shi et al., Convolutional LSTM network, NeurIPS 2015.
    """

    initial_state = ConvLSTMState()

    def build(self, input_shape):
        units = self.units
        self.x_kernel = self._add_kernel("x_kernel", input_shape[-1], 4 * units)
        self.h_kernel = self._add_kernel("h_kernel", units, 4 * units)

    def joint_kernels(self):
        """Returns the kernel of [x, h], alone in a tuple."""
        return (ops.concatenate([self.x_kernel, self.h_kernel], axis=2),)

    def call(self, inputs, state, kernels=None, projected=False):
        hidden, cell = state
        self._check_state(hidden, cell)
        (temporal,) = kernels or self.joint_kernels()
        first = 0 if hidden is not None else 1
        *gates, o = self._sum(inputs, hidden, first, 4, temporal, projected)
        cell = self._advance_cell(gates, cell)
        return ConvLSTMState(ops.sigmoid(o) * ops.tanh(cell), cell)
