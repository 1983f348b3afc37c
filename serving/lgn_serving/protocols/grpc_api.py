"""TensorFlow Serving's gRPC services: prediction, metadata and status."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import grpc

from lgn_serving.failure import Failure, invalid, shortened
from lgn_serving.gate import Call
from lgn_serving.models.signatures import DEFAULT
from lgn_serving.prediction import Predictor
from lgn_serving.protocols import grpc_messages, grpc_tensors, metadata
from lgn_serving.protocols.departures import Departures
from lgn_serving.protocols.grpc_arrivals import Arrivals
from lgn_serving.protocols.grpc_sockets import hang_up
from lgn_serving.workers import Workers

_log = logging.getLogger(__name__)

_MOST_TEXT = 4096
"""Bytes of an error's text, which travels in headers; those may have 8192."""

_COPIES = 2
"""Copies of an answer that are held while it is sent."""

_NAMES = 256
"""Outputs that a request may name, and fields of the metadata."""


class GrpcApi:
    """The methods of PredictionService and ModelService.

    Args:
        predictor: answers the requests.
        workers: the threads in which they are answered.
        port: where the clients connect.
    """

    def __init__(
        self, predictor: Predictor, workers: Workers, port: int
    ) -> None:
        """Stores the arguments."""
        self._predictor = predictor
        self._gate = predictor.gate
        self._workers = workers
        self._port = port
        self._arrivals = Arrivals(self._gate.limits)
        self._departures = Departures(self._gate.limits.answer_bytes)

    def handlers(self) -> tuple[Any, ...]:
        """Returns the handlers of both services for a server of `grpc.aio`.

        Each takes a stream of requests: so the wait for the only one that a
        client sends can have an end. The bytes on the wire are the same.
        """
        from tensorflow_serving.apis import (
            get_model_metadata_pb2,
            get_model_status_pb2,
            predict_pb2,
        )

        answers: dict[str, dict[str, Any]] = {
            "tensorflow.serving.PredictionService": {
                "Predict": self._answers(
                    predict_pb2.PredictRequest, self._predict, "predict"
                ),
                "GetModelMetadata": self._answers(
                    get_model_metadata_pb2.GetModelMetadataRequest,
                    self._metadata,
                ),
                "Classify": _refuse,
                "Regress": _refuse,
                "MultiInference": _refuse,
            },
            "tensorflow.serving.ModelService": {
                "GetModelStatus": self._answers(
                    get_model_status_pb2.GetModelStatusRequest, self._status
                ),
                # A change of `models.config` is noticed without a request.
                "HandleReloadConfigRequest": _refuse,
            },
        }
        return tuple(
            grpc.method_handlers_generic_handler(
                service,
                {
                    name: grpc.stream_unary_rpc_method_handler(method)
                    for name, method in methods.items()
                },
            )
            for service, methods in answers.items()
        )

    def _answers(
        self,
        kind: Any,
        method: Callable[[Any, Call], Any],
        api: str = "",
    ) -> Any:
        """Returns the handler of a method that takes requests of a kind."""

        def answer(message: bytes, call: Call) -> bytes:
            with self._gate.unpacked(grpc_messages.memory(message, kind)):
                try:
                    request = kind.FromString(message)
                except Exception as error:
                    raise grpc_messages.damaged() from error
                name = request.model_spec.name
                with self._predictor.counted(name, api, "GRPC"):
                    return bytes(method(request, call).SerializeToString())

        async def handle(stream: Any, context: Any) -> bytes:
            del stream
            try:
                message = await self._answer_in_time(answer, context)
                self._watch(context, len(message))
                return message
            except Failure as failure:
                self._predictor.refused(failure)
                code = getattr(grpc.StatusCode, failure.code)
                text = shortened(failure.message, _MOST_TEXT)
            except (asyncio.CancelledError, grpc.aio.AbortError):
                raise
            except Exception:
                _log.exception("gRPC %s", api or "model")
                code, text = grpc.StatusCode.INTERNAL, "The server failed"
            # Not where the error is caught: gRPC keeps what `abort` raises
            # until the garbage collector comes, and that would keep the error
            # and all of the request.
            self._watch(context, 0)
            await context.abort(code, text)
            raise AssertionError("`abort` returns nothing")

        return handle

    async def _answer_in_time(
        self, answer: Callable[[bytes, Call], bytes], context: Any
    ) -> bytes:
        message = await self._arrivals.message(context)
        seconds = self._gate.limits.request_seconds
        # None where the client sets no deadline.
        wanted = context.time_remaining()
        if wanted is not None:
            seconds = min(seconds, wanted)
        call = Call(time.monotonic() + seconds)
        with self._gate.body() as body:
            body.grow(len(message))
            return await self._workers.answer(call, answer, message, call)

    def _watch(self, context: Any, size: int) -> None:
        """Counts an answer until it is sent, and ends who does not read it.

        Raises:
            Failure: where too many bytes of answers wait for their clients.
        """
        peer = context.peer()

        def end() -> None:
            hang_up(peer, self._port)

        limits = self._gate.limits
        answer = self._departures.add(
            peer.rpartition(":")[0], _COPIES * size, end
        )
        timer = asyncio.get_running_loop().call_later(
            limits.rate_seconds + size / limits.least_rate, answer.end
        )

        def sent(_: Any) -> None:
            timer.cancel()
            answer.release()

        context.add_done_callback(sent)

    def _predict(self, request: Any, call: Call) -> Any:
        """Runs a signature."""
        from tensorflow_serving.apis import predict_pb2

        if len(request.output_filter) > _NAMES:
            raise invalid(f"A request must name at most {_NAMES} outputs")
        spec = request.model_spec
        with self._borrow(spec) as (version, servable):
            size = grpc_tensors.size(
                request.inputs, self._gate.limits.body_bytes
            )
            with self._gate.unpacked(size):
                outputs = self._predictor.run(
                    spec.name,
                    servable,
                    spec.signature_name,
                    grpc_tensors.read(request.inputs),
                    call,
                    tuple(request.output_filter),
                )
        response = predict_pb2.PredictResponse()
        response.model_spec.name = spec.name
        response.model_spec.version.value = version
        response.model_spec.signature_name = spec.signature_name or DEFAULT
        for name, array in outputs.items():
            grpc_tensors.write(response.outputs[name], array)
        return response

    def _metadata(self, request: Any, call: Call) -> Any:
        """Returns the signatures."""
        del call
        if len(request.metadata_field) > _NAMES:
            raise invalid(f"A request must name at most {_NAMES} fields")
        for field in request.metadata_field:
            if field != "signature_def":
                raise invalid(f"Metadata field {field} is not supported")
        if not request.metadata_field:
            raise invalid(
                "GetModelMetadataRequest must specify at least one "
                "metadata_field"
            )
        spec = request.model_spec
        with self._borrow(spec) as (version, servable):
            return metadata.metadata_response(spec.name, version, servable)

    def _status(self, request: Any, call: Call) -> Any:
        """Returns the versions."""
        del call
        spec = request.model_spec
        return metadata.status_response(
            self._predictor.catalogue.status(spec.name, *_which(spec))
        )

    def _borrow(self, spec: Any) -> Any:
        return self._predictor.catalogue.borrow(spec.name, *_which(spec))


async def _refuse(stream: Any, context: Any) -> None:
    """Refuses to classify, regress and so on, whatever the request."""
    del stream
    await context.abort(
        grpc.StatusCode.UNIMPLEMENTED,
        "The embedded server answers Predict, GetModelMetadata and "
        "GetModelStatus",
    )


def _which(spec: Any) -> tuple[int | None, str | None]:
    choice = spec.WhichOneof("version_choice")
    return (
        spec.version.value if choice == "version" else None,
        spec.version_label if choice == "version_label" else None,
    )
