"""The part that both protocols share: running a model, and counting."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lgn_serving import costs
from lgn_serving.arrays import Array
from lgn_serving.failure import Failure, invalid
from lgn_serving.gate import Call, Gate
from lgn_serving.metrics import Metrics
from lgn_serving.models.catalogue import Catalogue
from lgn_serving.models.signatures import DEFAULT


class Predictor:
    """Answers predict requests of either protocol.

    Args:
        catalogue: the models.
        metrics: counts the requests.
        gate: bounds what they need.
    """

    def __init__(
        self, catalogue: Catalogue, metrics: Metrics, gate: Gate
    ) -> None:
        """Stores the arguments."""
        self.catalogue = catalogue
        self.metrics = metrics
        self.gate = gate

    def run(
        self,
        name: str,
        servable: Any,
        signature: str,
        inputs: Mapping[str, Array],
        call: Call,
        only: tuple[str, ...] = (),
    ) -> dict[str, Array]:
        """Runs a borrowed servable, and records the time it took.

        It first waits until the memory and the pixels that the request needs
        are free.

        Returns:
            The outputs, by name.

        Raises:
            Failure: where the inputs do not fit, are too many, or the graph
                refuses them; where the call is over before it is done.
        """
        memory = costs.costs_of(servable, signature or DEFAULT)
        cost = costs.cost(memory, inputs)
        if cost.rows > self.gate.limits.rows:
            raise invalid(
                f"A request must have at most {self.gate.limits.rows} rows. "
                f"Received: {cost.rows} rows"
            )
        with self.gate.work(call, cost.memory, cost.pixels):
            start = time.perf_counter()
            outputs: dict[str, Array] = servable.run(
                signature, inputs, only, deadline=call.deadline
            )
            self.metrics.runtime.labels(name, "Predict", "TF1").observe(
                (time.perf_counter() - start) * 1e6
            )
        return outputs

    def label(self, name: str) -> str:
        """Returns a model's name for metrics; "" where there is no such model.

        A name that a client made up would stay on the page for ever.
        """
        try:
            self.catalogue.status(name)
        except Failure:
            return ""
        return name

    def refused(self, failure: Failure) -> None:
        """Counts a request that ended before its model was known."""
        if not failure.counted:
            failure.counted = True
            self.metrics.requests.labels("", failure.code).inc()

    @contextmanager
    def counted(
        self, name: str, api: str, entrypoint: str
    ) -> Iterator[Callable[[str], None]]:
        """Counts a request by its status; an unforeseen error is INTERNAL.

        Args:
            name: the model.
            api: "predict"; empty for a question about the model.
            entrypoint: "REST" or "GRPC".

        Yields:
            A function that sets the name of the model where it is known only
            later.
        """
        start = time.perf_counter()
        known = [name]
        status = "INTERNAL"
        try:
            with self.metrics.in_flight.track_inprogress():
                yield lambda later: known.__setitem__(0, later)
            status = "OK"
        except Failure as failure:
            status, failure.counted = failure.code, True
            raise
        finally:
            label = self.label(known[0])
            self.metrics.requests.labels(label, status).inc()
            if status == "OK":
                self.metrics.latency.labels(label, api, entrypoint).observe(
                    (time.perf_counter() - start) * 1e6
                )
