"""One version of a model, as the status page shows it."""

import dataclasses
import math
import time
from typing import Any

from lgn_serving.failure import Failure

LOADING, AVAILABLE = "LOADING", "AVAILABLE"
UNLOADING, END = "UNLOADING", "END"

_PAUSE = 60.0
"""Seconds until a version is tried again whose process ended while loading."""


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
        stamp: time at which the folder was written, where loading failed.
        anew: whether it was available before, and its process ended.
        retry_at: moment of `time.monotonic()` at which loading is tried again
            although the folder has not changed.
    """

    number: int
    state: str = LOADING
    code: str = "OK"
    message: str = ""
    servable: Any = None
    users: int = 0
    stamp: int | None = None
    anew: bool = False
    retry_at: float = math.inf

    def is_loadable(self, stamp: int) -> bool:
        """Returns whether it is worth a try to load it.

        Args:
            stamp: time at which its folder was written.
        """
        if self.state == AVAILABLE:
            return not self.servable.alive
        changed = self.stamp != stamp or time.monotonic() >= self.retry_at
        return self.state == END and changed

    def returns(self) -> bool:
        """Returns whether it will be available again by itself."""
        if self.state == END:
            return self.retry_at < math.inf
        return self.state == LOADING and self.anew

    def fail(self, failure: Failure, stamp: int) -> None:
        """Notes why it could not be loaded.

        Args:
            failure: what stopped it.
            stamp: time at which its folder was written.
        """
        self.state, self.stamp = END, stamp
        self.code, self.message = failure.code, failure.message
        if failure.code == "UNAVAILABLE":
            # Its process ended, and the memory that it lacked may be free soon.
            self.retry_at = time.monotonic() + _PAUSE
