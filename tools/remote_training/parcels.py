"""Files of limited size: tar files of many, and pieces of one."""

import hashlib
import json
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from lgn_tf.files import atomic

MEGABYTE = 1_000_000
PACK_LIMIT = 60 * MEGABYTE
PIECE_LIMIT = 16 * MEGABYTE
TAR_END = 20480
"""Bytes that close a tar file, at most."""

PIECES = "pieces.json"


def pack(data_root: Path, out: Path) -> None:
    """Writes tar files of at most 60 MB: training frames, and the rest."""
    files = sorted(path for path in data_root.rglob("*") if path.is_file())
    if not files:
        raise FileNotFoundError(f"{data_root}: no such folder, or no files")
    for path in files:
        if _cost(path) > PACK_LIMIT - TAR_END:
            raise ValueError(
                f"A file must fit into a pack of {PACK_LIMIT:,} bytes. "
                f"Received: {path} of {path.stat().st_size:,} bytes"
            )
    out.mkdir(parents=True, exist_ok=True)
    groups: dict[str, list[Path]] = {"train": [], "test": []}
    for path in files:
        first = path.relative_to(data_root).parts[0].lower()
        groups["train" if first.startswith("train") else "test"].append(path)
    for name, members in groups.items():
        for number, part in enumerate(_parts(members)):
            path = out / f"{name}-{number}.tar.xz"
            with tarfile.open(path, "w:xz", format=tarfile.USTAR_FORMAT) as tar:
                for member in part:
                    tar.add(member, member.relative_to(data_root))
            print(f"{path}: {path.stat().st_size / MEGABYTE:.1f} MB")


def _cost(path: Path) -> int:
    # A header, and blocks of 512 bytes.
    return 1024 + path.stat().st_size


def _parts(files: Iterable[Path]) -> Iterator[list[Path]]:
    part: list[Path] = []
    size = 0
    for path in files:
        cost = _cost(path)
        if part and size + cost > PACK_LIMIT - TAR_END:
            yield part
            part, size = [], 0
        part.append(path)
        size += cost
    if part:
        yield part


def unpack(packs: Sequence[Path], work: Path) -> Path:
    """Unpacks what is not yet there."""
    data = work / "data"
    for path in packs:
        mark = work / f"{path.name}.unpacked"
        if not mark.exists():
            data.mkdir(parents=True, exist_ok=True)
            with tarfile.open(path) as tar:
                tar.extractall(data, filter="data")
            mark.touch()
    return data


def write_tar(path: Path, folder: Path, names: Iterable[str]) -> None:
    """Writes a tar file of what is there of a folder."""
    with (
        atomic.replaced(path) as partial,
        tarfile.open(partial, "w:xz", preset=1) as tar,
    ):
        for name in names:
            if (folder / name).exists():
                tar.add(folder / name, name)


def split(file: Path, out: Path) -> None:
    """Cuts a file into pieces below 16 MiB."""
    out.mkdir(parents=True, exist_ok=True)
    contents = file.read_bytes()
    total = -(-len(contents) // PIECE_LIMIT)
    for number in range(total):
        piece = contents[number * PIECE_LIMIT : (number + 1) * PIECE_LIMIT]
        (out / f"{file.name}.{number:03d}").write_bytes(piece)
    digest = hashlib.sha256(contents).hexdigest()
    (out / PIECES).write_text(
        json.dumps({"name": file.name, "pieces": total, "sha256": digest})
    )
    print(f"{out}: {len(contents) / MEGABYTE:.1f} MB in {total} pieces")


def join(folder: Path, file: Path) -> None:
    """Puts the pieces of a file together, and checks them."""
    about = json.loads((folder / PIECES).read_text())
    names = [
        folder / f"{about['name']}.{number:03d}"
        for number in range(about["pieces"])
    ]
    missing = [name for name in names if not name.is_file()]
    if missing:
        raise FileNotFoundError(f"{missing[0]}: a piece is missing")
    contents = b"".join(name.read_bytes() for name in names)
    if hashlib.sha256(contents).hexdigest() != about["sha256"]:
        raise ValueError(f"{folder}: the pieces are not of one file")
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_bytes(file, contents)
    print(f"{file}: {len(contents)} bytes")
