"""Admits requests: counts what they hold, and refuses or delays too much."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lgn_serving.budget import Budget, Queue
from lgn_serving.failure import Failure, invalid, late
from lgn_serving.limits import Limits

_UNPACKED = 4
"""Bytes in memory, as arrays or parsed JSON, for each byte of bodies."""

_CORES = 2
"""Cores that a request of many pixels keeps busy: a graph decodes two pictures
at a time."""


class Call:
    """One request while it is answered.

    Args:
        deadline: `time.monotonic()` at which the answer must be there.

    Attributes:
        deadline: as given.
        cancelled: whether the client has gone away; see `Gate.cancel`.
    """

    def __init__(self, deadline: float) -> None:
        """Starts as one that is wanted."""
        self.deadline = deadline
        self.cancelled = False

    def left(self) -> float:
        """Returns the seconds until the deadline; 0 after it."""
        return max(0.0, self.deadline - time.monotonic())

    def check(self) -> None:
        """Ends a request that nobody waits for.

        Raises:
            Failure: where it is cancelled, or its deadline is over.
        """
        if self.cancelled:
            raise gone_away()
        if not self.left():
            raise late()


def gone_away() -> Failure:
    """Returns the failure of a request whose client went away."""
    return Failure("CANCELLED", "The client went away")


class Gate:
    """Counts the requests in the server, and what they hold.

    Args:
        limits: the bounds.
    """

    def __init__(self, limits: Limits) -> None:
        """Starts empty."""
        self.limits = limits
        most = limits.buffered_bytes
        each = min(most, limits.body_bytes)
        self._bodies = Budget(most, each // 64, min(most // 8, most - each))
        most *= _UNPACKED
        self._unpacked = Budget(most, most // 64, most // 8)
        most = limits.memory_bytes
        self._memory = Queue(most, most // 8, most // 4)
        most = limits.pixels
        self._many_pixels = most // 8
        self._pixels = Queue(most + most // 4, self._many_pixels, most // 4)
        self._cores = Queue(max(_CORES, _cores()), small=0, reserve=0)
        self._changed = threading.Condition()
        self._requests = 0
        self._waiting = 0

    @contextmanager
    def request(self) -> Iterator[None]:
        """Counts a request while it is answered.

        Raises:
            Failure: where as many requests as allowed are being answered.
        """
        with self._changed:
            if self._requests >= self.limits.in_flight:
                raise _busy(f"{self._requests} requests are being answered")
            self._requests += 1
        try:
            yield
        finally:
            with self._changed:
                self._requests -= 1

    @contextmanager
    def body(self) -> Iterator["Body"]:
        """Counts a body while it arrives and as long as it is held."""
        body = Body(self)
        try:
            yield body
        finally:
            self.release_body(body.size)

    def take_body(self, amount: int, size: int) -> None:
        """Counts more bytes of a body; see `Body.grow`."""
        with self._changed:
            if not self._bodies.fits(amount, size):
                held = self._bodies.held
                raise _busy(f"{held} bytes of requests are held")
            self._bodies.held += amount

    def release_body(self, amount: int) -> None:
        """Counts bytes of a body no longer."""
        with self._changed:
            self._bodies.held -= amount

    @contextmanager
    def unpacked(self, amount: int) -> Iterator[None]:
        """Counts the bytes that a request takes as arrays or parsed JSON.

        Raises:
            Failure: where it takes too many, or all requests together do.
        """
        if amount > self._unpacked.each:
            raise invalid(
                "A request must take at most "
                f"{self._unpacked.each} bytes of memory when it is read. "
                f"Received: a request of {amount} bytes"
            )
        with self._changed:
            if not self._unpacked.fits(amount):
                held = self._unpacked.held
                raise _busy(f"{held} bytes of requests are unpacked")
            self._unpacked.held += amount
        try:
            yield
        finally:
            with self._changed:
                self._unpacked.held -= amount

    @contextmanager
    def work(self, call: Call, memory: int, pixels: int) -> Iterator[None]:
        """Waits until a graph may run, and counts what it takes.

        Args:
            call: ends the wait at its deadline, or where it is cancelled.
            memory: bytes that the graph needs.
            pixels: of the frames and pictures.

        Raises:
            Failure: where the request is too large, too many requests wait,
                or the call is over.
        """
        for name, amount, queue in (
            ("bytes of memory", memory, self._memory),
            ("pixels", pixels, self._pixels),
        ):
            if amount > queue.each:
                raise invalid(
                    f"A request must need at most {queue.each} {name}. "
                    f"Received: a request that needs {amount}"
                )
        # More at a time would share these cores, and hold up all others.
        cores = _CORES if pixels > self._many_pixels else 0
        # All requests take them in this order, so no two wait for each other.
        # One that waits for cores holds no memory that others need.
        with (
            self._turn(call, self._cores, cores),
            self._turn(call, self._pixels, pixels),
            self._turn(call, self._memory, memory),
        ):
            yield

    @contextmanager
    def _turn(self, call: Call, queue: Queue, amount: int) -> Iterator[None]:
        """Waits until so much is free, and holds it."""
        with self._changed:
            turn = queue.join(amount)
            try:
                self._wait(call, lambda: queue.fits(turn))
                queue.take(turn)
            finally:
                queue.leave(turn)
                # There may be enough for the next in the line, too.
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                queue.give_back(turn)
                self._changed.notify_all()

    def _wait(self, call: Call, fits: Callable[[], bool]) -> None:
        call.check()
        if fits():
            return
        # The other threads are left for requests that need not wait.
        if self._waiting >= max(1, self.limits.in_flight // 2):
            raise _busy(f"{self._waiting} requests wait for their turn")
        self._waiting += 1
        try:
            while not fits():
                call.check()
                self._changed.wait(call.left())
        finally:
            self._waiting -= 1
        call.check()

    def cancel(self, call: Call) -> None:
        """Marks a call that nobody waits for, and ends its wait."""
        with self._changed:
            call.cancelled = True
            self._changed.notify_all()


class Body:
    """A body that arrives.

    Attributes:
        size: bytes so far.
    """

    def __init__(self, gate: Gate) -> None:
        """Starts empty; see `Gate.body`."""
        self._gate = gate
        self.size = 0

    def grow(self, amount: int) -> None:
        """Counts bytes that have arrived.

        Raises:
            Failure: where this body is too large, or all bodies together are.
        """
        most = self._gate.limits.body_bytes
        if self.size + amount > most:
            raise too_large(most)
        self._gate.take_body(amount, self.size + amount)
        self.size += amount


def _cores() -> int:
    """Returns how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS


def too_large(most: int) -> Failure:
    """Returns the failure of a request of more than `most` bytes."""
    return Failure(
        "RESOURCE_EXHAUSTED", f"A request may have {most} bytes at most", 413
    )


def _busy(reason: str) -> Failure:
    return Failure(
        "RESOURCE_EXHAUSTED", f"{reason}, which is the most; try again later"
    )
