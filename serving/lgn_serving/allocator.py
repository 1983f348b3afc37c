"""How the C library hands memory back to the system."""

import ctypes
import os
import threading
import time
from typing import Any

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Names of parameters in glibc's `malloc.h`."""

_LARGE = 256 << 10
_KEPT_AT_TOP = 1 << 20

_SECONDS = 2.0


def give_back_large_blocks() -> None:
    """Lets every block of 256 KB and more leave the process when it is freed.

    glibc maps a large block, and unmaps it when it is freed. Each time, it
    raises the size from which a block counts as large, up to 32 MB. Later
    blocks then lie among small ones, and their pages often stay for good: a
    server would grow with the largest requests that it has met.

    Processes that are forked later do the same. Nothing is changed where
    `MALLOC_MMAP_THRESHOLD_` or `GLIBC_TUNABLES` sets the size, and where the C
    library is another one.
    """
    library = _glibc()
    if library is not None and not _is_set(
        "MALLOC_MMAP_THRESHOLD_", "mmap_threshold"
    ):
        library.mallopt(_MMAP_THRESHOLD, _LARGE)
        library.mallopt(_TRIM_THRESHOLD, _KEPT_AT_TOP)


def share_one_arena() -> None:
    """Lets all threads take their blocks from one place.

    glibc has up to eight places for each core. Each keeps gaps of its own,
    which fill up slowly. Python runs one thread at a time, and so loses
    nothing. Call it before there are other threads.

    Nothing is changed where `MALLOC_ARENA_MAX` or `GLIBC_TUNABLES` sets the
    number, and where the C library is another one.
    """
    library = _glibc()
    if library is not None and not _is_set("MALLOC_ARENA_MAX", "arena_max"):
        library.mallopt(_ARENA_MAX, 1)


def without_thread_caches() -> dict[str, str]:
    """Returns what the environment of a process with many threads needs.

    glibc lets each thread keep seven freed blocks of each small size. Nothing
    gives them back to the system, and with fifty threads they fill up
    slowly. A model's graph was measured to run as fast without them. glibc
    reads the setting once, when the process starts.

    Returns:
        `GLIBC_TUNABLES` with one setting more, unless it chooses already. Other
        C libraries do not read it.
    """
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    if "tcache" not in tunables:
        tunables = ":".join(
            filter(None, (tunables, "glibc.malloc.tcache_count=0"))
        )
    return {"GLIBC_TUNABLES": tunables}


def give_back_small_blocks(seconds: float = _SECONDS) -> None:
    """Starts a thread that hands the pages of freed blocks to the system.

    By itself glibc gives back only what lies behind the last block in use: one
    small block would keep tens of megabytes before it. A look takes some
    milliseconds.

    Args:
        seconds: between two looks.
    """
    library = _glibc()
    if library is not None:
        threading.Thread(
            target=_trim, args=(library, seconds), name="trim", daemon=True
        ).start()


def _trim(library: Any, seconds: float) -> None:
    while True:
        time.sleep(seconds)
        library.malloc_trim(0)


def _is_set(variable: str, tunable: str) -> bool:
    """Returns whether the environment sets a parameter of `malloc`."""
    return variable in os.environ or tunable in os.environ.get(
        "GLIBC_TUNABLES", ""
    )


def _glibc() -> Any:
    """Returns the C library; None where it is another one."""
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
