"""A model server as the client sees it, over either protocol."""

import abc
import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from numpy.typing import NDArray

from lgn_client import retries

Arrays = dict[str, NDArray[Any]]
"""Tensors by name; strings are arrays of `bytes` objects."""


@dataclasses.dataclass(frozen=True)
class Target:
    """A model on a server, and the patience of the client.

    Attributes:
        model: its name.
        version: the number of the version that is asked.
        label: the label of that version instead. Where both are None the
            server takes the newest version.
        token: sent as a bearer token, for a proxy that asks for one; beyond
            this machine over https:// and grpcs:// alone.
        ca_file: certificates to trust; the system's where None.
        timeout: seconds for a request with all its tries and pauses.
        tries: how often a request is sent at most, with growing pauses.
        answer_bytes: how large an answer may be. A malformed one over REST
            may take 30 times as much memory while it is read.
    """

    model: str
    version: int | None = None
    label: str | None = None
    token: str | None = dataclasses.field(default=None, repr=False)
    ca_file: Path | None = None
    timeout: float = 60.0
    tries: int = 6
    answer_bytes: int = 64 * 2**20

    def authorization(self) -> tuple[tuple[str, str], ...]:
        """Returns the header with the token; none without a token."""
        if self.token is None:
            return ()
        return (("authorization", f"Bearer {self.token}"),)


class Server(abc.ABC):
    """A connection to a model; a context manager.

    Args:
        place: the server's address, as errors name it.
        target: the model.
    """

    def __init__(self, place: str, target: Target) -> None:
        """Connects when the first request is sent."""
        self._place = place
        self._target = target

    @abc.abstractmethod
    def predict(self, signature: str, inputs: Arrays) -> Arrays:
        """Asks an endpoint.

        Args:
            signature: its name.
            inputs: arrays; of `bytes` objects where files are sent.

        Returns:
            The outputs, by name.

        Raises:
            ServingError: with the server's code and text; with the code
                "INTERNAL" where its answer is malformed or too large.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Closes the connection."""

    def unusable(self, what: object) -> retries.ServingError:
        """Returns the error of an answer that nobody can use.

        Args:
            what: is wrong with it.
        """
        return retries.ServingError(
            "INTERNAL", f"unusable answer of {self._place}: {what}"
        )

    def _too_large(self) -> retries.ServingError:
        return self.unusable(f"larger than {self._target.answer_bytes} bytes")

    def _retried(self, send: Callable[[float], Arrays]) -> Arrays:
        return retries.retried(
            send, timeout=self._target.timeout, tries=self._target.tries
        )

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the connection."""
        self.close()
