"""Files that a stranger may have made: plain files of a bounded size.

A pipe in the place of a file would block for ever, and a file of zeros fills
the memory of who reads it whole. Each reader says how large its files are at
most, and what is larger is refused before it is read.
"""

import io
import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MEBIBYTE = 2**20

_DEPTH = 32
"""Tables within tables: more than any file of this program has."""

_LARGEST = 1e12

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def opened(path: Path) -> io.BufferedReader:
    """Opens a file for reading, and nothing that only looks like one.

    Raises:
        OSError: where it is not there or may not be read.
        ValueError: naming the path, where it is a folder, a pipe, a device or
            a socket.
    """
    # Looked at before it is opened: to open a device may already do something.
    _require_file(path, os.stat(path).st_mode)  # noqa: PTH116
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _require_file(path, os.fstat(descriptor).st_mode)
        return open(descriptor, "rb")  # noqa: PTH123
    except BaseException:
        os.close(descriptor)
        raise


def _require_file(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "something else")
        raise ValueError(f"{path}: must be a file. Found there: {kind}")


def read_bytes(path: Path, most: int) -> bytes:
    """Returns the contents of a file.

    Args:
        path: of the file.
        most: bytes.

    Raises:
        OSError: where it cannot be read.
        ValueError: naming the path, where it is no file, or a larger one.
    """
    with opened(path) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        # Somebody may still write to it.
        contents = file.read(most + 1) if size <= most else b""
    if max(size, len(contents)) > most:
        raise ValueError(
            f"{path}: must hold at most {most:,} bytes. "
            f"Found there: {max(size, len(contents)):,}"
        )
    return contents


def read_text(path: Path, most: int) -> str:
    """Returns the text of a file in UTF-8; see `read_bytes`.

    Raises:
        OSError: where it cannot be read.
        ValueError: naming the path, also where it is no text in UTF-8.
    """
    try:
        return read_bytes(path, most).decode()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}: must be text in UTF-8. Found there: {error}"
        ) from error


def read_json(path: Path, most: int) -> dict[str, Any]:
    """Returns the object that a JSON file holds; see `read_bytes`.

    Raises:
        OSError: where it cannot be read.
        ValueError: naming the path, also where it holds no JSON object, or one
            that is nested too deeply.
    """
    contents = read_bytes(path, most)
    try:
        values = json.loads(contents)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not a JSON file: {error}") from error
    if not isinstance(values, Mapping):
        raise ValueError(
            f"{path}: the file must hold one JSON object. "
            f"Found there: {type(values).__name__}"
        )
    require_flat(path, values)
    return dict(values)


def require_flat(path: Path, values: Any) -> None:
    """Refuses tables and lists that are nested more than a few times.

    Raises:
        ValueError: naming the path.
    """
    level = [values]
    for _ in range(_DEPTH):
        level = [
            child
            for one in level
            if isinstance(one, Mapping | list)
            for child in (one.values() if isinstance(one, Mapping) else one)
        ]
        if not level:
            return
    raise ValueError(
        f"{path}: tables must be nested at most {_DEPTH} deep. "
        "Found there: more"
    )


def require_moderate(values: Any) -> None:
    """Refuses numbers within tables and lists that nothing here measures.

    Raises:
        ValueError: for one beyond a million millions, or none.
    """
    if isinstance(values, float | int) and not abs(values) <= _LARGEST:
        raise ValueError(f"a number beyond {_LARGEST:g}")
    if isinstance(values, Mapping):
        values = list(values.values())
    if isinstance(values, list | tuple):
        for value in values:
            require_moderate(value)


def one_line(text: object) -> str:
    """Returns text as one line that a terminal only prints.

    Line breaks become spaces. What else would move the cursor, change colours
    or the direction of writing, or is no Unicode, is written as its number.
    """
    line = re.sub(r"\s*[\r\n]+\s*", " ", str(text)).strip()
    return "".join(
        one if one.isprintable() else ascii(one)[1:-1] for one in line
    )
