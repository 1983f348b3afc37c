"""A SavedModel in this process, loaded as TensorFlow Serving loads it.

Like TensorFlow Serving, it runs the graph in a TensorFlow 1 session: with the
same kernels, with the graph's own checks of shapes alone, and with the same
texts of errors.
"""

import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from lgn_serving.arrays import Array, dtype_name, dtype_of
from lgn_serving.failure import Failure, invalid, late
from lgn_serving.models.signatures import Signatures

_WARM_UP = Path("assets.extra/tf_serving_warmup_requests")
_THREADS = 8
"""Threads that run what has a deadline: each request in one of them."""

# The Python binding adds these to the message of the runtime.
_ADDED = re.compile(r"\n+(Original stack trace|Detected at node|Errors may)")


class GraphSession(Signatures):
    """A loaded version.

    Attributes:
        signatures: the signature definitions, by name.
    """

    def __init__(self, path: Path) -> None:
        """Loads a version folder, and sends it its warm-up requests.

        Args:
            path: the folder that holds `saved_model.pb`.

        Raises:
            Failure: where it cannot be loaded or warmed up.
        """
        import tensorflow as tf

        _require_files(path)
        self._tf = tf
        self._lock = threading.Lock()
        self._places: dict[str, Any] = {}
        self._used = [0] * _THREADS
        graph = tf.Graph()
        config = tf.compat.v1.ConfigProto()
        for _ in range(_THREADS):
            config.session_inter_op_thread_pool.add(num_threads=1)
        self._session = tf.compat.v1.Session(graph=graph, config=config)
        try:
            with graph.as_default():
                loaded = quiet_load(tf, self._session, path)
            super().__init__(dict(loaded.signature_def))
            self._session._extend_graph()
            self._warm_up(path)
        # A broken file makes TensorFlow or protocol buffers raise anything.
        except Exception as error:
            self.close()
            if isinstance(error, Failure):
                raise
            raise Failure("UNKNOWN", f"{path}: {error}") from error

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
                stopped; None where it is short.

        Returns:
            The outputs, by name.

        Raises:
            Failure: where the inputs do not fit, the graph refuses them or
                the deadline has passed.
        """
        signature = self.signature(name)
        _check_inputs(signature, inputs)
        wanted = only or tuple(sorted(signature.outputs))
        for output in wanted:
            if output not in signature.outputs:
                known = ",".join(sorted(signature.outputs))
                raise invalid(
                    f"output tensor alias not found in signature: {output} "
                    f"Outputs expected to be in the set {{{known}}}."
                )
        feeds = {
            self._place(signature.inputs[key].name): inputs[key]
            for key in sorted(inputs)
        }
        # All outputs, whatever is wanted: TensorFlow prepares the graph anew
        # for each choice of outputs, which takes half a second and some
        # megabytes, and keeps it.
        every = sorted(signature.outputs)
        fetches = [self._place(signature.outputs[key].name) for key in every]
        try:
            values = self._run_graph(feeds, fetches, deadline)
        except self._tf.errors.DeadlineExceededError as error:
            raise late() from error
        except self._tf.errors.OpError as error:
            code = error_name(error.error_code)
            raise Failure(code, _ADDED.split(error.message)[0]) from error
        found = dict(zip(every, map(np.asarray, values), strict=True))
        return {name: found[name] for name in wanted}

    def _run_graph(
        self,
        feeds: Mapping[Any, Array],
        fetches: list[Any],
        deadline: float | None,
    ) -> list[Any]:
        from tensorflow.core.protobuf.config_pb2 import RunOptions
        from tensorflow.python.client import pywrap_tf_session

        with self._thread(deadline) as number:
            options = RunOptions(inter_op_thread_pool=number)
            if deadline is not None:
                left = int(1000 * (deadline - time.monotonic()))
                if left <= 0:
                    raise late()
                options.timeout_in_ms = left
            buffer = pywrap_tf_session.TF_NewBufferFromString(
                options.SerializeToString()
            )
            # `Session.run` would check shapes in Python, with other texts.
            try:
                return list(
                    self._session._call_tf_sessionrun(
                        buffer, feeds, fetches, [], None
                    )
                )
            finally:
                pywrap_tf_session.TF_DeleteBuffer(buffer)

    @contextmanager
    def _thread(self, deadline: float | None) -> Iterator[int]:
        """Yields the number of the thread that runs the operations.

        It is a single one, which a large picture then keeps from nobody else.
        Besides, oneDNN keeps what it prepares for each size of a batch, and
        does so in each thread that meets this size.

        Args:
            deadline: where there is none, the thread that asks runs the graph.
        """
        if deadline is None:
            yield -1
            return
        with self._lock:
            number = min(range(_THREADS), key=self._used.__getitem__)
            self._used[number] += 1
        try:
            yield number
        finally:
            with self._lock:
                self._used[number] -= 1

    def _place(self, tensor: str) -> Any:
        """Returns what the C interface calls a tensor."""
        with self._lock:
            if tensor not in self._places:
                found = self._session.graph.get_tensor_by_name(tensor)
                self._places[tensor] = found._as_tf_output()
            return self._places[tensor]

    def _warm_up(self, path: Path) -> None:
        file = path / _WARM_UP
        if not file.is_file():
            return
        for name, inputs in read_warm_up(file):
            self.run(name, inputs)

    def close(self) -> None:
        """Frees the session; nothing can run afterwards."""
        self._session.close()


def _check_inputs(signature: Any, inputs: Mapping[str, Any]) -> None:
    sent, known = set(inputs), set(signature.inputs)
    if sent != known:
        names = [
            ",".join(sorted(group))
            for group in (sent, known, sent - known, known - sent)
        ]
        raise invalid(
            f"input size does not match signature: {len(sent)}!="
            f"{len(known)} len({{{names[0]}}}) != len({{{names[1]}}}). "
            f"Sent extra: {{{names[2]}}}. "
            f"Missing but required: {{{names[3]}}}."
        )
    for place, key in enumerate(sorted(known)):
        wanted = dtype_name(signature.inputs[key].dtype)
        found = dtype_of(inputs[key])
        if found != wanted:
            raise invalid(
                f"Expects arg[{place}] to be {wanted} but {found} is provided"
            )


def _require_files(path: Path) -> None:
    """Refuses what would block whoever opens it, such as a pipe."""
    for each in path.rglob("*"):
        if not (each.is_dir() or each.is_file()):
            raise Failure("UNKNOWN", f"{each}: must be a file or a folder")


def quiet_load(tf: Any, session: Any, path: Path) -> Any:
    """Loads without the warning that TensorFlow 1's loader is old.

    Args:
        tf: TensorFlow.
        session: of TensorFlow 1, whose graph is the default one.
        path: the folder that holds `saved_model.pb`.

    Returns:
        The `MetaGraphDef`, with the signatures.
    """
    log = tf.get_logger()
    level = log.level
    log.setLevel("ERROR")
    try:
        return tf.compat.v1.saved_model.load(session, ["serve"], str(path))
    finally:
        log.setLevel(level)


def read_warm_up(file: Path) -> Iterator[tuple[str, dict[str, Array]]]:
    """Yields (signature, inputs) of each recorded predict request."""
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        request = log.predict_log.request
        yield (
            request.model_spec.signature_name,
            {
                key: tf.make_ndarray(tensor)
                for key, tensor in request.inputs.items()
            },
        )


def error_name(code: int) -> str:
    """Returns the name of a status code, such as "INVALID_ARGUMENT"."""
    import grpc

    return next(
        status.name for status in grpc.StatusCode if status.value[0] == code
    )
