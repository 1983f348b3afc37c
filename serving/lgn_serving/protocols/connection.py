"""HTTP connections that end where their client is too slow.

Uvicorn ends connections that are idle between two requests. It does not end
those that never send their first request, those that begin another request and
do not finish its headers, nor those that never read their answer. And it
refuses all requests while too many connections are open, although most of them
may be silent.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from lgn_serving.limits import Limits


def protocol(limits: Limits) -> type[H11Protocol]:
    """Returns the protocol with deadlines.

    Args:
        limits: `header_seconds` is the time from connecting, or from the first
            byte of a later request, to the end of the headers; `connections`
            may be open, and one more ends the oldest that is between two
            requests; `least_rate` is that of reading answers.
    """
    return type("Protocol", (_Protocol,), {"limits": limits, "silent": {}})


class _Protocol(H11Protocol):
    limits: Limits
    silent: dict["_Protocol", None]
    """Connections between two requests, the oldest first."""
    _deadline: asyncio.TimerHandle | None = None
    _reader: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        if len(self.connections) >= self.limits.connections and self.silent:
            next(iter(self.silent))._end()
        super().connection_made(transport)
        self.silent[self] = None
        self._start_deadline()

    def data_received(self, data: bytes) -> None:
        # The first byte counts: a byte a second would never end.
        if self._deadline is None and self._between_requests():
            self._start_deadline()
        super().data_received(data)
        if not self._between_requests():
            self.silent.pop(self, None)
            self._forget_deadline()

    def on_response_complete(self) -> None:
        self.silent[self] = None
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
        self.silent.pop(self, None)
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
        self.silent.pop(self, None)
        self._forget_deadline()
        self._forget_reader()
        super().connection_lost(exc)
