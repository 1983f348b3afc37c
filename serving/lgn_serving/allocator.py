"""How the C library hands memory back to the system."""

import ctypes
import os

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Names of parameters in glibc's `malloc.h`."""

_LARGE = 256 << 10
_KEPT_AT_TOP = 1 << 20


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
    library = ctypes.CDLL(None)
    # Others have the function, but not these parameters.
    if hasattr(library, "gnu_get_libc_version"):
        library.mallopt(_MMAP_THRESHOLD, _LARGE)
        library.mallopt(_TRIM_THRESHOLD, _KEPT_AT_TOP)
