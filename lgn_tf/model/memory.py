"""A memory of prototype items of normal video, as a Keras layer."""

import math
from typing import Any

import keras
from keras import ops

from lgn_tf.model import prototypes
from lgn_tf.model.arguments import arguments_of


@keras.saving.register_keras_serializable("lgn_tf")
class PrototypeMemory(keras.layers.Layer):
    """Memory of unit prototype items that is written without gradients.

    It behaves like batch normalisation. `call` reads with the *old* items
    (Eq. 2 and 3) and adds the two memory losses (Eq. 10 and 11); in training it
    then writes the new items (Eq. 4 to 6), from the queries of the whole batch
    over all replicas. In inference nothing is written; `update` is there for
    updates while scoring. `lgn_tf.model.prototypes` has the equations.

    Under several replicas Keras keeps one list of added losses for all of
    them, and each would count those of the others. A model whose
    `compute_loss` adds the `weighted_losses` itself, as that of `LGNNet` does,
    sets `add_losses=False`.

    Args:
        items: number of items, at least 2.
        compactness_weight: of the compactness loss (Eq. 10).
        separateness_weight: of the separateness loss (Eq. 11).
        temperature: divides the similarities before the softmax of the read.
            This and the next three are no part of the paper, and off by
            default.
        momentum: makes the update a moving average, see `prototypes.updated`.
        revive_after: number of updates in a row that find an item nearest to
            no query, after which the farthest query takes its place. None
            leaves such an item where it is for ever.
        max_over_assigned: see `prototypes.updated`.
        add_losses: whether `call` adds the losses to the layer's.
        **kwargs: of `keras.layers.Layer`; a `dtype` is ignored, the memory
            computes in float32.

    Call arguments:
        queries: tensor (batch, height, width, dim) of unit vectors.
        training: whether to write the items after reading.

    Returns:
        A `prototypes.MemoryReadout`.

    Raises:
        ValueError: for arguments out of bounds.

    Example:
        >>> import keras
        >>> from lgn_tf.model import prototypes
        >>> from lgn_tf.model.memory import PrototypeMemory
        >>> memory = PrototypeMemory(items=3)
        >>> queries = prototypes.normalize(keras.random.normal((2, 4, 6, 8)))
        >>> readout = memory(queries, training=True)
        >>> tuple(readout.features.shape), tuple(readout.weights.shape)
        ((2, 4, 6, 8), (2, 4, 6, 3))
        >>> tuple(memory.items.shape), len(memory.losses)
        ((3, 8), 2)

    Reference:
        LGN-Net, section III-C, Eq. 2 to 6, 10 and 11.
    """

    def __init__(
        self,
        items: int,
        compactness_weight: float = 10.0,
        separateness_weight: float = 5.0,
        temperature: float = 1.0,
        momentum: float | None = None,
        revive_after: int | None = None,
        max_over_assigned: bool = False,
        add_losses: bool = True,
        **kwargs: Any,
    ):
        super().__init__(**{**kwargs, "dtype": prototypes.DTYPE})
        self.item_count = items
        self.compactness_weight = compactness_weight
        self.separateness_weight = separateness_weight
        self.temperature = temperature
        self.momentum = momentum
        self.revive_after = revive_after
        self.max_over_assigned = max_over_assigned
        self.add_losses = add_losses
        self._validate()

    def _validate(self):
        if self.item_count < 2:
            raise ValueError(
                "`items` must be at least 2: separateness compares the nearest "
                f"with the second nearest. Received: items={self.item_count}"
            )
        for name in ("compactness_weight", "separateness_weight"):
            weight = getattr(self, name)
            if not 0 <= weight < math.inf:
                raise ValueError(
                    f"`{name}` must be finite and not negative. "
                    f"Received: {name}={weight}"
                )
        if not 0 < self.temperature < math.inf:
            raise ValueError(
                "`temperature` must be positive. "
                f"Received: temperature={self.temperature}"
            )
        if self.momentum is not None and not 0 <= self.momentum < 1:
            raise ValueError(
                "`momentum` must be None or lie in [0, 1). "
                f"Received: momentum={self.momentum}"
            )
        if self.revive_after is not None and self.revive_after < 1:
            raise ValueError(
                "`revive_after` must be None or at least 1. "
                f"Received: revive_after={self.revive_after}"
            )

    def build(self, input_shape):
        self.items = self.add_weight(
            name="items",
            shape=(self.item_count, input_shape[-1]),
            initializer=prototypes.UnitRows(),
            trainable=False,
            autocast=False,
        )
        if self.revive_after is not None:
            self.idle = self.add_weight(
                name="idle",
                shape=(self.item_count,),
                initializer="zeros",
                trainable=False,
                autocast=False,
            )

    def call(self, queries, training=False):
        readout = self.read(queries)
        if self.add_losses:
            for loss in self.weighted_losses(readout):
                self.add_loss(loss)
        if training:
            self.update(queries)
        return readout

    def read(self, queries, items=None):
        """Reads the memory.

        Args:
            queries: tensor (batch, height, width, dim) of unit vectors.
            items: tensor (items, dim) to read from instead of the layer's own.

        Returns:
            A `prototypes.MemoryReadout`.
        """
        items = self.items if items is None else items
        return prototypes.read(
            queries, ops.convert_to_tensor(items), self.temperature
        )

    def weighted_losses(self, readout):
        """Returns (compactness, separateness) of this replica's batch.

        Both are scalar tensors, multiplied by their weights (Eq. 10 and 11).
        """
        return (
            self.compactness_weight * ops.mean(readout.distance),
            self.separateness_weight * ops.mean(readout.separateness),
        )

    def update(self, queries):
        """Writes the items, updated by `queries` (..., dim)."""
        items = ops.convert_to_tensor(self.items)
        changed = self.updated(queries, items)
        if self.revive_after is not None:
            nearest = prototypes.nearest(queries, items)
            counts = prototypes.usage(nearest, self.item_count)
            idle = ops.where(counts > 0, 0.0, self.idle + 1.0)
            dead = idle >= self.revive_after
            changed, replaced = prototypes.revived(queries, changed, dead)
            self.idle.assign(ops.where(replaced, 0.0, idle))
        self.items.assign(changed)

    def updated(self, queries, items):
        """Returns `items` after an update by `queries`; nothing is written."""
        return prototypes.updated(
            queries, items, self.momentum, self.max_over_assigned
        )

    def get_config(self):
        config = arguments_of(self, items=self.item_count)
        return super().get_config() | config
