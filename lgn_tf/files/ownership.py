"""Marks in folders that `lgn` made, so that it replaces no others.

A mark lists the files of its folder. A folder with another file in it is not
replaced: somebody put it there.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import msgspec

from lgn_tf.files import atomic, untrusted

MARK = ".lgn.json"
"""The file that marks a folder."""

_LARGEST = 64 << 20
"""Bytes of a mark; it names a file in some 30 of them."""

_JUNK = (".DS_Store", "Thumbs.db", "desktop.ini")
# File managers put them wherever somebody looks.


class _Mark(msgspec.Struct):
    kind: str
    files: list[str]


@contextlib.contextmanager
def folder(path: Path, kind: str, before: Sequence[str]) -> Iterator[Path]:
    """Hands out an empty folder that takes the place of an older one.

    Args:
        path: see `atomic.folder`.
        kind: of the contents, such as `evaluation`; an older folder of this
            kind is replaced.
        before: see `require`.

    Yields:
        The folder to fill.

    Raises:
        FileExistsError: where `path` holds what `lgn` did not write there.
        OSError: as `atomic.folder` does.
    """
    with atomic.folder(path, lambda old: require(old, kind, before)) as new:
        yield new
        found = _Mark(kind, sorted(_files(new)))
        atomic.write_bytes(new / MARK, msgspec.json.encode(found))


def refuse_marked(folder: Path) -> None:
    """Refuses to write single files into a folder that is one whole.

    Raises:
        FileExistsError: naming the folder, where it has a mark.
    """
    found = _read(folder)
    if found is not None:
        raise FileExistsError(
            f"{folder}: holds one {found.kind}, and nothing else is written "
            "into it. Choose another folder"
        )


def require(folder: Path, kind: str, before: Sequence[str]) -> None:
    """Refuses a folder that holds what `lgn` did not write there.

    Args:
        folder: that is to be replaced; need not be there.
        kind: of the contents that may be.
        before: patterns of the files that earlier versions wrote, which set no
            mark, such as `frames/*.csv`. The first must be there.

    Raises:
        FileExistsError: naming the folder and the first such file; or a file
            in the place of the folder.
    """
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        raise FileExistsError(f"{folder}: not a folder, and not overwritten")
    if not any(folder.iterdir()):
        return
    found, files = _read(folder), sorted(_files(folder))
    if found is None:
        others = [
            name
            for name in files
            if not any(_matches(name, pattern) for pattern in before)
        ]
        if not any(_matches(name, before[0]) for name in files):
            others = files or ["folders alone"]
    elif found.kind != kind:
        others = [f"{MARK} of the kind {found.kind!r}"]
    else:
        known = set(found.files)
        others = [name for name in files if name not in known]
    if others:
        raise FileExistsError(
            f"{folder} is not overwritten: it must be empty, or hold nothing "
            f"but an earlier {kind}. Found there: {others[0]}"
        )


def _matches(name: str, pattern: str) -> bool:
    # Absolute: a relative pattern would match the end of a name.
    return PurePosixPath("/", name).match(f"/{pattern}")


def _files(folder: Path) -> list[str]:
    """Returns the files and links below a folder that somebody wrote."""
    return [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if (path.is_symlink() or not path.is_dir())
        and path.name not in (MARK, *_JUNK)
    ]


def _read(folder: Path) -> _Mark | None:
    path = folder / MARK
    if not os.path.lexists(path):
        return None
    try:
        values = untrusted.read_json(path, _LARGEST)
        return msgspec.convert(values, type=_Mark)
    except ValueError as error:
        raise FileExistsError(
            f"{folder} is not overwritten: {MARK} in it cannot be read. "
            f"Found there: {error}"
        ) from error
