"""TensorFlow Serving's REST API as an ASGI application."""

import asyncio
import json
import logging
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import Response

from lgn_serving.failure import Failure, invalid, shortened
from lgn_serving.gate import Call
from lgn_serving.metrics import CONTENT_TYPE
from lgn_serving.prediction import Predictor
from lgn_serving.protocols import json_answers, json_requests, metadata
from lgn_serving.protocols.departures import Departures
from lgn_serving.protocols.rest_body import read_body, refuse_announced
from lgn_serving.workers import Workers

_log = logging.getLogger(__name__)

METRICS_PATH = "/monitoring/prometheus/metrics"
_WHICH = r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_PREDICT = re.compile(
    rf"(?ai)/v1/models/(?P<name>[^/:]+){_WHICH}"
    r":(?P<method>classify|regress|predict)"
)
_STATUS = re.compile(
    rf"(?ai)/v1/models(?:/(?P<name>[^/:]+))?{_WHICH}(?P<metadata>/metadata)?"
)
_MOST_TEXT = 2**14
"""Bytes of an error's text: a name in it may be as long as a request."""
_NOT_FOUND = """<HTML><HEAD>
<TITLE>404 Not Found</TITLE>
</HEAD><BODY>
<H1>Not Found</H1>
</BODY></HTML>
"""


