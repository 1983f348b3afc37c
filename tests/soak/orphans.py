"""Nothing that the soak test starts outlives it."""

import ctypes
import os
import signal

_SET_PARENT_DEATH_SIGNAL = 1
"""Of Linux' `prctl`."""


def end_with(parent: int) -> None:
    """Has the system kill this process when its parent ends.

    Args:
        parent: process id of the parent; it may have ended already.
    """
    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
