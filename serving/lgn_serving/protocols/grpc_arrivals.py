"""Waits for the messages of gRPC streams, and bounds how many may arrive.

gRPC holds a message that arrives in memory, as many bytes as the limit of a
message allows, and does not say how many have come. So only some streams may
send at the same time. Where all of these are taken, the stream that has sent
no whole message for the longest time is ended, and the newest one that waits
takes its place: silent streams do not lock out others.
"""

import asyncio
from typing import Any

import grpc

from lgn_serving.failure import Failure
from lgn_serving.limits import Limits

_PATIENCE = 1.0
"""Seconds that a stream has for its message although others wait."""


class _Stream:
    """One stream; `turn` is done when it may send, `ended` when it must go."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.turn: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.since = 0.0


class Arrivals:
    """The streams whose message is awaited.

    Args:
        limits: `grpc_readers` may send at the same time, `connections` may
            wait, `body_seconds` is the time for the message.
    """

    def __init__(self, limits: Limits) -> None:
        """Starts without a stream."""
        self._limits = limits
        # Both in the order in which they came.
        self._sending: dict[_Stream, None] = {}
        self._waiting: dict[_Stream, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def message(self, context: Any) -> bytes:
        """Returns the message of a stream.

        Args:
            context: of the stream, by `grpc.aio`.

        Raises:
            Failure: where there is none in time, or too many streams wait.
        """
        stream = _Stream(asyncio.get_running_loop())
        self._enter(stream)
        read: asyncio.Future[Any] | None = None
        try:
            if not await self._first(stream.turn, stream):
                raise _crowded()
            read = asyncio.ensure_future(context.read())
            if not await self._first(read, stream):
                if stream.ended.done():
                    raise _crowded()
                raise Failure(
                    "DEADLINE_EXCEEDED",
                    "The message took longer than "
                    f"{self._limits.body_seconds:g} s",
                )
            message = read.result()
        finally:
            if read is not None:
                read.cancel()
            self._leave(stream)
        if message is grpc.aio.EOF:
            raise Failure("INVALID_ARGUMENT", "The stream holds no message")
        return bytes(message)

    async def _first(
        self, wanted: "asyncio.Future[Any]", stream: _Stream
    ) -> bool:
        """Returns whether something comes before the stream must end."""
        await asyncio.wait(
            {wanted, stream.ended},
            timeout=self._limits.body_seconds,
            return_when=asyncio.FIRST_COMPLETED,
        )
        return wanted.done()

    def _enter(self, stream: _Stream) -> None:
        if len(self._sending) < self._limits.grpc_readers:
            self._let_send(stream)
            return
        if len(self._waiting) >= self._limits.connections:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            oldest.ended.set_result(None)
        self._waiting[stream] = None
        self._end_silent()

    def _let_send(self, stream: _Stream) -> None:
        stream.since = stream.turn.get_loop().time()
        self._sending[stream] = None
        stream.turn.set_result(None)

    def _leave(self, stream: _Stream) -> None:
        self._waiting.pop(stream, None)
        if stream in self._sending:
            del self._sending[stream]
            if self._waiting:
                newest, _ = self._waiting.popitem()
                self._let_send(newest)

    def _end_silent(self) -> None:
        """Ends as many silent streams as wait, each after some patience."""
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for stream in list(self._sending)[: len(self._waiting)]:
            if stream.ended.done():
                continue
            end = stream.since + _PATIENCE
            if loop.time() < end:
                self._timer = loop.call_at(end, self._end_silent)
                return
            stream.ended.set_result(None)


def _crowded() -> Failure:
    return Failure(
        "RESOURCE_EXHAUSTED",
        "Too many streams wait for their message; try again later",
    )
