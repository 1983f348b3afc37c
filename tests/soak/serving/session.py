"""A served model under valid load: what all themes of the server share."""

import math
import shutil
from collections.abc import Iterator, Sequence
from typing import Any

from tests.soak.bench import Bench
from tests.soak.outcome import Fault
from tests.soak.serving.processes import Helper, Server

MOST_RATIO = 5.0
"""Of the 99th percentile of answer times under attack to the quiet one."""


CLEAN = (
    *("rest 429", "rest 503", "rest closed", "rest unanswered"),
    *("grpc RESOURCE_EXHAUSTED", "grpc UNAVAILABLE", "grpc CANCELLED"),
)
"""Ends of requests that a server refuses when it is about to end."""


class Session:
    """A server over version 1 of a model, and what it answers; a context.

    Args:
        bench: of the run.
        theme: name of its folder.
        *options: of the command.

    Attributes:
        folder: of the theme.
        models: the folder that is served.
        server: the process.
    """

    def __init__(self, bench: Bench, theme: str, *options: str) -> None:
        """Starts the server and learns its answers."""
        self.folder = bench.folder / theme
        self.models = self.folder / "models"
        self._bench = bench
        self._helpers: list[Helper] = []
        self.publish(1)
        self.server = Server(self.models, self.folder, *options)
        self.learn()

    def publish(self, version: int) -> None:
        """Makes a version appear: the two models take turns."""
        source = self._bench.material / "models of two" / str(2 - version % 2)
        hidden = self.models / f".{version}"
        shutil.copytree(source, hidden)
        hidden.rename(self.models / str(version))

    def learn(self) -> None:
        """Adds the answers of the newest version to those that are right."""
        self._helper("load", f"learn-{len(self._helpers)}", learn=7).result(300)

    def load(self, name: str, **options: Any) -> Helper:
        """Starts valid load; its result is to be fetched."""
        return self._helper("load", name, **options)

    def helper(self, module: str, name: str, **options: Any) -> Helper:
        """Starts another program beside the server; see `Helper`."""
        helper = Helper(module, self.folder, name, **options)
        self._helpers.append(helper)
        return helper

    def _helper(self, module: str, name: str, **options: Any) -> Helper:
        return self.helper(
            module,
            name,
            rest=self.server.rest,
            grpc=self.server.grpc,
            expected=self.folder / "expected",
            **options,
        )

    def quiet(self, seconds: float) -> float:
        """Returns the 99th percentile of the answer times without attacks."""
        self.load("warm", seconds=min(3.0, seconds)).result(120)
        found = self.load("quiet", seconds=seconds).result(120)
        return percentile(found["times"])

    def __enter__(self) -> "Session":
        """Returns the session."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the server and all helpers at once."""
        for helper in self._helpers:
            if helper.running():
                helper.result(0)
        self.server.kill()


def percentile(times: Sequence[float], share: float = 0.99) -> float:
    """Returns a percentile of sorted times; infinite where there are none."""
    if not times:
        return math.inf
    return times[min(len(times) - 1, int(share * len(times)))]


def load_faults(
    found: dict[str, Any], refusals: bool = False
) -> Iterator[Fault]:
    """Yields what valid requests met.

    Args:
        found: the result of a load.
        refusals: whether a clean refusal is no fault.
    """
    if found["wrong"]:
        first = found["first_wrong"][0]
        yield Fault("wrong", f"{found['wrong']} wrong answers, first {first}")
    if found["hung"]:
        yield Fault("dead", f"{found['hung']} valid requests hung")
    for kind, count in found["counts"].items():
        if not (refusals and kind in CLEAN):
            words = found["examples"].get(kind, "")
            yield Fault("wrong", f"{count} valid requests got {kind}: {words}")
    if not found["times"]:
        yield Fault("dead", "no valid request was answered")


def dead(server: Server) -> Iterator[Fault]:
    """Yields a fault where the server is gone or does not answer."""
    if not server.alive():
        status = server.process.poll()
        yield Fault("dead", f"the server ended ({status}): {server.said()}")
        return
    try:
        server.states()
    except OSError as error:
        yield Fault("dead", f"the server does not answer: {error!r}")


def ratio(times: Sequence[float], quiet: float) -> tuple[str, bool]:
    """Returns the ratio of the 99th percentiles in words, and if it is met."""
    busy = percentile(times)
    words = f"p99 {1000 * quiet:.0f} ms, then {1000 * busy:.0f} ms"
    words += f" (the slowest {1000 * times[-1]:.0f} ms)" if times else ""
    return f"{words}, ratio {busy / quiet:.1f}", busy < MOST_RATIO * quiet
