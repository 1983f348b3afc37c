"""Holds answers within a bound until their clients have taken them.

A client may ask for large answers and read none of them. Where another answer
does not fit, those go that have waited the longest, of the host that holds the
most. So a client that reads nothing holds up nobody else.
"""

import collections
import time
from collections.abc import Callable

from lgn_serving.failure import Failure

_PATIENCE = 1.0
"""Seconds that every answer has to be taken."""

_SMALL = 2**16
"""Bytes of an answer that always has a place."""


class Departure:
    """One answer; see `Departures.add`."""

    def __init__(
        self,
        departures: "Departures",
        host: str,
        size: int,
        end: Callable[[], object],
    ) -> None:
        """Starts with the answer held."""
        self._departures = departures
        self.host = host
        self.size = size
        self.since = time.monotonic()
        self._end = end

    def release(self) -> None:
        """Counts the answer no longer; more than once does no harm."""
        self._departures.remove(self)

    def end(self) -> None:
        """Ends the connection of a client that does not take the answer."""
        self.release()
        self._end()


class Departures:
    """The answers that are on their way; for one event loop.

    Args:
        most: bytes of all answers. A larger one may go alone.

    Attributes:
        held: bytes of those on their way.
    """

    def __init__(self, most: int) -> None:
        """Starts without an answer."""
        self._most = most
        self.held = 0
        # In the order in which they came.
        self._answers: dict[Departure, None] = {}

    def add(self, host: str, size: int, end: Callable[[], object]) -> Departure:
        """Counts an answer until it is released.

        Args:
            host: of the client.
            size: bytes that the server holds for the answer.
            end: ends the connection, where others need the place.

        Raises:
            Failure: where a large answer has no place, and no other has
                waited long enough to make way.
        """
        while self._answers and self.held + size > self._most:
            oldest = self._oldest()
            if oldest is not None:
                oldest.end()
            elif size <= _SMALL:
                break
            else:
                raise Failure(
                    "RESOURCE_EXHAUSTED",
                    f"{self.held} bytes of answers are on their way, and no "
                    "more fit; try again later",
                )
        answer = Departure(self, host, size, end)
        self._answers[answer] = None
        self.held += size
        return answer

    def remove(self, answer: Departure) -> None:
        """Counts an answer no longer; see `Departure.release`."""
        if answer in self._answers:
            del self._answers[answer]
            self.held -= answer.size

    def _oldest(self) -> Departure | None:
        """Returns the oldest answer of the host that holds the most.

        Where even that one is new, it is one of another host, or None.
        """
        late = time.monotonic() - _PATIENCE
        sizes: collections.Counter[str] = collections.Counter()
        oldest: dict[str, Departure] = {}
        for answer in self._answers:
            sizes[answer.host] += answer.size
            oldest.setdefault(answer.host, answer)
        for host, _ in sizes.most_common():
            if oldest[host].since <= late:
                return oldest[host]
        return None
