"""How the C library hands memory back to the system."""

import ctypes
import os
import threading
import time
from typing import Any

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Names of parameters in glibc's `malloc.h`."""

_LARGE = 256 << 10
_KEPT_AT_TOP = 1 << 20

_SECONDS = 5.0


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
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    if "MALLOC_MMAP_THRESHOLD_" in os.environ or "mmap_threshold" in tunables:
        return
    library = _glibc()
    if library is not None:
        library.mallopt(_MMAP_THRESHOLD, _LARGE)
        library.mallopt(_TRIM_THRESHOLD, _KEPT_AT_TOP)


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


def _glibc() -> Any:
    """Returns the C library; None where it is another one."""
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
