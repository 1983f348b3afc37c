"""Signals sent the way a test needs them."""

import ctypes
import subprocess
from pathlib import Path


def signal_another_thread(process: subprocess.Popen[str], number: int) -> None:
    """Sends a signal to a thread that is not the main one."""
    threads = Path(f"/proc/{process.pid}/task").iterdir()
    others = {int(path.name) for path in threads} - {process.pid}
    assert ctypes.CDLL(None).tgkill(process.pid, max(others), number) == 0
