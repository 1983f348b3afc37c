"""Repeats a request that may succeed later, until its time is over."""

import email.utils
import time
from collections.abc import Callable
from typing import Any, TypeVar

import tenacity

from lgn_client.texts import one_line

_Answer = TypeVar("_Answer")

# The upper limit of a pause doubles with each try. A pause is drawn between 0
# and that limit, so that clients which failed together do not return together.
_backoff = tenacity.wait_random_exponential(0.1, max=5)


class ServingError(OSError):
    """The server refused a request, or sent no usable answer in time.

    Attributes:
        code: HTTP's number or gRPC's name.
        message: what the server said, as one line that can be printed.
    """

    def __init__(self, code: Any, message: str) -> None:
        """Stores both."""
        self.code = code
        self.message = one_line(message)
        super().__init__(f"{code}: {self.message}")


class Again(Exception):
    """A failure that the next try may not have.

    Attributes:
        error: the exception that is raised where there is no next try.
        pause: seconds that the server asks the client to wait.
    """

    def __init__(self, error: ServingError, pause: float = 0.0) -> None:
        """Stores both."""
        self.error = error
        self.pause = pause


def retried(
    send: Callable[[float], _Answer], *, timeout: float, tries: int
) -> _Answer:
    """Calls `send` until it does not raise `Again`.

    Args:
        send: the request; its argument is the number of seconds left.
        timeout: seconds for all tries and pauses. A pause that would end
            later is not begun.
        tries: the largest number of calls.

    Returns:
        The answer of `send`.

    Raises:
        ServingError: of the last try.
    """
    end = time.monotonic() + timeout
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(Again),
        wait=_pause,
        stop=tenacity.stop_after_attempt(tries)
        | tenacity.stop_before_delay(timeout),
        reraise=True,
    )
    try:
        return retrying(lambda: send(max(end - time.monotonic(), 1e-3)))
    except Again as again:
        raise again.error from None


def _pause(state: tenacity.RetryCallState) -> float:
    failure = state.outcome.exception() if state.outcome else None
    asked = failure.pause if isinstance(failure, Again) else 0.0
    return asked + _backoff(state)


def seconds_of(retry_after: str | None) -> float:
    """Returns the seconds that HTTP's Retry-After asks for.

    Args:
        retry_after: a number or a date. It counts as 0 s where there is none
            or where it cannot be read.
    """
    value = (retry_after or "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    parsed = email.utils.parsedate_tz(value)
    if parsed is None:
        return 0.0
    try:
        return max(0.0, email.utils.mktime_tz(parsed) - time.time())
    except (ValueError, OverflowError):
        return 0.0
