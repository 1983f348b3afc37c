"""Standard output that is full or closed is told once, in one line."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def flushed() -> Iterator[None]:
    """Hands out at its end what was printed inside.

    Without it, Python does so after the program, where nothing can be caught.

    Raises:
        OSError: naming the standard output, where it takes no more.
    """
    try:
        yield
    finally:
        if isinstance(sys.stdout, io.TextIOWrapper):
            _flush(sys.stdout)


def _flush(stdout: io.TextIOWrapper) -> None:
    try:
        stdout.flush()
    except OSError as error:
        # Python would try again at its end, and complain at length.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stdout.fileno())
        os.close(nowhere)
        raise OSError(error.errno, error.strerror, "standard output") from error
