"""`lgn convert`."""

from pathlib import Path

import tyro

from lgn_tf.cli.options import command


@command
def convert(
    model: tyro.conf.Positional[Path],
    items: tyro.conf.Positional[Path],
    out: tyro.conf.Positional[Path],
    image_size: tuple[int, int] = (256, 256),
) -> None:
    """Turns the authors' PyTorch checkpoint into a run directory, with proof.

    Args:
        model: model.pth (needs PyTorch), or model.npz with the same names.
        items: keys.pt, the memory items, or keys.npz with one array.
        out: run directory to write; must not exist.
        image_size: (height, width) in pixels that frames are resized to.
    """
    from lgn_tf.conversion import convert as conversion

    print(conversion.convert(model, items, out, image_size=image_size))
