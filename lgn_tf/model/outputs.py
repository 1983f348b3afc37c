"""Named tuples that the parts of the model pass to each other."""

from typing import Any, NamedTuple


class Encoding(NamedTuple):
    """The features of windows that do not depend on the memory's items.

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
    """The output of the model for a batch of clips.

    Attributes:
        prediction: the next frame, float32 (batch, height, width, channels)
            in [-1, 1].
        readout: `MemoryReadout`; an empty tuple for `loc_net`.
    """

    prediction: Any
    readout: Any = ()
