"""HTTP connections that end where the headers take too long.

Uvicorn ends connections that are idle between two requests. It does not end
those that never send their first request, nor those that begin another request
and do not finish its headers.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


def protocol(seconds: float) -> type[H11Protocol]:
    """Returns the protocol with a deadline for the headers.

    Args:
        seconds: from connecting, or from the first byte of a later request,
            to the end of the headers.
    """
    return type("Protocol", (_Protocol,), {"header_seconds": seconds})


class _Protocol(H11Protocol):
    header_seconds: float
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._start_deadline()

    def data_received(self, data: bytes) -> None:
        # The first byte counts: a byte a second would never end.
        if self._deadline is None and self._between_requests():
            self._start_deadline()
        super().data_received(data)
        if not self._between_requests():
            self._forget_deadline()

    def _between_requests(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _start_deadline(self) -> None:
        self._deadline = self.loop.call_later(
            self.header_seconds, self._hang_up
        )

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _hang_up(self) -> None:
        self._deadline = None
        if self._between_requests() and not self.transport.is_closing():
            self.transport.write(
                b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n"
                b"content-length: 0\r\n\r\n"
            )
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        super().connection_lost(exc)
