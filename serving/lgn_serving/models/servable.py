"""One version of a SavedModel, loaded as TensorFlow Serving loads it.

Like TensorFlow Serving, it runs the graph in a TensorFlow 1 session: with the
same kernels, with the graph's own checks of shapes alone, and with the same
texts of errors.
"""

import re
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lgn_serving.arrays import Array, dtype_name, dtype_of
from lgn_serving.failure import Failure, invalid

DEFAULT = "serving_default"
"""The signature of a request that names none."""

_THREADS = 32
_WARM_UP = Path("assets.extra/tf_serving_warmup_requests")
# The Python binding adds these to the message of the runtime.
_ADDED = re.compile(r"\n+(Original stack trace|Detected at node|Errors may)")


class Servable:
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

        self._tf = tf
        self._lock = threading.Lock()
        self._calls: dict[tuple[str, ...], Any] = {}
        graph = tf.Graph()
        # An operation that takes long, such as decoding a large picture, keeps
        # its thread. With as few threads as processors, it would delay every
        # other request; with more, the system shares the processors.
        config = tf.compat.v1.ConfigProto(inter_op_parallelism_threads=_THREADS)
        self._session = tf.compat.v1.Session(graph=graph, config=config)
        try:
            with graph.as_default():
                loaded = _quiet_load(tf, self._session, path)
            self.signatures: Mapping[str, Any] = dict(loaded.signature_def)
            self._warm_up(path)
        # A broken file makes TensorFlow or protocol buffers raise anything.
        except Exception as error:
            self.close()
            if isinstance(error, Failure):
                raise
            raise Failure("UNKNOWN", f"{path}: {error}") from error

    def signature(self, name: str) -> Any:
        """Returns a signature definition; an empty name means the default.

        Raises:
            Failure: where there is none of that name.
        """
        name = name or DEFAULT
        if name not in self.signatures:
            raise invalid(
                f'Serving signature name: "{name}" not found in signature def'
            )
        return self.signatures[name]

    def input_dtypes(self, name: str) -> dict[str, str]:
        """Returns the type of each input of a signature, by name."""
        return {
            key: dtype_name(info.dtype)
            for key, info in self.signature(name).inputs.items()
        }

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
            deadline: `time.monotonic()` after which it is not started.

        Returns:
            The outputs, by name.

        Raises:
            Failure: where the inputs do not fit or the graph refuses them.
        """
        signature = self.signature(name)
        self._check_inputs(signature, inputs)
        wanted = only or tuple(sorted(signature.outputs))
        for output in wanted:
            if output not in signature.outputs:
                known = ",".join(sorted(signature.outputs))
                raise invalid(
                    f"output tensor alias not found in signature: {output} "
                    f"Outputs expected to be in the set {{{known}}}."
                )
        order = sorted(signature.inputs)
        call = self._callable(name or DEFAULT, order, wanted)
        if deadline is not None and time.monotonic() >= deadline:
            raise Failure(
                "DEADLINE_EXCEEDED", "The request was not answered in its time"
            )
        try:
            values = call(*(inputs[key] for key in order))
        except self._tf.errors.OpError as error:
            code = error_name(error.error_code)
            raise Failure(code, _ADDED.split(error.message)[0]) from error
        return dict(zip(wanted, map(np.asarray, values), strict=True))

    def _check_inputs(self, signature: Any, inputs: Mapping[str, Any]) -> None:
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
                    f"Expects arg[{place}] to be {wanted} but {found} is "
                    "provided"
                )

    def _callable(
        self, name: str, order: list[str], wanted: tuple[str, ...]
    ) -> Any:
        from tensorflow.core.protobuf.config_pb2 import CallableOptions

        key = (name, *wanted)
        with self._lock:
            if key not in self._calls:
                signature = self.signatures[name]
                # `Session.run` would check shapes in Python, with other texts;
                # a callable does not.
                self._calls[key] = self._session._make_callable_from_options(
                    CallableOptions(
                        feed=[signature.inputs[each].name for each in order],
                        fetch=[signature.outputs[each].name for each in wanted],
                    )
                )
            return self._calls[key]

    def _warm_up(self, path: Path) -> None:
        file = path / _WARM_UP
        if not file.is_file():
            return
        for name, inputs in read_warm_up(file):
            self.run(name, inputs)

    def close(self) -> None:
        """Frees the session; nothing can run afterwards."""
        self._calls.clear()
        self._session.close()


def _quiet_load(tf: Any, session: Any, path: Path) -> Any:
    """Loads without the warning that TensorFlow 1's loader is old."""
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
