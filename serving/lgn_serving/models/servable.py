"""One version of a SavedModel, in a process of its own."""

from collections.abc import Mapping
from pathlib import Path

from lgn_serving import costs
from lgn_serving.arrays import Array
from lgn_serving.models.processes import Processes
from lgn_serving.models.signatures import Signatures


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
        """Runs a signature.

        Args:
            name: the signature; empty for the default one.
            inputs: an array for each input.
            only: names of the outputs to return; all where empty.
            deadline: moment of `time.monotonic()` at which the graph is
                stopped.

        Returns:
            The outputs, by name.

        Raises:
            Failure: where the inputs do not fit, the graph refuses them, the
                deadline has passed, or the process ends.
        """
        self._processes.pause_loading()
        return dict(
            self._process.run(name, dict(inputs), only, deadline=deadline)
        )

    def close(self) -> None:
        """Ends the process, which frees all of its memory."""
        self._processes.end(self._process)
