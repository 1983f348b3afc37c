"""Bytes that each layer of a training step keeps and works on.

The layers are those of `lgn_tf.model`, once more as numbers: so a plain module
knows them, and a test compares the weights of both.

A map is what one layer returns: batch x height x width x channels values.
"""

import dataclasses
from collections.abc import Iterator, Sequence

from lgn_tf.config.schema import Config

FULL, HALF = 4, 2
"""Bytes of a value; weights, statistics, memory and scores are always full."""

NORM_MAPS = 5
"""Maps that normalisation goes back with: the gradient that comes in, those
through scale, mean and variance, and a product on the way to a sum."""

CELL_MAPS = {"st_lstm": 12, "conv_lstm": 8}
"""Maps that a cell goes back with: the gradients of its states, of its gates,
and of what its convolutions were given."""

QUERY_MAPS = 5
"""Maps that the memory keeps: the features before and after they have unit
length, their differences to the nearest item and the second nearest."""

FRAME_ENCODER = ((64, 0.5), (64, 1), (128, 0.5), (128, 1))
UPSAMPLER = ((128, 2), (64, 2))
GLOBAL_ENCODER = tuple((c, 1) for c in (64, 64, 128, 128, 256, 256, 512))
RAISING = tuple(
    block
    for first, last in ((512, 256), (256, 128), (128, 64))
    for block in ((first, 1), (first, 1), (last, 2))
)
JOINING = ((64, 1), (64, 1))
"""(channels, change of height and width) of each block."""

POOLED = (1, 3, 5)
"""Blocks of the global encoder whose map is halved in height and width."""

CELLS = 4
CELL_CHANNELS = 128


@dataclasses.dataclass(frozen=True)
class Layer:
    """One layer in one step.

    Attributes:
        part: of the network.
        name: what it is called there; a layer that runs for each frame comes
            that often.
        kept: bytes that stay until the backward pass has been here.
        working: bytes that are there while it is.
        learned: weights with a gradient.
        statistics: weights without one.
    """

    part: str
    name: str
    kept: float
    working: float = 0
    learned: int = 0
    statistics: int = 0


def branches(config: Config) -> list[list[Layer]]:
    """Returns the layers that go back one after the other.

    Args:
        config: says network, batch size, precision, and whether to
            rematerialise.

    Returns:
        One list of all layers in the forward pass's order; or two, where no
        gradient comes from the decoder to the global branch: that branch has
        its gradients from the losses of the memory alone.
    """
    layers = list(_Network(config).layers())
    if config.model.variant in ("glo_net", "loc_net"):
        return [layers]
    alone = ("global encoder", "memory")
    return [
        [layer for layer in layers if (layer.part in alone) == chosen]
        for chosen in (False, True)
    ]


class _Network:
    """The layers of `lgn_tf.model.lgn_net`, in the forward pass's order."""

    def __init__(self, config: Config) -> None:
        self.model = config.model
        self.batch = config.training.batch_size
        self.rematerialise = config.training.rematerialise
        self.bytes = FULL if config.model.dtype == "float32" else HALF

    def layers(self) -> Iterator[Layer]:
        model = self.model
        pixels = self.batch * model.image_size[0] * model.image_size[1]
        units, dim = self.scaled(CELL_CHANNELS), self.scaled(512)
        raised, joined = self.scaled(64), 0
        if model.variant != "glo_net":
            for _ in range(model.frames):
                yield from self.blocks(
                    "frame encoder", FRAME_ENCODER, pixels, model.channels
                )
            yield from self.cells(pixels // 16, units)
            yield from self.blocks(
                "upsampler", UPSAMPLER, pixels // 16, 2 * units
            )
            joined += raised
        if model.variant != "loc_net":
            stacked = model.frames * model.channels
            yield from self.blocks(
                "global encoder", GLOBAL_ENCODER, pixels, stacked, POOLED
            )
            yield self.convolution("global encoder", pixels // 64, dim, dim)
            queries = QUERY_MAPS * FULL * pixels // 64 * dim
            items = model.memory_items * dim
            yield Layer("memory", "", queries, queries, statistics=items)
            if model.variant == "glo_net":
                dim *= 2
            yield from self.blocks("decoder", RAISING, pixels // 64, dim)
            joined += raised
        yield from self.blocks("decoder", JOINING, pixels, joined, stage="join")
        yield self.convolution("decoder", pixels, raised, model.channels)

    def scaled(self, channels: int) -> int:
        return max(1, round(channels * self.model.width))

    def convolution(
        self, part: str, pixels: int, channels: int, filters: int
    ) -> Layer:
        """The last layer of a part, which keeps what it was given."""
        return Layer(
            part,
            "last",
            kept=self.bytes * pixels * channels,
            working=self.bytes * pixels * (channels + filters),
            learned=(9 * channels + 1) * filters,
        )

    def blocks(
        self,
        part: str,
        table: Sequence[tuple[int, float]],
        pixels: int,
        channels: int,
        pooled: Sequence[int] = (),
        stage: str = "block",
    ) -> Iterator[Layer]:
        """Blocks one after another, each of which keeps what it was given."""
        for index, (filters, scale) in enumerate(table):
            filters = self.scaled(filters)
            given = self.bytes * pixels * channels
            pixels = int(pixels * scale**2)
            # What the convolution returns, as the normalisation computes it.
            full = FULL * pixels * filters
            returned = self.bytes * pixels * filters
            kept, working = given, NORM_MAPS * full
            if self.rematerialise:
                working += given + full + returned
            else:
                kept += full
            if index in pooled:
                kept += returned
            yield Layer(
                part,
                f"{stage} {index}",
                kept,
                working,
                learned=(9 * channels + 3) * filters,
                statistics=2 * filters,
            )
            channels = filters
            if index in pooled:
                pixels //= 4

    def cells(self, pixels: int, units: int) -> Iterator[Layer]:
        """The recurrent cells; all have the same number of channels."""
        spatial = self.model.variant == "lgn_net"
        working = CELL_MAPS["st_lstm" if spatial else "conv_lstm"]
        size = self.bytes * pixels * units
        for time in range(self.model.frames):
            for layer in range(CELLS):
                last = time == self.model.frames - 1
                top = last and layer == CELLS - 1
                # What later cells are given; the first takes features, too.
                states = (not top) + (not last) + (spatial and not top)
                inside = _inside(time, layer, spatial)
                if self.rematerialise:
                    kept = states + (layer == 0)
                    needed = working + inside + 3 + spatial
                else:
                    kept = inside + states - (not top)
                    needed = working
                yield Layer(
                    "recurrent cells",
                    f"cell {layer}",
                    kept * size,
                    needed * size,
                    learned=units**2 * (9 * 16 + 2 if spatial else 9 * 8),
                )


def _inside(time: int, layer: int, spatial: bool) -> int:
    """Returns how many maps a cell keeps beside its states.

    A convolution keeps what it was given: x, or x joined with a state, and c
    joined with m. A gate keeps itself. Where a state is zero, neither is there.
    """
    temporal = 5 if time else 3  # [x, h], f, i, g; or x, i, g
    if not spatial:
        return temporal + 2  # o, tanh
    if time or layer:
        temporal += 5  # [x, m], f', i', g'
    else:
        temporal += 2  # i', g'
    return temporal + 4  # [c, m], o, tanh
