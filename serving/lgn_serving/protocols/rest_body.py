"""Reads the body of a REST request within the limits of bytes and seconds."""

import asyncio
from typing import Any

from starlette.requests import Request

from lgn_serving.failure import Failure
from lgn_serving.gate import Body, gone_away, too_large
from lgn_serving.limits import Limits


def refuse_announced(request: Request, most: int) -> None:
    """Refuses a body that is announced too large.

    Raises:
        Failure: with HTTP's 413; with 400 where the announced size is no
            number.
    """
    length = request.headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise Failure("INVALID_ARGUMENT", f"Malformed length: {length}")
    # Python refuses to read thousands of digits.
    if len(length) > 19 or int(length) > most:
        raise too_large(most)


async def read_body(request: Request, limits: Limits, body: Body) -> bytes:
    """Reads a body, and counts its bytes as they arrive.

    Raises:
        Failure: with HTTP's 408, 413 or 429; CANCELLED where the client goes
            away.
    """
    parts: list[bytes] = []
    pace = _Pace(limits)
    while True:
        message = await pace.next(request)
        if message["type"] == "http.disconnect":
            raise gone_away()
        part = message.get("body", b"")
        body.grow(len(part))
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)
        pace.took(len(part))


class _Pace:
    """Waits for parts, and ends a client that is too slow."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._now = asyncio.get_running_loop().time
        self._end = self._now() + limits.body_seconds
        self._start_window()

    def _start_window(self) -> None:
        self._window = self._now() + self._limits.rate_seconds
        self._bytes = 0

    def took(self, amount: int) -> None:
        self._bytes += amount
        if self._now() >= self._window:
            self._measure()

    def _measure(self) -> None:
        least = self._limits.least_rate
        if self._bytes < least * self._limits.rate_seconds:
            raise Failure(
                "DEADLINE_EXCEEDED",
                f"The request came more slowly than {least} bytes a second",
                408,
            )
        self._start_window()

    async def next(self, request: Request) -> Any:
        while True:
            try:
                async with asyncio.timeout_at(min(self._end, self._window)):
                    return await request.receive()
            except TimeoutError:
                if self._now() >= self._end:
                    seconds = self._limits.body_seconds
                    raise Failure(
                        "DEADLINE_EXCEEDED",
                        f"The request took longer than {seconds:g} s",
                        408,
                    ) from None
                self._measure()
