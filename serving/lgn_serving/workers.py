"""The threads that answer requests, for both protocols."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, TypeVar

from lgn_serving.failure import Failure, late
from lgn_serving.gate import Call, Gate, gone_away

_Answer = TypeVar("_Answer")

_GRACE = 1.0
"""Seconds after the deadline in which the graph itself ends the request."""


class Workers:
    """Runs requests in threads, as many as may be in flight.

    Args:
        gate: counts the requests.
    """

    def __init__(self, gate: Gate) -> None:
        """Creates the threads."""
        self.gate = gate
        self._threads = ThreadPoolExecutor(
            gate.limits.in_flight, thread_name_prefix="request"
        )

    async def answer(
        self,
        call: Call,
        function: Callable[..., _Answer],
        *arguments: object,
        gone: Coroutine[Any, Any, None] | None = None,
    ) -> _Answer:
        """Runs a function in a thread, and returns what it returns.

        Where nobody waits for the answer any more, the call says so to the
        function, or the function is never started. It counts as in flight
        until its thread is done.

        Args:
            call: the request.
            function: answers it.
            *arguments: of the function.
            gone: returns when the client has gone away.

        Raises:
            Failure: where too many requests are in flight, the deadline is
                over, or the client has gone away.
        """
        left = None if gone is None else asyncio.ensure_future(gone)
        try:
            thread = self._start(function, *arguments)
            await self._end(thread, call, left)
            try:
                return thread.result()
            finally:
                # The trace of an error has this frame, which would hold the
                # error: such a ring, with the request in it, stays until the
                # garbage collector comes.
                del thread
        finally:
            if left is not None:
                left.cancel()

    async def _end(
        self,
        thread: "Future[Any]",
        call: Call,
        left: "asyncio.Future[None] | None",
    ) -> None:
        """Waits for a thread until nobody waits for it any more.

        Raises:
            Failure: where it is not done.
        """
        future = asyncio.wrap_future(thread)
        # An error that comes too late is nobody's.
        future.add_done_callback(
            lambda done: done.cancelled() or done.exception()
        )
        awaited: set[asyncio.Future[Any]] = {future}
        if left is not None:
            awaited.add(left)
        try:
            await asyncio.wait(
                awaited,
                timeout=call.left() + _GRACE,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            if not thread.done():
                self.gate.cancel(call)
                thread.cancel()
                # The loop may be closed when the thread is done.
                future.cancel()
        if not thread.done() or thread.cancelled():
            # A thread that has begun counts the request itself.
            raise _over(left, counted=not thread.cancelled())

    def _start(
        self, function: Callable[..., _Answer], *arguments: object
    ) -> "Future[_Answer]":
        with ExitStack() as held:
            held.enter_context(self.gate.request())
            thread = self._threads.submit(function, *arguments)
            until_done = held.pop_all()
        thread.add_done_callback(lambda _: until_done.close())
        return thread

    def close(self) -> None:
        """Ends each thread after its request; does not wait for them."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _over(left: "asyncio.Future[None] | None", counted: bool) -> Failure:
    """Returns the failure of a call that nobody waits for."""
    over = gone_away() if left is not None and left.done() else late()
    over.counted = counted
    return over
