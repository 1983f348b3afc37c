"""The building blocks: convolution, batch normalisation and ReLU."""

import keras
from keras import ops

from lgn_tf.backend import convolution, distribution
from lgn_tf.model.arguments import arguments_of

BATCH_NORM_EPSILON = 1e-5
BATCH_NORM_MOMENTUM = 0.9


def scaled(channels, width):
    """Returns `channels` times the width multiplier, at least 1."""
    return max(1, round(channels * width))


def kernel_initializer():
    """Returns U(-b, b) with b = 1 / sqrt(fan_in), PyTorch's default.

    Keras stores a transposed kernel as (h, w, out, in) and takes the last axis
    but one for the fan-in, which is what PyTorch does for that layer.
    """
    return keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")


@keras.saving.register_keras_serializable("lgn_tf")
class BatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation whose statistics cover all replicas.

    The number of replicas is read at build and not stored: a model that was
    trained on two GPUs loads on one, and on JAX, where the argument
    `synchronized` is refused.

    Args:
        epsilon: added to the variance.
        momentum: share of the old value in the moving statistics.
        **kwargs: of `keras.layers.BatchNormalization`.
    """

    def __init__(
        self,
        epsilon=BATCH_NORM_EPSILON,
        momentum=BATCH_NORM_MOMENTUM,
        **kwargs,
    ):
        super().__init__(epsilon=epsilon, momentum=momentum, **kwargs)

    def build(self, input_shape):
        self.synchronized = distribution.count() > 1
        super().build(input_shape)

    def get_config(self):
        config = super().get_config()
        config.pop("synchronized", None)
        return config


@keras.saving.register_keras_serializable("lgn_tf")
class Conv(keras.layers.Layer):
    """3 x 3 convolution with a bias, padded by 1 on all sides.

    `transposed` doubles the resolution, `strides=2` halves it.

    Args:
        filters: number of output channels.
        strides: 1 or 2; of no meaning where `transposed`.
        transposed: whether to double the resolution.
        **kwargs: of `keras.layers.Layer`.

    Call arguments:
        inputs: tensor (batch, height, width, channels).

    Returns:
        A tensor (batch, height / strides, width / strides, filters), or
        (batch, 2 height, 2 width, filters) where `transposed`.
    """

    def __init__(self, filters, strides=1, transposed=False, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.strides = strides
        self.transposed = transposed

    def build(self, input_shape):
        channels = input_shape[-1]
        if self.transposed:
            shape = (3, 3, self.filters, channels)
        else:
            shape = (3, 3, channels, self.filters)
        self.kernel = self.add_weight(
            name="kernel", shape=shape, initializer=kernel_initializer()
        )
        # The bias starts within the bounds of the kernel: fan-in, see there.
        bound = (9 * shape[2]) ** -0.5
        self.bias = self.add_weight(
            name="bias",
            shape=(self.filters,),
            initializer=keras.initializers.RandomUniform(-bound, bound),
        )

    def call(self, inputs):
        return self.convolve(inputs, self.kernel) + self.bias

    def convolve(self, inputs, kernel):
        """Convolves `inputs` with `kernel`, without the bias."""
        if self.transposed:
            return convolution.convolve_transposed(inputs, kernel)
        return convolution.convolve(inputs, kernel, self.strides)

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        if self.transposed:
            return (batch, 2 * height, 2 * width, self.filters)
        # Padded by 1 on both sides, the kernel of 3 covers ceil(side / 2).
        height, width = (-(-side // self.strides) for side in (height, width))
        return (batch, height, width, self.filters)

    def get_config(self):
        return super().get_config() | arguments_of(self)


@keras.saving.register_keras_serializable("lgn_tf")
class ConvBNReLU(keras.layers.Layer):
    """`Conv`, batch normalisation and ReLU, one after another.

    Args:
        filters: number of output channels.
        strides: 1, or 2 to halve the resolution.
        transposed: whether to double the resolution instead.
        **kwargs: of `keras.layers.Layer`.

    Call arguments:
        inputs: tensor (batch, height, width, channels).
        training: whether to normalise by the statistics of the batch.

    Returns:
        A tensor of the shape that `Conv` gives.
    """

    def __init__(self, filters, strides=1, transposed=False, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.strides = strides
        self.transposed = transposed
        self.conv = Conv(
            filters, strides, transposed, name="conv", dtype=self.dtype_policy
        )
        self.norm = BatchNormalization(name="norm", dtype=self.dtype_policy)

    def build(self, input_shape):
        self.conv.build(input_shape)
        self.norm.build(self.conv.compute_output_shape(input_shape))

    def call(self, inputs, training=False):
        if training:
            return ops.relu(self.norm(self.conv(inputs), training=True))
        kernel, bias = self._folded()
        outputs = self.conv.convolve(inputs, kernel)
        return ops.relu(outputs + ops.cast(bias, outputs.dtype))

    def _folded(self):
        """Returns kernel and bias with the moving statistics folded in.

        The statistics are constant in inference. Scaling the kernel gives the
        same as scaling the features, and saves a pass over them.
        """
        kernel, bias, norm = self.conv.kernel, self.conv.bias, self.norm
        scale = norm.gamma * ops.rsqrt(norm.moving_variance + norm.epsilon)
        bias = (ops.cast(bias, scale.dtype) - norm.moving_mean) * scale
        # The axis of the output channels is the third if transposed.
        rows = scale[:, None] if self.transposed else scale
        return ops.cast(kernel, scale.dtype) * rows, bias + norm.beta

    def compute_output_shape(self, input_shape):
        return self.conv.compute_output_shape(input_shape)

    def get_config(self):
        return super().get_config() | arguments_of(self)
