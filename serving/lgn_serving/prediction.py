"""The part that both protocols share: running a model, and counting."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lgn_serving.arrays import Array
from lgn_serving.failure import Failure
from lgn_serving.metrics import Metrics
from lgn_serving.models.catalogue import Catalogue


class Predictor:
    """Answers predict requests of either protocol.

    Args:
        catalogue: the models.
        metrics: counts the requests.
    """

    def __init__(self, catalogue: Catalogue, metrics: Metrics) -> None:
        """Stores both."""
        self.catalogue = catalogue
        self.metrics = metrics

    def run(
        self,
        name: str,
        servable: Any,
        signature: str,
        inputs: Mapping[str, Array],
        only: tuple[str, ...] = (),
    ) -> dict[str, Array]:
        """Runs a borrowed servable, and records the time it took.

        Returns:
            The outputs, by name.

        Raises:
            Failure: where the inputs do not fit or the graph refuses them.
        """
        start = time.perf_counter()
        outputs: dict[str, Array] = servable.run(signature, inputs, only)
        self.metrics.runtime.labels(name, "Predict", "TF1").observe(
            (time.perf_counter() - start) * 1e6
        )
        return outputs

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
            status = failure.code
            raise
        finally:
            self.metrics.requests.labels(known[0], status).inc()
            if status == "OK":
                self.metrics.latency.labels(known[0], api, entrypoint).observe(
                    (time.perf_counter() - start) * 1e6
                )
