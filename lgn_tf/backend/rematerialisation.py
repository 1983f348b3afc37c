"""Layers that keep only their inputs and are computed again going back.

A training step keeps what the backward pass needs of every layer. A layer that
is called through `rematerialised` keeps its inputs and nothing else; the
backward pass computes the rest of it once more, one layer at a time.
"""

import keras
from keras import ops, tree


def caller(rematerialise):
    """Returns the function that calls layers: `rematerialised`, or a plain one.

    Both take (layer, *inputs, **options) and return the layer's outputs.
    """
    return rematerialised if rematerialise else _called


def rematerialised(layer, *inputs, **options):
    """Calls a layer so that it keeps only its inputs.

    A pure function of the weights and the inputs is computed twice. The
    weights that the layer writes, such as moving statistics, are among its
    results and are written here, once.

    Args:
        layer: a built layer.
        *inputs: its positional arguments: nested tensors of floating point,
            and None where a part is absent.
        **options: its other arguments, which hold no tensors.

    Returns:
        The outputs of the layer.
    """
    variables, written = layer.variables, layer.non_trainable_variables

    def pure(values, tensors):
        given = iter(tensors)
        arguments = tree.map_structure(
            lambda x: None if x is None else next(given), inputs
        )
        mapping = list(zip(variables, values, strict=True))
        with keras.StatelessScope(mapping) as scope:
            outputs = layer(*arguments, **options)
        # The outputs first: TensorFlow begins to compute again when the
        # gradient of the first result is there, and not before.
        return outputs, [scope.get_current_value(v) for v in written]

    outputs, states = keras.remat(pure)(
        # Tensors: TensorFlow without a graph has a gradient for the variable
        # of each that is one, beside the gradient for the argument.
        [ops.copy(variable) for variable in variables],
        [x for x in tree.flatten(inputs) if x is not None],
    )
    for variable, state in zip(written, states, strict=True):
        variable.assign(state)
    return outputs


def _called(layer, *inputs, **options):
    return layer(*inputs, **options)
