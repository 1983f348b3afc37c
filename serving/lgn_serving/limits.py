"""Bounds on the requests of clients: bytes, seconds, requests at once."""

import asyncio
import dataclasses
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import ClientDisconnect, Request

from lgn_serving.failure import Failure


@dataclasses.dataclass(frozen=True)
class Limits:
    """Bounds of the server.

    Attributes:
        body_bytes: size of the largest request.
        buffered_bytes: size of all requests that are being read or answered.
        in_flight: number of requests that are answered at the same time.
        connections: number of open HTTP connections.
        header_seconds: time from connecting to the end of the headers.
        body_seconds: time for the body of a request.
        drain_seconds: time that running requests get after SIGTERM.
    """

    body_bytes: int = 64 * 2**20
    buffered_bytes: int = 256 * 2**20
    in_flight: int = 64
    connections: int = 1000
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    drain_seconds: float = 30.0

    def __post_init__(self) -> None:
        """Refuses bounds that no request could meet."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value <= 0:
                raise ValueError(
                    f"`{field.name}` must be positive. "
                    f"Received: {field.name}={value}"
                )


class Gate:
    """Counts the requests and bytes in the server, and refuses too many.

    Args:
        limits: the bounds.
    """

    def __init__(self, limits: Limits) -> None:
        """Starts empty."""
        self.limits = limits
        self._lock = threading.Lock()
        self._bytes = 0
        self._requests = 0

    @contextmanager
    def request(self) -> Iterator[None]:
        """Counts a request while it is answered.

        Raises:
            Failure: where as many requests as allowed are being answered.
        """
        with self._lock:
            if self._requests >= self.limits.in_flight:
                raise Failure(
                    "RESOURCE_EXHAUSTED",
                    f"{self._requests} requests are being answered, which is "
                    "the most; try again later",
                )
            self._requests += 1
        try:
            yield
        finally:
            with self._lock:
                self._requests -= 1

    @contextmanager
    def body(self, size: int) -> Iterator[None]:
        """Counts `size` bytes while a body is held in memory.

        Raises:
            Failure: where this body is too large, or all bodies together are.
        """
        if size > self.limits.body_bytes:
            raise _too_large(self.limits.body_bytes)
        with self._lock:
            if self._bytes + size > self.limits.buffered_bytes:
                raise Failure(
                    "RESOURCE_EXHAUSTED",
                    f"{self._bytes} bytes of requests are held; try again "
                    "later",
                )
            self._bytes += size
        try:
            yield
        finally:
            with self._lock:
                self._bytes -= size


def announced(request: Request, most: int) -> int:
    """Returns the size of a body as announced; `most` where it is not.

    Raises:
        Failure: where the announced size is not a number.
    """
    length = request.headers.get("content-length")
    if length is None:
        chunked = "transfer-encoding" in request.headers
        return most if chunked else 0
    if not length.isdigit():
        raise Failure("INVALID_ARGUMENT", f"Malformed length: {length}")
    return int(length)


async def read_body(request: Request, limits: Limits) -> bytes:
    """Reads a body within the limits of bytes and seconds.

    Raises:
        Failure: with HTTP's 408 or 413.
    """
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for part in request.stream():
                size += len(part)
                if size > limits.body_bytes:
                    raise _too_large(limits.body_bytes)
                parts.append(part)
    except TimeoutError:
        raise Failure(
            "DEADLINE_EXCEEDED",
            f"The request took longer than {limits.body_seconds:g} s",
            408,
        ) from None
    except ClientDisconnect:
        raise Failure("CANCELLED", "The client went away") from None
    return b"".join(parts)


def _too_large(most: int) -> Failure:
    return Failure(
        "RESOURCE_EXHAUSTED", f"A request may have {most} bytes at most", 413
    )
