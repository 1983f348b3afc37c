"""What a request costs a model: rows, pixels, and memory inside the graph.

An exported model says in its model card how much memory a row, a frame and a
pixel need. A model without a card is charged with the bytes of its inputs.
"""

import dataclasses
import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lgn_serving.arrays import Array
from lgn_serving.picture_headers import picture_size

_log = logging.getLogger(__name__)

CARD = Path("assets.extra/model_card.json")

_POINTER = 8

_SHORT_FRAMES, _SHORT_PIXELS = 32, 2**24


@dataclasses.dataclass(frozen=True)
class Memory:
    """Bytes that one signature needs inside the graph.

    Attributes:
        frames: name of the input whose second dimension is the frames.
        request: bytes of any request.
        row: bytes of each row besides.
        frame: bytes of each frame of each row besides.
        pixel: bytes of each pixel of the largest frame.
        line: bytes of each line of pixels of the highest frame.
        side: largest height and width of a picture that is decoded.
    """

    frames: str
    request: int
    row: int
    frame: int
    pixel: int
    line: int
    side: int


@dataclasses.dataclass(frozen=True)
class Cost:
    """What one request needs.

    Attributes:
        rows: of its longest input.
        pixels: of all frames and pictures.
        memory: bytes.
        frames: of all rows; None where it is not known.
    """

    rows: int
    pixels: int
    memory: int
    frames: int | None = None

    @property
    def is_short(self) -> bool:
        """Whether the graph is done soon, for all that is known."""
        return (
            self.frames is not None
            and self.frames <= _SHORT_FRAMES
            and self.pixels <= _SHORT_PIXELS
        )


def read_card(version: Path) -> dict[str, Memory]:
    """Reads from the card of a version what its signatures need.

    Args:
        version: the folder that holds `saved_model.pb`.

    Returns:
        A `Memory` for each signature; none where there is no card that says
        so. A damaged card is logged.
    """
    path = version / CARD
    if not path.is_file():
        return {}
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        found = card.get("memory", {})
        names = {field.name: field.type for field in dataclasses.fields(Memory)}
        result = {
            name: Memory(**{field: values[field] for field in names})
            for name, values in found.items()
        }
        for memory in result.values():
            _check(memory)
    # RecursionError: of brackets in brackets.
    except (
        *(OSError, ValueError, KeyError, TypeError, AttributeError),
        RecursionError,
    ) as error:
        _log.error(
            "%s: must be a model card; requests are charged with their bytes. "
            "Found there: %r",
            path,
            error,
        )
        return {}
    return result


def _check(memory: Memory) -> None:
    for field, value in dataclasses.asdict(memory).items():
        if field == "frames":
            continue
        if type(value) is not int or value < 0:
            raise ValueError(
                f"`{field}` must be a whole number. Received: {value!r}"
            )


def cost(memory: Memory | None, inputs: Mapping[str, Array]) -> Cost:
    """Returns what a request needs.

    Args:
        memory: of the signature; None where nothing is known.
        inputs: the arrays.
    """
    arrays = list(inputs.values())
    rows = max((len(each) if each.ndim else 1 for each in arrays), default=0)
    taken = sum(map(_bytes, arrays))
    if memory is None:
        return Cost(rows, 0, taken)
    taken += memory.request + rows * memory.row
    frames = inputs.get(memory.frames)
    if frames is None:
        return Cost(rows, 0, taken)
    pixels, largest, highest = _sizes(frames, memory.side)
    count = math.prod(frames.shape[:2])
    taken += count * memory.frame
    taken += largest * memory.pixel + highest * memory.line
    return Cost(rows, pixels, taken, count)


def _sizes(frames: Array, side: int) -> tuple[int, int, int]:
    """Returns all pixels, those of the largest frame, and the highest."""
    if frames.dtype != object:
        if frames.ndim != 5:
            return 0, 0, 0
        rows, count, height, width, _ = frames.shape
        return rows * count * height * width, height * width, height
    found = [
        size
        for size in map(picture_size, frames.flat)
        # A larger picture is never decoded.
        if max(size) <= side
    ]
    areas = [height * width for height, width in found]
    highest = max((height for height, _ in found), default=0)
    return sum(areas), max(areas, default=0), highest


def _bytes(array: Array) -> int:
    if array.dtype != object:
        return int(array.nbytes)
    return sum(map(len, array.flat)) + _POINTER * array.size


def costs_of(servable: Any, signature: str) -> Memory | None:
    """Returns what a signature of a servable needs, where that is known."""
    known: Mapping[str, Memory] = getattr(servable, "costs", {})
    return known.get(signature)
