"""The folder of a frame store: what may lie there, and what is removed."""

from contextlib import suppress
from pathlib import Path

from lgn_tf.data.store.manifest import MANIFEST, SPLITS
from lgn_tf.files import listings, locks, scratch

LOCK = ".lock"
"""In a store that is being filled."""


def require_own(folder: Path) -> None:
    """Refuses a folder that holds what no preparation wrote there.

    Raises:
        ValueError: naming it and what was found, or a link that leaves it.
    """
    for place in _places(folder):
        listings.require_inside(folder, place)
    if not folder.is_dir() or (folder / MANIFEST).exists():
        return
    # The manifest comes before the first frames.
    ours = {folder / LOCK, *_places(folder)}
    found = set(entries(folder)) - ours
    others = [path for path in found if not scratch.is_scratch(path)]
    if others:
        names = sorted(str(path.relative_to(folder)) for path in others)
        raise ValueError(
            f"{folder}: a store needs a folder of its own. "
            f"Found there: {', '.join(names[:5])}"
        )


def _places(folder: Path) -> list[Path]:
    """Returns the folders in which a preparation writes."""
    return [folder, *(folder / name for name in SPLITS)]


def entries(folder: Path) -> list[Path]:
    """Returns what lies in the folders in which a preparation writes."""
    places = filter(Path.is_dir, _places(folder))
    return [path for place in places for path in place.iterdir()]


def tidy(folder: Path) -> None:
    """Removes what a run left that was killed when all else was done."""
    left = map(scratch.is_scratch, entries(folder))
    if (folder / LOCK).exists() or any(left):
        # Where another run is at work or nothing can be written, it stays.
        with suppress(OSError), locks.alone(folder / LOCK, folder):
            sweep(folder)


def sweep(folder: Path) -> None:
    """Removes what a killed run had not finished."""
    for place in _places(folder):
        scratch.sweep(place)
