"""A refusal of a file: it names the file, in bounded memory and time."""

import contextlib
import resource
import signal
from pathlib import Path

MEMORY = 300 * 2**20
"""Bytes more than before that a refusal may take."""

SECONDS = 30
"""A refusal takes a second at most; a pipe would block for ever."""


class TooLong(BaseException):
    """No OSError, which would be a refusal."""


def _status(name):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise KeyError(name)


@contextlib.contextmanager
def bounded():
    """Ends what takes long, and measures the memory that was taken."""

    taken = []

    def ring(*_):
        raise TooLong

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGALRM, ring)
    # Where a reader fails the test, the machine shall go on.
    resource.setrlimit(resource.RLIMIT_AS, (_status("VmSize") + 2**33, hard))
    signal.alarm(SECONDS)
    try:
        Path("/proc/self/clear_refs").write_text("5")
        start = _status("VmRSS")
        yield taken
    finally:
        taken.append(_status("VmHWM") - start)
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def refusal(read, path):
    """Returns what is wrong with a refusal, in words; None where nothing is."""
    error = None
    try:
        with bounded() as taken:
            read(path)
    except (ValueError, OSError) as caught:
        error = caught
    except BaseException as caught:
        return f"{caught!r:.500}"
    if error is None:
        return "was read"
    if path.name not in str(error) or len(str(error)) > 1000:
        return f"{error!s:.500}"
    if taken[0] > MEMORY:
        return f"took {taken[0] / 2**20:.0f} MiB"
    while error is not None:
        if isinstance(error, MemoryError):
            return "used up the memory"
        error = error.__cause__
    return None
