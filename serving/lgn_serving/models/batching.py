"""Merges requests that arrive together into one batch.

As in TensorFlow Serving, two requests are merged only where they ask the same
signature and their arrays agree in type and in all dimensions but the first.
The request that opens a batch waits for others, then a thread runs the batch,
and each request takes its own rows of the outputs.
"""

import dataclasses
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from lgn_serving.arrays import Array
from lgn_serving.failure import Failure, invalid, late
from lgn_serving.models.settings import BatchSettings
from lgn_serving.models.signatures import DEFAULT


@dataclasses.dataclass(frozen=True)
class _Part:
    """A request in a batch, and what will be its outputs."""

    inputs: Mapping[str, Array]
    rows: int
    deadline: float | None
    outputs: Future[dict[str, Array]] = dataclasses.field(
        default_factory=Future
    )

    def left(self) -> float | None:
        """Returns the seconds to the deadline; None where there is none."""
        if self.deadline is None:
            return None
        return max(0.0, self.deadline - time.monotonic())


class _Batch:
    """Requests that will run together."""

    def __init__(self, key: tuple[Any, ...]) -> None:
        self.key = key
        self.parts: list[_Part] = []
        self.rows = 0
        self.full = threading.Event()


class BatchedServable:
    """A servable whose requests are merged.

    Args:
        servable: answers the merged requests.
        settings: how large batches get and how long they wait.
    """

    def __init__(self, servable: Any, settings: BatchSettings) -> None:
        """Starts without a batch."""
        self._servable = servable
        self._settings = settings
        self._lock = threading.Lock()
        self._open: dict[tuple[Any, ...], _Batch] = {}
        self._threads = ThreadPoolExecutor(
            settings.threads, thread_name_prefix="batch"
        )
        self._waiting = 0

    def __getattr__(self, name: str) -> Any:
        """Takes everything but `run` and `close` from the servable."""
        return getattr(self._servable, name)

    def run(
        self,
        name: str,
        inputs: Mapping[str, Array],
        only: tuple[str, ...] = (),
        deadline: float | None = None,
    ) -> dict[str, Array]:
        """Runs a signature, merged with other requests where there are any.

        Arguments and outputs are those of `Servable.run`. The first dimension
        of an input is the batch. A batch runs until the last deadline of its
        requests; each is answered at its own.

        Raises:
            Failure: where the inputs do not fit, or those of a request that
                they were merged with; where too many batches wait; where the
                deadline has passed.
        """
        # An empty name and the default's own are the same signature.
        name = name or DEFAULT
        rows = _rows(inputs)
        if not rows:
            # It cannot be merged, and the graph answers or refuses it.
            return dict(self._servable.run(name, inputs, only, deadline))
        if rows > self._settings.max_batch_size:
            raise invalid(
                f"Task size {rows} is larger than maximum input batch size "
                f"{self._settings.max_batch_size}"
            )
        part = _Part(inputs, rows, deadline)
        opened = self._join((name, only, _kinds(inputs)), part)
        if opened is not None:
            self._wait_for_others(opened, part)
        try:
            return part.outputs.result(part.left())
        except TimeoutError:
            raise late() from None
        finally:
            # No ring of an error, its trace and what holds it.
            del part, opened

    def _join(self, key: tuple[Any, ...], part: _Part) -> _Batch | None:
        """Puts a request into a batch; returns the batch if it is new."""
        most = self._settings.max_batch_size
        with self._lock:
            batch = self._open.get(key)
            if batch is not None and batch.rows + part.rows > most:
                batch.full.set()
                batch = None
            new = batch is None
            if batch is None:
                if self._waiting >= self._settings.max_enqueued:
                    raise Failure(
                        "UNAVAILABLE",
                        "The batch scheduling queue to which this task was "
                        "submitted is full",
                    )
                self._waiting += 1
                batch = self._open[key] = _Batch(key)
            batch.parts.append(part)
            batch.rows += part.rows
            if batch.rows == most:
                batch.full.set()
                del self._open[key]
            return batch if new else None

    def _wait_for_others(self, batch: _Batch, part: _Part) -> None:
        left = part.left()
        wait = self._settings.timeout
        batch.full.wait(wait if left is None else min(wait, left))
        self._threads.submit(self._run, batch)

    def _run(self, batch: _Batch) -> None:
        with self._lock:
            self._waiting -= 1
            if self._open.get(batch.key) is batch:
                del self._open[batch.key]
        # Those whose deadline has passed are answered.
        parts = [each for each in batch.parts if each.left() != 0]
        batch.parts.clear()
        if not parts:
            return
        try:
            found = self._outputs(
                batch.key, [part.inputs for part in parts], _last(parts)
            )
        except BaseException as error:
            for part in parts:
                part.outputs.set_exception(error)
            # No ring, as in `run`.
            del part, parts, batch
            return
        start = 0
        for part in parts:
            end = start + part.rows
            part.outputs.set_result(
                {name: values[start:end] for name, values in found.items()}
            )
            start = end

    def _outputs(
        self,
        key: tuple[Any, ...],
        every: list[Mapping[str, Array]],
        deadline: float | None,
    ) -> dict[str, Array]:
        name, only, _ = key
        inputs = {
            each: np.concatenate([one[each] for one in every])
            for each in every[0]
        }
        found: dict[str, Array] = self._servable.run(
            name, inputs, only, deadline
        )
        rows = _rows(inputs)
        for output, values in found.items():
            if not values.ndim or len(values) != rows:
                raise Failure(
                    "FAILED_PRECONDITION",
                    "Batched output tensor's 0th dimension does not equal the "
                    "sum of the 0th dimension sizes of the input tensors: "
                    f"{output}",
                )
        return found

    def close(self) -> None:
        """Unloads the servable."""
        self._servable.close()
        self._threads.shutdown(wait=False)


def _last(parts: list[_Part]) -> float | None:
    """Returns the last deadline; None where a request has none."""
    known = [each.deadline for each in parts if each.deadline is not None]
    return max(known) if len(known) == len(parts) else None


def _rows(inputs: Mapping[str, Array]) -> int:
    """Returns the rows of a request; 0 where its arrays do not agree."""
    sizes = {len(array) if array.ndim else 0 for array in inputs.values()}
    return sizes.pop() if len(sizes) == 1 else 0


def _kinds(inputs: Mapping[str, Array]) -> tuple[Any, ...]:
    """Returns what two requests must have in common to be merged."""
    return tuple(
        (key, inputs[key].dtype.str, inputs[key].shape[1:])
        for key in sorted(inputs)
    )
