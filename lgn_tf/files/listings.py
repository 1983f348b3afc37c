"""Listings of folders: natural order, no junk, no links that leave."""

import os
import re
from pathlib import Path

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")
"""Endings of frame files, in lower case."""

VIDEO_SUFFIXES = (".avi", ".mp4", ".mov", ".mkv", ".m4v", ".mpg", ".mpeg")
"""Endings of video files, in lower case."""

_JUNK = ("__MACOSX", "Thumbs.db", "desktop.ini")


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """Returns a key that sorts `2` before `10`, with or without zeros.

    Returns:
        A key for `sorted`: numbers by value, the rest by letters.
    """
    parts = re.split(r"(\d+)", name)
    key = tuple((int(p), "") if p.isdigit() else (-1, p) for p in parts)
    # The name itself decides between `1` and `01`.
    return (*key, (-1, name))


def is_junk(name: str) -> bool:
    """Returns whether a file is junk that systems and editors leave behind.

    `.DS_Store`, `._001.tif`, `UCSDped2.m~`, `Thumbs.db` and the like.
    """
    return name.startswith(".") or name.endswith("~") or name in _JUNK


def is_plain_name(name: str) -> bool:
    """Returns whether a name is one of a file here, and can be printed.

    A name with a line break, with what moves a terminal's cursor, or with
    bytes that are no UTF-8 would damage every text that it stands in.
    """
    return (
        name not in ("", ".", "..") and "/" not in name and name.isprintable()
    )


def is_image(path: Path) -> bool:
    """Returns whether a file is a frame, by its ending."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def is_video(path: Path) -> bool:
    """Returns whether a path is a video, by its ending; a folder is none."""
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir()


def _entries(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if not is_junk(path.name)]
    return sorted(found, key=lambda path: natural(path.name))


def children(folder: Path) -> list[Path]:
    """Returns the files of a folder in natural order, or none.

    Raises:
        ValueError: naming what has the name of a frame or a video and is no
            file: a pipe, a link to nothing.
    """
    found = []
    for path in _entries(folder):
        if path.is_file():
            found.append(path)
        elif not path.is_dir() and (is_image(path) or is_video(path)):
            raise ValueError(
                f"{path}: must be a file. Found there: "
                + ("a link to nothing" if path.is_symlink() else "none")
            )
    return found


def folders(folder: Path) -> list[Path]:
    """Returns the folders in a folder in natural order, or none."""
    return [path for path in _entries(folder) if path.is_dir()]


def frames(folder: Path) -> list[Path]:
    """Returns the image files of a folder in natural order.

    Raises:
        ValueError: where there are none, or files of two formats, or two files
            with one number, or a link that leaves the folder, or a folder that
            has the name of a frame.
    """
    files = [path for path in children(folder) if is_image(path)]
    if not files:
        raise ValueError(f"{folder}: no frames. Found there: {summary(folder)}")
    for path in filter(is_image, folders(folder)):
        raise ValueError(f"{path}: must be a file. Found there: a folder")
    suffixes = sorted({path.suffix.lower() for path in files})
    if len(suffixes) > 1:
        raise ValueError(
            f"{folder}: frames must be of one format. "
            f"Found there: {', '.join(suffixes)}"
        )
    seen: dict[tuple[tuple[int, str], ...], Path] = {}
    for path in files:
        if path.is_symlink():
            require_inside(folder, path)
        other = seen.setdefault(natural(path.stem)[:-1], path)
        if other is not path:
            raise ValueError(
                f"{folder}: two frames have one number. "
                f"Found there: {other.name} and {path.name}"
            )
    return files


def gaps(files: list[Path]) -> list[int]:
    """Returns the numbers that are missing between the first and the last.

    Files whose names hold no number have no gaps.
    """
    found = [re.findall(r"\d+", path.stem) for path in files]
    if not all(found):
        return []
    numbers = {int(digits[-1]) for digits in found}
    return sorted(set(range(min(numbers), max(numbers))) - numbers)


def require_inside(root: Path, path: Path) -> None:
    """Refuses a path that leaves a folder through a link.

    Raises:
        ValueError: naming the path and where it leads.
    """
    target = _resolved(path)
    if not target.is_relative_to(_resolved(root)):
        raise ValueError(
            f"{path}: a link must not leave {root}. It leads to {target}"
        )


def settled(path: Path) -> Path:
    """Returns a path that stays right while what it names is replaced.

    In `new/../new`, what is to be replaced is a part of the way to it. A link
    at the very end stays one: it is what is replaced.

    Args:
        path: of a file or folder, which need not be there.

    Raises:
        FileExistsError: for the root of a file system.
    """
    if path.name in ("", ".."):
        path = _resolved(path)
        if not path.name:
            raise FileExistsError(f"{path} exists, and is not overwritten")
    return _resolved(path.parent) / path.name


def _resolved(path: Path) -> Path:
    # `Path.resolve` raises a RuntimeError for a link to itself.
    return Path(os.path.realpath(path))


def summary(folder: Path, most: int = 5) -> str:
    """Returns the contents of a folder in a few words."""
    if not folder.is_dir():
        return f"a file named {folder.name}"
    names = [path.name for path in _entries(folder)]
    if not names:
        return "nothing"
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
