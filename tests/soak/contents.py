"""What lies in a folder, apart from times, and whether it can be read."""

import csv
import hashlib
import io
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

FOLDER = "folder"
"""The fingerprint of a folder."""

_CLOCK = re.compile(rb'"(?:time|milliseconds)": [^\n]*')

State = Mapping[str, str]
"""The fingerprint of every file and folder, by its path in the folder."""


def state(root: Path) -> dict[str, str]:
    """Returns what lies in a folder; files of TensorBoard are left out.

    Their names hold the time, and what is appended to them may be cut.
    """
    found: dict[str, str] = {}
    for top, folders, files in os.walk(root):
        for name in folders:
            found[str(Path(top, name).relative_to(root))] = FOLDER
        for name in files:
            path = Path(top, name)
            if "tfevents" not in name and path.is_file():
                found[str(path.relative_to(root))] = fingerprint(path)
    return found


def fingerprint(path: Path) -> str:
    """Returns a digest of a file without times and other measurements.

    A file that should hold such a thing and cannot be read is taken as it is.
    """
    contents = path.read_bytes()
    reader = _TIMED.get(path.name)
    if reader is not None:
        try:
            contents = reader(contents)
        except Exception:
            contents = b"unreadable" + contents
    elif path.suffix == ".json":
        contents = _CLOCK.sub(b"", contents)
    return hashlib.sha256(contents).hexdigest()


def progress(snapshot: Path) -> tuple[int, int]:
    """Returns the epoch and the step of a training snapshot."""
    if not snapshot.is_file():
        return 0, 0
    with np.load(snapshot, allow_pickle=False) as arrays:
        values = json.loads(str(arrays["progress"]))
    return values["epoch"], values["step"]


def _snapshot(contents: bytes) -> bytes:
    with np.load(io.BytesIO(contents), allow_pickle=False) as arrays:
        parts = []
        for name in sorted(arrays.files):
            array = arrays[name]
            if name == "progress":
                values = json.loads(str(array))
                values.pop("seconds")
                parts.append(json.dumps(values, sort_keys=True).encode())
            else:
                parts += [name.encode(), str(array.dtype).encode()]
                parts += [str(array.shape).encode(), array.tobytes()]
    return b"\n".join(parts)


def _log(contents: bytes) -> bytes:
    rows = list(csv.DictReader(io.StringIO(contents.decode(), newline="")))
    for row in rows:
        row.pop("seconds")
    return json.dumps(rows).encode()


def _environment(contents: bytes) -> bytes:
    values = json.loads(contents)
    for name in ("time", "command", "resumed"):
        values.pop(name, None)
    return json.dumps(values, sort_keys=True).encode()


def _card(contents: bytes) -> bytes:
    values = json.loads(contents)
    # A measurement, as a time is.
    values.pop("memory")
    return json.dumps(values, sort_keys=True).encode()


def _card_text(contents: bytes) -> bytes:
    return re.sub(rb"## Memory\n.*?\n## ", b"## ", contents, flags=re.DOTALL)


def _mark(contents: bytes) -> bytes:
    values = json.loads(contents)
    # It holds the time.
    values["files"].pop("results.json", None)
    return json.dumps(values, sort_keys=True).encode()


_TIMED: dict[str, Callable[[bytes], bytes]] = {
    ".lgn.json": _mark,
    "snapshot.npz": _snapshot,
    "log.csv": _log,
    "environment.json": _environment,
    "model_card.json": _card,
    "model_card.md": _card_text,
}


def unreadable(path: Path) -> str | None:
    """Returns why the reader of a file refuses it; None where it does not.

    Raises:
        ValueError: for a kind of file without a reader here.
    """
    try:
        _READERS[path.suffix](path)
    except KeyError:
        raise ValueError(f"{path}: no reader for such a file") from None
    except Exception as error:
        return f"{path.name}: {error!r}"
    return None


def _read_json(path: Path) -> None:
    json.loads(path.read_text(encoding="utf-8"))


def _read_csv(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lengths = {len(row) for row in csv.reader(io.StringIO(text, newline=""))}
    if len(lengths) != 1 or not text.endswith("\n"):
        raise ValueError("a line is cut")


def _read_arrays(path: Path) -> None:
    # By name, NumPy would leave a damaged archive open.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        for name in arrays.files:
            _ = arrays[name]


def _read_weights(path: Path) -> None:
    def read(_: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            _ = item[()]

    with h5py.File(path, "r") as file:
        file.visititems(read)
        if not len(file):
            raise ValueError("no weights")


def _read_frames(path: Path) -> None:
    """Its size is that of the manifest, where the manifest names it."""
    store = path.parent.parent
    manifest = json.loads((store / "manifest.json").read_text())
    height, width = manifest["size"]
    for entry in manifest["entries"]:
        if path == store / entry["split"] / f"{entry['name']}.frames":
            needed = height * width * entry["frames"] * entry["channels"]
            if path.stat().st_size != needed:
                raise ValueError(f"must hold {needed} bytes")


def _read_motion(path: Path) -> None:
    if path.stat().st_size % 4:
        raise ValueError("a number is cut")


_READERS: dict[str, Callable[[Path], None]] = {
    ".json": _read_json,
    ".csv": _read_csv,
    ".npz": _read_arrays,
    ".h5": _read_weights,
    ".frames": _read_frames,
    ".motion": _read_motion,
}
