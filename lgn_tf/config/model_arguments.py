"""The arguments that decide the shapes of the network, and their rules."""

from typing import Literal, get_args

from lgn_tf.files.arrays import LARGEST_SIDE

Variant = Literal["lgn_net", "lgn_st", "glo_net", "loc_net"]
VARIANTS = get_args(Variant)
"""Table II of the paper: the whole model and its three ablations."""

MOST_FRAMES = 64
"""Input frames at most."""

MOST_WIDTH = 4.0
"""Of the multiplier of channels; at 4 the network has 364 million weights."""

MOST_ITEMS = 10_000
"""Prototype items at most; each is compared with each place of a frame."""


def size_multiple(variant: str) -> int:
    """Returns the number that image height and width must be multiples of.

    The local branch halves the frame twice, the global branch three times.
    """
    return 4 if variant == "loc_net" else 8


def validate_model_arguments(
    image_size: tuple[int, int],
    channels: int,
    frames: int,
    width: float,
    variant: str,
    memory_items: int,
) -> None:
    """Checks the arguments that decide the shapes of the network.

    Raises:
        ValueError: naming the argument, the rule and what was received.
    """
    if variant not in VARIANTS:
        raise ValueError(
            f"`variant` must be one of {', '.join(VARIANTS)}. "
            f"Received: variant={variant!r}"
        )
    multiple = size_multiple(variant)
    if len(image_size) != 2 or any(
        not multiple <= side <= LARGEST_SIDE or side % multiple
        for side in image_size
    ):
        raise ValueError(
            "`image_size` must be (height, width), both positive multiples "
            f"of {multiple} for variant {variant!r}, up to {LARGEST_SIDE}. "
            f"Received: image_size={tuple(image_size)}"
        )
    if channels not in (1, 3):
        raise ValueError(
            f"`channels` must be 1 or 3. Received: channels={channels!r}"
        )
    if not 2 <= frames <= MOST_FRAMES:
        raise ValueError(
            "`frames`, the number of input frames, must be at least 2, and at "
            f"most {MOST_FRAMES}. "
            f"Received: frames={frames!r}"
        )
    if not 0 < width <= MOST_WIDTH:
        raise ValueError(
            "`width`, the multiplier of every channel count, must be "
            f"positive, and at most {MOST_WIDTH:g}. Received: width={width!r}"
        )
    if not 2 <= memory_items <= MOST_ITEMS:
        raise ValueError(
            "`memory_items` must be at least 2: separateness compares the "
            "nearest item with the second nearest; and at most "
            f"{MOST_ITEMS:,}. "
            f"Received: memory_items={memory_items!r}"
        )
