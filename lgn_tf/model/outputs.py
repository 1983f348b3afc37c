"""What the model's parts hand to each other, by name."""

from typing import Any, NamedTuple


class Encoding(NamedTuple):
    """All of a window's features that do not depend on the memory's items.

    Attributes:
        local_features: F_loc, (batch, height, width, 64 width); an empty
            tuple for `glo_net`.
        queries: unit vectors, float32 (batch, height / 8, width / 8,
            512 width); an empty tuple for `loc_net`.
        last_frame: the last input frame as it was given, float32 (batch,
            height, width, channels); an empty tuple where the model is not
            residual.
    """

    local_features: Any = ()
    queries: Any = ()
    last_frame: Any = ()


class LGNOutput(NamedTuple):
    """What the model returns for a batch of clips.

    Attributes:
        prediction: the next frame, float32 (batch, height, width, channels)
            in [-1, 1].
        readout: `MemoryReadout`; an empty tuple for `loc_net`.
    """

    prediction: Any
    readout: Any = ()
