"""Marks in folders that `lgn` made, so that it replaces no others.

A mark lists the files of its folder with their checksums. A folder is not
replaced where somebody put another file into it, or changed one.
"""

import contextlib
import hashlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path

import msgspec

from lgn_tf.files import atomic, scratch, untrusted

MARK = ".lgn.json"
"""The file that marks a folder."""

_LARGEST = 64 << 20
"""Bytes of a mark; it names a file in some 100 of them."""

_JUNK = (".DS_Store", "Thumbs.db", "desktop.ini")
# File managers put them wherever somebody looks.


class _Mark(msgspec.Struct):
    kind: str
    files: dict[str, str]


@contextlib.contextmanager
def folder(
    path: Path, kind: str, before: Collection[str] = ()
) -> Iterator[Path]:
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
        files = {name: _checksum(new / name) for name in sorted(_files(new))}
        _write(new, _Mark(kind, files))


def claim(folder: Path, kind: str) -> None:
    """Takes a folder into which single files are written from time to time.

    Args:
        folder: made where it is not there.
        kind: of the files; a folder that was taken for this kind stays as it
            is, with all that lies in it.

    Raises:
        FileExistsError: naming the folder, where it holds anything that was
            there before it was taken, or is of another kind.
        OSError: where it cannot be written.
    """
    if os.path.lexists(folder) and not folder.is_dir():
        raise FileExistsError(f"{folder}: not a folder, and not overwritten")
    folder.mkdir(parents=True, exist_ok=True)
    others = [
        path.name
        for path in sorted(folder.iterdir())
        if path.name not in _JUNK and not scratch.is_scratch(path)
    ]
    # Read after that: another process may have taken it meanwhile.
    found = _read(folder)
    if found is not None:
        if found.kind != kind:
            raise FileExistsError(
                f"{folder}: holds one {found.kind}, and no {kind} are written "
                "into it. Choose another folder"
            )
    elif others:
        raise FileExistsError(
            f"{folder}: must be empty, or hold {kind} alone. "
            f"Found there: {others[0]}"
        )
    else:
        _write(folder, _Mark(kind, {}))


def _write(folder: Path, mark: _Mark) -> None:
    atomic.write_bytes(folder / MARK, msgspec.json.encode(mark))


def require(folder: Path, kind: str, before: Collection[str] = ()) -> None:
    """Refuses a folder that holds what `lgn` did not write there.

    Args:
        folder: that is to be replaced; need not be there.
        kind: of the contents that may be.
        before: names of files that the first versions wrote, which set no
            mark; a folder without a mark may hold these and no others.

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
        unknown = [name for name in files or ["folders"] if name not in before]
        others = [f"{name}, and no {MARK}" for name in unknown]
    elif found.kind != kind:
        others = [f"{MARK} of the kind {found.kind!r}"]
    else:
        known = found.files
        others = [name for name in files if name not in known]
        # All are read only where their names are right.
        others = others or [
            f"{name}, which was changed"
            for name in files
            if _checksum(folder / name) != known[name]
        ]
    if others:
        raise FileExistsError(
            f"{folder} is not overwritten: it must be empty, or hold nothing "
            f"but the {kind} that lgn wrote. Found there: {others[0]}"
        )


def _checksum(path: Path) -> str:
    """Returns the SHA-256 of a file, or nothing for a link: none is ours."""
    if path.is_symlink():
        return ""
    with untrusted.opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(folder: Path) -> list[str]:
    """Returns the files and links below a folder that somebody wrote."""
    return [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if (path.is_symlink() or not path.is_dir())
        and path != folder / MARK
        and path.name not in _JUNK
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