class RestApi:
    """An ASGI application.

    Args:
        predictor: answers the requests.
        workers: the threads in which they are answered.
    """

    def __init__(self, predictor: Predictor, workers: Workers) -> None:
        """Creates a thread for the page of the metrics."""
        self._predictor = predictor
        self._gate = predictor.gate
        self._workers = workers
        self._departures = Departures(self._gate.limits.answer_bytes)
        # A thread of its own: an operator reads the page of a busy server.
        self._pages = ThreadPoolExecutor(1, thread_name_prefix="metrics")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answers one request."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        response = await self._respond(request)
        end = cast("asyncio.Task[None]", asyncio.current_task()).cancel
        try:
            await self._send(request, response, send, end)
        except Failure as failure:
            self._predictor.refused(failure)
            await self._send(request, _error(failure), send, end)
        except asyncio.CancelledError:
            # Uvicorn closes a connection whose answer has no end.
            return

    async def _send(
        self,
        request: Request,
        response: Response,
        send: Any,
        end: Callable[[], object],
    ) -> None:
        """Sends an answer in parts, as its client takes them.

        Raises:
            Failure: where too many bytes of answers wait for their clients.
            asyncio.CancelledError: where the answer has to make way.
        """
        body = bytes(response.body)
        limits = self._gate.limits
        part = max(2**16, int(limits.least_rate * limits.rate_seconds))
        host = request.client.host if request.client else ""
        answer = self._departures.add(host, len(body), end)
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": response.status_code,
                    "headers": response.raw_headers,
                }
            )
            for place in range(0, len(body) or 1, part):
                await send(
                    {
                        "type": "http.response.body",
                        "body": body[place : place + part],
                        "more_body": place + part < len(body),
                    }
                )
        finally:
            answer.release()

    async def _respond(self, request: Request) -> Response:
        path = request.scope["path"]
        if request.method == "GET" and path == METRICS_PATH:
            page = await asyncio.get_running_loop().run_in_executor(
                self._pages, self._predictor.metrics.text
            )
            return Response(page, headers={"content-type": CONTENT_TYPE})
        if not path.lower().startswith("/v1/"):
            return Response(_NOT_FOUND, 404, media_type="text/html")
        try:
            return _json(await self._answer_in_time(request), 200)
        except Failure as failure:
            return _error(failure)
        except asyncio.CancelledError:
            # The server is stopping, and the time to drain is over.
            return _error(Failure("UNAVAILABLE", "The server is ending"))
        except Exception:
            _log.exception("%s %s", request.method, path)
            return _error(Failure("INTERNAL", "The server failed"))

    async def _answer_in_time(self, request: Request) -> str:
        limits = self._gate.limits
        try:
            with self._gate.body() as arriving:
                refuse_announced(request, limits.body_bytes)
                body = await read_body(request, limits, arriving)
                call = Call(time.monotonic() + limits.request_seconds)
                return await self._workers.answer(
                    call,
                    *(self._answer, request.method, request.scope["path"]),
                    *(body, call),
                    gone=_disconnected(request),
                )
        except Failure as failure:
            self._predictor.refused(failure)
            raise

    def _answer(self, method: str, path: str, body: bytes, call: Call) -> str:
        found = _PREDICT.fullmatch(path) if method == "POST" else None
        api = found["method"].lower() if found else ""
        with self._predictor.counted("", api, "REST") as named:
            if found is None and method == "GET":
                found = _STATUS.fullmatch(path)
            if found is None:
                raise invalid(f"Malformed request: {method} {path}")
            if found["name"] is None:
                raise invalid("Missing model name in request.")
            named(found["name"])
            number = _number(found["version"])
            place = (found["name"], number, found["label"])
            if api == "predict":
                return self._predict(*place, body, call)
            if api:
                return self._refuse(api, *place, body)
            if found["metadata"]:
                with self._borrow(*place) as (version, servable):
                    return metadata.metadata_text(
                        found["name"], version, servable
                    )
            versions = self._predictor.catalogue.status(*place)
            return metadata.status_text(versions)

    def _borrow(self, name: str, number: int | None, label: str | None) -> Any:
        return self._predictor.catalogue.borrow(name, number, label)

    def _predict(
        self,
        name: str,
        number: int | None,
        label: str | None,
        body: bytes,
        call: Call,
    ) -> str:
        with self._gate.unpacked(json_requests.memory(body)):
            document = json_requests.parse(body)
            signature = json_requests.signature_name(document)
            with self._borrow(name, number, label) as (_, servable):
                inputs, rows = json_requests.read_inputs(
                    document, servable.input_dtypes(signature)
                )
                # Lists of numbers take many times the memory of an array.
                del document
                outputs = self._predictor.run(
                    name, servable, signature, inputs, call
                )
            return json_answers.dump(outputs, rows)

    def _refuse(
        self,
        api: str,
        name: str,
        number: int | None,
        label: str | None,
        body: bytes,
    ) -> str:
        """Refuses to classify or regress, with TensorFlow Serving's texts."""
        with self._gate.unpacked(json_requests.memory(body)):
            document = json_requests.parse(body)
        signature = json_requests.signature_name(document)
        if "examples" not in document:
            raise invalid(
                f"When method is {api}, key 'examples' is expected and was "
                "not found"
            )
        with self._borrow(name, number, label) as (_, servable):
            text = metadata.signature_text(servable.signature(signature))
        kind = "classification" if api == "classify" else "regression"
        raise invalid(f"No {kind} inputs found in SignatureDef: {text}")

    def close(self) -> None:
        """Ends the thread of the metrics."""
        self._pages.shutdown(wait=False, cancel_futures=True)


async def _disconnected(request: Request) -> None:
    """Returns when the client has closed its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _number(version: str | None) -> int | None:
    if version is None:
        return None
    # Python refuses to read thousands of digits.
    if len(version) > 19 or int(version) >= 2**63:
        raise invalid(f"Failed to convert version: {version} to numeric.")
    return int(version)


def _error(failure: Failure) -> Response:
    message = shortened(failure.message, _MOST_TEXT)
    text = json.dumps({"error": message}, indent=4, ensure_ascii=False)
    response = _json(f"{text}\n", failure.http_status)
    if failure.http_status in (429, 503):
        response.headers["retry-after"] = "1"
    if failure.http_status in (408, 413):
        # The rest of the body is not read.
        response.headers["connection"] = "close"
    return response


def _json(text: str, status: int) -> Response:
    return Response(
        text.encode(errors="replace"),
        status,
        headers={"content-type": "application/json"},
    )


async def _live(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
