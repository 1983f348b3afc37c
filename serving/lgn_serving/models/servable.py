"""One version of a SavedModel, in a process of its own."""

from collections.abc import Mapping
from pathlib import Path

from lgn_serving import costs
from lgn_serving.arrays import Array
from lgn_serving.models.processes import Processes
from lgn_serving.models.signatures import DEFAULT, Signatures


class Servable(Signatures):
    """A loaded version.

    Attributes:
        signatures: the signature definitions, by name.
        costs: what a request of each signature costs, where it is known.
    """

    def __init__(self, path: Path, processes: Processes) -> None:
        """Loads a version folder, and sends it its warm-up requests.

        Args:
            path: the folder that holds `saved_model.pb`.
            processes: those of the server.

        Raises:
            Failure: where it cannot be loaded or warmed up.
        """
        from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

        self.costs = costs.read_card(path)
        self._processes = processes
        self._process = processes.start(path)
        try:
            found = self._process.load(processes.busy)
        except BaseException:
            self.close()
            raise
        super().__init__(
            {
                name: SignatureDef.FromString(each)
                for name, each in found.items()
            }
        )

    @property
    def alive(self) -> bool:
        """Whether its process answers; if not, every request fails."""
        return self._process.alive

    def run(
        self,
        name: str,
        inputs: Mapping[str, Array],
        only: tuple[str, ...] = (),
        deadline: float | None = None,
    ) -> dict[str, Array]:
        """Runs a signature in the version's process.

        Arguments and result are those of `GraphSession.run`.

        Raises:
            Failure: as there, or where the process ends.
        """
        self._processes.pause_loading()
        # For each graph that fails under a deadline, TensorFlow keeps a
        # kilobyte for ever (the rendezvous that it gave up). What is short runs
        # to its end, and without merging it holds its place until then.
        cost = costs.cost(costs.costs_of(self, name or DEFAULT), inputs)
        stop = None if cost.is_short else deadline
        return dict(self._process.run(name, dict(inputs), only, deadline=stop))

    def close(self) -> None:
        """Ends the process, which frees all of its memory."""
        self._processes.end(self._process)
