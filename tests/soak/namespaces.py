"""Mounts that only one process and its children see.

Root ignores the modes of files, so a place that cannot be written is a mount.
"""

import contextlib
import ctypes
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tests.soak.lanes import Job, Scenario

_NEW_MOUNTS, _NEW_USER = 0x00020000, 0x10000000
_READ_ONLY, _REMOUNT, _BIND = 1, 32, 4096
_ALL_BELOW, _PRIVATE = 16384, 1 << 18

_T = TypeVar("_T")


def _call(name: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _mount(
    source: str, target: Path, kind: str, flags: int, options: str = ""
) -> None:
    _call(
        "mount",
        *(source.encode(), os.fsencode(target), kind.encode()),
        *(ctypes.c_ulong(flags), options.encode()),
    )


def enter() -> None:
    """Gives this process mounts of its own; it must have one thread.

    Raises:
        OSError: where the system does not allow it.
    """
    user, group = os.getuid(), os.getgid()
    if user == 0:
        _call("unshare", _NEW_MOUNTS)
    else:
        _call("unshare", _NEW_MOUNTS | _NEW_USER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    _mount("none", Path("/"), "", _ALL_BELOW | _PRIVATE)


def mount_memory(folder: Path, size: int) -> None:
    """Puts an empty disk of some bytes over a folder."""
    _mount("tmpfs", folder, "tmpfs", 0, f"size={size}")


def resize_memory(folder: Path, size: int) -> None:
    """Changes the size of a disk that `mount_memory` made."""
    _mount("tmpfs", folder, "tmpfs", _REMOUNT, f"size={size}")


def make_read_only(folder: Path) -> None:
    """Lets nobody in this namespace write below a folder."""
    _mount(os.fspath(folder), folder, "", _BIND | _ALL_BELOW)
    _mount("none", folder, "", _BIND | _REMOUNT | _READ_ONLY)


def inside(work: Callable[[], _T], folder: Path) -> Scenario[_T]:
    """Runs work in a fork with mounts of its own, and returns its result.

    Args:
        work: its result can be pickled.
        folder: an existing one; the result lies beside it for a moment.

    Raises:
        RuntimeError: where the work raised.
    """
    result = folder.with_name(f"{folder.name}.result")

    def entered() -> None:
        enter()
        result.write_bytes(pickle.dumps(work()))

    (ended,) = yield [Job(entered, folder.parent, seconds=900)]
    if ended.status:
        raise RuntimeError(f"{folder}: {ended.error or 'hung'}")
    contents = result.read_bytes()
    result.unlink()
    found: _T = pickle.loads(contents)
    return found


def refused(folder: Path) -> str:
    """Returns why this system gives no mounts; empty where it does."""
    from tests.soak import lanes

    def attempt() -> None:
        enter()
        mount_memory(folder, 1 << 20)
        make_read_only(folder)

    def scenario() -> Scenario[str]:
        (ended,) = yield [Job(attempt, folder)]
        return ended.lines[-1] if ended.status else ""

    with contextlib.suppress(FileExistsError):
        folder.mkdir(parents=True)
    reason = lanes.alone(scenario())
    return f"no mounts of one's own here: {reason}" if reason else ""
