"""One version of a model, as the status page shows it."""

import dataclasses
import math
import time
from typing import Any

from lgn_serving.failure import Failure

LOADING, AVAILABLE = "LOADING", "AVAILABLE"
UNLOADING, END = "UNLOADING", "END"

_PAUSE = 60.0
"""Seconds until a version is tried again whose process ended while loading,
and between two tries for one whose process ends again and again."""


@dataclasses.dataclass
class Version:
    """One version of a model.

    Attributes:
        number: the name of its folder.
        state: `LOADING`, `AVAILABLE`, `UNLOADING` or `END`.
        code: "OK", or the code of the error that stopped its loading.
        message: the text of that error.
        servable: answers requests; None where it is not loaded.
        users: number of requests that are running on it.
        stamp: time at which its folder was written, in nanoseconds.
        anew: whether it was available before, and its process ended.
        wanted: whether the server loads it when it may.
        since: moment of `time.monotonic()` at which it became available.
        retry_at: moment of `time.monotonic()` from which it may be loaded
            although the folder has not changed.
    """

    number: int
    state: str = LOADING
    code: str = "OK"
    message: str = ""
    servable: Any = None
    users: int = 0
    stamp: int = 0
    anew: bool = False
    wanted: bool = True
    since: float = 0.0
    retry_at: float = -math.inf

    @property
    def answers(self) -> bool:
        """Whether it is available, and its process lives."""
        return self.state == AVAILABLE and self.servable.alive

    @property
    def is_lost(self) -> bool:
        """Whether it counts as available, but its process has ended."""
        return self.state == AVAILABLE and not self.servable.alive

    def is_loadable(self, stamp: int) -> bool:
        """Returns whether it is worth a try to load it.

        Args:
            stamp: time at which its folder was written.
        """
        # What is left of it may still wait for its last request to fail.
        ended = self.state == END or (self.state == UNLOADING and self.anew)
        changed = self.stamp != stamp or time.monotonic() >= self.retry_at
        return ended and changed

    def returns(self) -> bool:
        """Returns whether it will be available again by itself."""
        if self.state == LOADING:
            return self.anew
        return self.is_lost or (self.wanted and self.retry_at < math.inf)

    def load(self, servable: Any) -> None:
        """Makes it available.

        Args:
            servable: answers its requests.
        """
        self.servable, self.state = servable, AVAILABLE
        self.since = time.monotonic()

    def fail(self, failure: Failure) -> None:
        """Notes why it could not be loaded.

        Args:
            failure: what stopped it.
        """
        self.state, self.retry_at = END, math.inf
        self.code, self.message = failure.code, failure.message
        if failure.code == "UNAVAILABLE":
            # Its process ended, and the memory that it lacked may be free soon.
            self.retry_at = time.monotonic() + _PAUSE

    def lose(self) -> None:
        """Notes that its process has ended, so that it is loaded anew.

        The first time this may be at once. Later it may not be within a minute
        of the last time: what has ended it may well end it again.
        """
        now = time.monotonic()
        self.retry_at = max(now, self.since + _PAUSE) if self.anew else now
        self.state, self.anew = UNLOADING, True
        self.code, self.message = "UNAVAILABLE", "Its process has ended"

    def retire(self) -> None:
        """Notes that it is not wanted any more."""
        self.wanted = self.anew = False
        if self.state == AVAILABLE:
            self.state = UNLOADING
