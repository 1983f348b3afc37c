"""Merges requests that arrive together into one batch.

As in TensorFlow Serving, two requests are merged only where they ask the same
signature and their arrays agree in type and in all dimensions but the first.
The request that opens a batch waits for others and runs the batch. Each
request then takes its own rows of the outputs.
"""

import threading
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from lgn_serving.arrays import Array
from lgn_serving.failure import Failure, invalid
from lgn_serving.models.servable import DEFAULT
from lgn_serving.models.settings import BatchSettings


class _Batch:
    """Requests that will run together."""

    def __init__(self) -> None:
        self.parts: list[Mapping[str, Array]] = []
        self.rows = 0
        self.full = threading.Event()
        self.done = threading.Event()
        self.outputs: dict[str, Array] = {}
        self.failure: BaseException | None = None


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
        self._running = threading.Semaphore(settings.threads)
        self._waiting = 0

    def __getattr__(self, name: str) -> Any:
        """Takes everything but `run` from the servable."""
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
        of an input is the batch.

        Raises:
            Failure: where the inputs do not fit, or those of a request that
                they were merged with; where too many batches wait.
        """
        # An empty name and the default's own are the same signature.
        name = name or DEFAULT
        rows = _rows(inputs)
        if not rows:
            # It cannot be merged, and the graph answers or refuses it.
            return dict(self._servable.run(name, inputs, only))
        if rows > self._settings.max_batch_size:
            raise invalid(
                f"Task size {rows} is larger than maximum input batch size "
                f"{self._settings.max_batch_size}"
            )
        key = (name, only, _kinds(inputs))
        batch, start, leads = self._join(key, inputs, rows)
        if leads:
            self._lead(key, batch, name, only)
        else:
            left = deadline and max(0.0, deadline - time.monotonic())
            if not batch.done.wait(left):
                raise Failure(
                    "DEADLINE_EXCEEDED",
                    "The request was not answered in its time",
                )
        if batch.failure is not None:
            raise batch.failure
        return {
            output: values[start : start + rows]
            for output, values in batch.outputs.items()
        }

    def _join(
        self, key: tuple[Any, ...], inputs: Mapping[str, Array], rows: int
    ) -> tuple[_Batch, int, bool]:
        most = self._settings.max_batch_size
        with self._lock:
            batch = self._open.get(key)
            if batch is not None and batch.rows + rows > most:
                batch.full.set()
                batch = None
            leads = batch is None
            if batch is None:
                if self._waiting >= self._settings.max_enqueued:
                    raise Failure(
                        "UNAVAILABLE",
                        "The batch scheduling queue to which this task was "
                        "submitted is full",
                    )
                self._waiting += 1
                batch = self._open[key] = _Batch()
            start = batch.rows
            batch.parts.append(inputs)
            batch.rows += rows
            if batch.rows == most:
                batch.full.set()
                del self._open[key]
            return batch, start, leads

    def _lead(
        self,
        key: tuple[Any, ...],
        batch: _Batch,
        name: str,
        only: tuple[str, ...],
    ) -> None:
        batch.full.wait(self._settings.timeout)
        with self._running:
            with self._lock:
                self._waiting -= 1
                if self._open.get(key) is batch:
                    del self._open[key]
            try:
                batch.outputs = self._servable.run(
                    name,
                    {
                        each: np.concatenate(
                            [part[each] for part in batch.parts]
                        )
                        for each in batch.parts[0]
                    },
                    only,
                )
                self._check_rows(batch)
            except BaseException as error:
                batch.failure = error
            finally:
                batch.done.set()

    def _check_rows(self, batch: _Batch) -> None:
        for name, values in batch.outputs.items():
            if not values.ndim or len(values) != batch.rows:
                raise Failure(
                    "FAILED_PRECONDITION",
                    "Batched output tensor's 0th dimension does not equal the "
                    "sum of the 0th dimension sizes of the input tensors: "
                    f"{name}",
                )


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
