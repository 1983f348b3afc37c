"""Waits for the messages of gRPC streams, and ends those that stay silent.

gRPC holds a message that arrives in memory, as many bytes as the limit of a
message allows, and does not say how many have come. So only some streams may
take long, and each host has an equal share of them. Of a host with more, those
streams end that have waited the longest: a client that sends what it has is
never held up by others that say nothing.
"""

import asyncio
import collections
from typing import Any

import grpc

from lgn_serving.failure import Failure
from lgn_serving.limits import Limits

_PATIENCE = 1.0
"""Seconds that every stream has for its message."""


class _Stream:
    """One stream of a host; `ended` is done when it must go."""

    def __init__(self, host: str) -> None:
        self.host = host
        loop = asyncio.get_running_loop()
        self.since = loop.time()
        self.ended: asyncio.Future[None] = loop.create_future()

    def end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


class Arrivals:
    """The streams whose message is awaited.

    Args:
        limits: `grpc_readers` may take longer than a second, `connections` are
            the most at all, `body_seconds` is the time for the message.
    """

    def __init__(self, limits: Limits) -> None:
        """Starts without a stream."""
        self._limits = limits
        # In the order in which they came.
        self._streams: dict[_Stream, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def message(self, context: Any) -> bytes:
        """Returns the message of a stream.

        Args:
            context: of the stream, by `grpc.aio`.

        Raises:
            Failure: where there is none in time, or too many streams wait.
        """
        # The peer is "ipv4:127.0.0.1:40000", for example.
        stream = _Stream(context.peer().rpartition(":")[0])
        self._enter(stream)
        read = asyncio.ensure_future(context.read())
        try:
            await asyncio.wait(
                {read, stream.ended},
                timeout=self._limits.body_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not read.done():
                raise self._why(stream)
            message = read.result()
        finally:
            read.cancel()
            del self._streams[stream]
        if message is grpc.aio.EOF:
            raise Failure("INVALID_ARGUMENT", "The stream holds no message")
        return bytes(message)

    def _enter(self, stream: _Stream) -> None:
        self._streams[stream] = None
        for one in self._beyond(self._limits.connections):
            one.end()
        self._end_silent()

    def _end_silent(self) -> None:
        """Ends what is beyond the readers, each after some patience."""
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for stream in self._beyond(self._limits.grpc_readers):
            end = stream.since + _PATIENCE
            if loop.time() < end:
                self._timer = loop.call_at(end, self._end_silent)
                return
            stream.end()

    def _beyond(self, most: int) -> list[_Stream]:
        """Returns the streams beyond each host's share, the oldest first."""
        waiting = collections.Counter(one.host for one in self._streams)
        surplus = {}
        room = most
        for place, (host, count) in enumerate(reversed(waiting.most_common())):
            # What a host with few streams leaves goes to the others.
            share = min(count, room // (len(waiting) - place))
            room -= share
            surplus[host] = count - share
        going = []
        for one in self._streams:
            if surplus[one.host]:
                surplus[one.host] -= 1
                going.append(one)
        return going

    def _why(self, stream: _Stream) -> Failure:
        if stream.ended.done():
            return Failure(
                "RESOURCE_EXHAUSTED",
                "Too many streams wait for their message; try again later",
            )
        return Failure(
            "DEADLINE_EXCEEDED",
            f"The message took longer than {self._limits.body_seconds:g} s",
        )
