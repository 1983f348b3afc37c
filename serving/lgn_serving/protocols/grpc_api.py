"""TensorFlow Serving's gRPC services: prediction, metadata and status."""

import logging
import math
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np

from lgn_serving.arrays import Array, dtype_of
from lgn_serving.failure import Failure, invalid
from lgn_serving.limits import Limits
from lgn_serving.models.signatures import DEFAULT
from lgn_serving.prediction import Predictor
from lgn_serving.protocols import metadata

_log = logging.getLogger(__name__)

_STRING = 24
"""Bytes that TensorFlow needs for a string besides its contents."""

_FIELDS = {
    "float32": "float_val",
    "float64": "double_val",
    "int64": "int64_val",
    "uint32": "uint32_val",
    "uint64": "uint64_val",
    "bool": "bool_val",
    "string": "string_val",
}


def make_server(
    predictor: Predictor, limits: Limits, address: str
) -> tuple[grpc.Server, int]:
    """Returns a server that has its port and is not started, and the port.

    Args:
        predictor: answers the requests.
        limits: bounds them.
        address: "host:port"; port 0 takes a free one.

    Raises:
        OSError: where the address cannot be bound.
    """
    from tensorflow_serving.apis import (
        model_service_pb2_grpc,
        prediction_service_pb2_grpc,
    )

    server = grpc.server(
        ThreadPoolExecutor(limits.in_flight, thread_name_prefix="grpc"),
        maximum_concurrent_rpcs=limits.in_flight,
        options=(
            ("grpc.max_receive_message_length", limits.body_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
        ),
    )
    services = GrpcApi(predictor, limits)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        services, server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(services, server)
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(f"{address}: cannot be bound: {error}") from error
    if not port:
        raise OSError(f"{address}: cannot be bound")
    return server, port


class GrpcApi:
    """The methods of PredictionService and ModelService.

    Args:
        predictor: answers the requests.
        limits: bounds the memory of their tensors.
    """

    def __init__(self, predictor: Predictor, limits: Limits) -> None:
        """Stores both."""
        self._predictor = predictor
        self._limits = limits

    def Predict(self, request: Any, context: Any) -> Any:
        """Runs a signature."""
        from tensorflow_serving.apis import predict_pb2

        spec = request.model_spec
        with self._call(spec.name, "predict", context):
            with self._borrow(spec) as (version, servable):
                inputs = _read(request.inputs, self._limits.body_bytes)
                outputs = self._predictor.run(
                    spec.name,
                    servable,
                    spec.signature_name,
                    inputs,
                    tuple(request.output_filter),
                )
            response = predict_pb2.PredictResponse()
            response.model_spec.name = spec.name
            response.model_spec.version.value = version
            response.model_spec.signature_name = spec.signature_name or DEFAULT
            for name, array in outputs.items():
                _write(response.outputs[name], array)
            return response

    def GetModelMetadata(self, request: Any, context: Any) -> Any:
        """Returns the signatures."""
        spec = request.model_spec
        with self._call(spec.name, "", context):
            for field in request.metadata_field:
                if field != "signature_def":
                    raise invalid(f"Metadata field {field} is not supported")
            if not request.metadata_field:
                raise invalid(
                    "GetModelMetadataRequest must specify at least one "
                    "metadata_field"
                )
            with self._borrow(spec) as (version, servable):
                return metadata.metadata_response(spec.name, version, servable)

    def GetModelStatus(self, request: Any, context: Any) -> Any:
        """Returns the versions."""
        spec = request.model_spec
        with self._call(spec.name, "", context):
            return metadata.status_response(
                self._predictor.catalogue.status(spec.name, *_which(spec))
            )

    def Classify(self, request: Any, context: Any) -> Any:
        """Refuses: the embedded server does not classify."""
        self._refuse(request, context)

    def Regress(self, request: Any, context: Any) -> Any:
        """Refuses: the embedded server does not regress."""
        self._refuse(request, context)

    def MultiInference(self, request: Any, context: Any) -> Any:
        """Refuses: see `Classify`."""
        self._refuse(request, context)

    def HandleReloadConfigRequest(self, request: Any, context: Any) -> Any:
        """Refuses: a change of `models.config` is noticed without a request."""
        self._refuse(request, context)

    def _refuse(self, request: Any, context: Any) -> None:
        del request
        context.abort(
            grpc.StatusCode.UNIMPLEMENTED,
            "The embedded server answers Predict, GetModelMetadata and "
            "GetModelStatus",
        )

    def _borrow(self, spec: Any) -> Any:
        return self._predictor.catalogue.borrow(spec.name, *_which(spec))

    @contextmanager
    def _call(self, name: str, api: str, context: Any) -> Iterator[None]:
        try:
            with self._predictor.counted(name, api, "GRPC"):
                yield
        except Failure as failure:
            code = getattr(grpc.StatusCode, failure.code)
            context.abort(code, failure.message)
        except Exception:
            _log.exception("gRPC %s", api or "model")
            context.abort(grpc.StatusCode.INTERNAL, "The server failed")


def _which(spec: Any) -> tuple[int | None, str | None]:
    choice = spec.WhichOneof("version_choice")
    return (
        spec.version.value if choice == "version" else None,
        spec.version_label if choice == "version_label" else None,
    )


def _read(tensors: Mapping[str, Any], most: int) -> dict[str, Array]:
    """Returns the arrays of a request, which may take `most` bytes together.

    A tensor may list fewer values than its shape needs; the last value is then
    repeated. So a message of few bytes can need any amount of memory.
    """
    import tensorflow as tf

    arrays = {}
    for name, tensor in tensors.items():
        try:
            most -= _size(tensor)
            if most < 0:
                raise Failure(
                    "RESOURCE_EXHAUSTED",
                    f"The tensors of a request take too many bytes: {name}",
                )
            arrays[name] = tf.make_ndarray(tensor)
        except Failure:
            raise
        except (TypeError, ValueError, OverflowError, MemoryError) as error:
            raise invalid(f"tensor parsing error: {name}: {error}") from error
    return arrays


def _size(tensor: Any) -> int:
    """Returns the bytes that a tensor takes in memory."""
    import tensorflow as tf

    sizes = [dim.size for dim in tensor.tensor_shape.dim]
    if min(sizes, default=0) < 0:
        raise ValueError(f"no dimension may be negative. Received: {sizes}")
    count = math.prod(sizes)
    kind = tf.dtypes.as_dtype(tensor.dtype)
    if kind != tf.string:
        return count * int(kind.size)
    listed = tensor.string_val
    missing = max(0, count - len(listed))
    repeated = missing * len(listed[-1]) if listed else 0
    return sum(map(len, listed)) + repeated + _STRING * (len(listed) + missing)


def _write(tensor: Any, array: Array) -> None:
    """Fills a TensorProto with single values, not with raw bytes.

    This is the default of TensorFlow Serving.
    """
    import tensorflow as tf

    kind = dtype_of(array)
    tensor.dtype = tf.dtypes.as_dtype(kind).as_datatype_enum
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    field = _FIELDS.get(kind, "int_val")
    getattr(tensor, field).extend(np.ravel(array).tolist())
