"""HTTP connections that end where their client is too slow.

Uvicorn ends connections that are idle between two requests. It does not end
those that never send their first request, those that begin another request and
do not finish its headers, nor those that never read their answer. It refuses
all requests while too many connections are open, although most of them may be
silent. And it reads all that has arrived at once, chunk by chunk, while every
other client waits.
"""

import asyncio
import collections
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from lgn_serving.limits import Limits

_CHUNKS = 1000
"""Chunks that any body may have."""

_CHUNK = 512
"""Bytes of a body that allow it one more chunk."""

_STEP = 2**14
"""Bytes that are looked at before the size of the headers is checked."""

_CREDIT = 1000
"""Bytes that a connection is taken to have sent, so that a new one is fast."""


def protocol(limits: Limits) -> type[H11Protocol]:
    """Returns the protocol with deadlines.

    Args:
        limits: `header_seconds` is the time from connecting, or from the first
            byte of a later request, to the end of the headers; `connections`
            may be open, and one more ends one that sends nothing or little;
            `least_rate` is that of reading answers.
    """
    return type("Protocol", (_Protocol,), {"limits": limits})


class _Reader(h11.Connection):
    """Refuses a body in many small chunks.

    Reading a chunk takes microseconds, however small it is: a client could
    send so many that the server does nothing else.
    """

    _bytes = 0
    _chunks = 0

    def next_event(self) -> Any:
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._bytes = self._chunks = 0
        elif isinstance(event, h11.Data):
            self._bytes += len(event.data)
            self._chunks += event.chunk_end
            if self._chunks > _CHUNKS + self._bytes // _CHUNK:
                raise h11.RemoteProtocolError(
                    "the body has too many small chunks"
                )
        return event


class _Protocol(H11Protocol):
    limits: Limits
    _deadline: asyncio.TimerHandle | None = None
    _reader: asyncio.TimerHandle | None = None
    _silent = 0.0
    """When the connection was opened, or its last answer was complete."""
    _begun = 0.0
    """When the last bytes of the headers of its request came."""
    _bytes = 0
    """Those that have come since then."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn = _Reader(h11.SERVER, _STEP)

    def connection_made(self, transport: Any) -> None:
        if len(self.connections) >= self.limits.connections:
            self._make_room()
        if len(self.connections) >= self.limits.connections:
            # Uvicorn answers all its requests with 503.
            self.limit_concurrency = 0
        super().connection_made(transport)
        self._silent = self.loop.time()
        self._start_deadline()

    def _make_room(self) -> None:
        """Ends a connection of the host that has the most to spare."""
        spare = [
            each
            for each in self.connections
            if isinstance(each, _Protocol) and each._can_be_spared()
        ]
        hosts = collections.Counter(each._host() for each in spare)
        if hosts:
            ((host, _),) = hosts.most_common(1)
            now = self.loop.time()
            min(
                (each for each in spare if each._host() == host),
                key=lambda each: each._speed(now),
            )._end()

    def _host(self) -> str:
        return self.client[0] if self.client else ""

    def _can_be_spared(self) -> bool:
        """Returns whether all that is there of a request has not come yet."""
        return self._between_requests() or (
            self.cycle.more_body and not self.cycle.response_started
        )

    def _speed(self, now: float) -> float:
        """Returns how fast it sends; less, the longer it says nothing."""
        since, sent = self._begun, self._bytes
        if self._between_requests():
            since, sent = self._silent, 0
        return (sent + _CREDIT) / max(now - since, 1e-9)

    def data_received(self, data: bytes) -> None:
        if self._between_requests():
            # The first byte counts: a byte a second would never end.
            if self._deadline is None:
                self._start_deadline()
            self._begun, self._bytes = self.loop.time(), 0
        self._bytes += len(data)
        for place in range(0, len(data), _STEP):
            if self.transport.is_closing():
                return
            super().data_received(data[place : place + _STEP])
        if not self._between_requests():
            self._forget_deadline()

    def send_400_response(self, msg: str) -> None:
        if self.cycle is not None and self.cycle.response_started:
            # There is no second answer to a request.
            self.transport.close()
            return
        if self.cycle is not None:
            # Nor has what answers it anything to add.
            self.cycle.disconnected = True
        super().send_400_response(msg)

    def on_response_complete(self) -> None:
        self._silent = self.loop.time()
        super().on_response_complete()

    def _between_requests(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _start_deadline(self) -> None:
        self._deadline = self.loop.call_later(
            self.limits.header_seconds, self._hang_up
        )

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _hang_up(self) -> None:
        self._deadline = None
        if self._between_requests():
            self._end()

    def _end(self) -> None:
        # What is closed counts no longer, although it is told of it later.
        self.connections.discard(self)
        if not self.transport.is_closing():
            self.transport.write(
                b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n"
                b"content-length: 0\r\n\r\n"
            )
            self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reader(self.transport.get_write_buffer_size())

    def _watch_reader(self, before: int) -> None:
        if self._reader is not None:
            self._reader.cancel()
        self._reader = self.loop.call_later(
            self.limits.rate_seconds, self._check_reader, before
        )

    def _check_reader(self, before: int) -> None:
        left = self.transport.get_write_buffer_size()
        if before - left < self.limits.least_rate * self.limits.rate_seconds:
            self.transport.abort()
        else:
            self._watch_reader(left)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._forget_reader()

    def _forget_reader(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        self._forget_reader()
        super().connection_lost(exc)
