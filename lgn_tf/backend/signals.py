"""Signals that end a process, handled for the time of a block."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

LOOK = 1.0
"""Seconds after which the main thread wakes and looks for signals.

The system may hand a signal to any thread, such as one just after SIGCONT.
Python's handler runs when the main thread does.
"""


@contextlib.contextmanager
def handled(
    handler: Callable[..., Any], *numbers: signal.Signals
) -> Iterator[Mapping[int, Any]]:
    """Handles signals while the block runs, and restores the old handlers.

    Only the main thread gets signals; in another one the block just runs.

    Args:
        handler: called with the number and the frame, as by `signal.signal`.
        *numbers: the signals; default SIGINT and SIGTERM.

    Yields:
        The old handlers, by number.
    """
    if threading.current_thread() is not threading.main_thread():
        yield {}
        return
    wanted = numbers or (signal.SIGINT, signal.SIGTERM)
    before: dict[int, Any] = {
        number: signal.signal(number, handler) for number in wanted
    }
    try:
        yield before
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def ended_by_sigterm() -> contextlib.AbstractContextManager[Any]:
    """Lets SIGTERM end a command as Ctrl-C does: in one line, tidily."""
    return handled(signal.default_int_handler, signal.SIGTERM)
