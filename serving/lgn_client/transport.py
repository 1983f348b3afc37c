"""Sends predict requests over REST or gRPC, and tries again where it may help.

target = transport.Target("lgn_net")
with transport.connect("http://127.0.0.1:8501", target) as server:
    outputs = server.predict("score_encoded", {"encoded_frames": files})
"""

import abc
import asyncio
import base64
import dataclasses
import json
import ssl
import threading
import urllib.parse
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import grpc
import httpx
import numpy as np
from numpy.typing import NDArray

from lgn_client import retries, wire
from lgn_client.retries import Again, ServingError

Arrays = dict[str, NDArray[Any]]

_HTTP_AGAIN = (429, 502, 503)
_GRPC_AGAIN = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)
# The default of 4 MB is less than a request of raw frames.
_ANY_SIZE = 2**31 - 1


@dataclasses.dataclass(frozen=True)
class Target:
    """Whom to ask, and how patiently; see `connect`."""

    model: str
    version: int | None = None
    label: str | None = None
    token: str | None = None
    ca_file: Path | None = None
    timeout: float = 60.0
    tries: int = 6


class Server(Protocol):
    """What both protocols offer."""

    def predict(self, signature: str, inputs: Arrays) -> Arrays:
        """Asks an endpoint; see `connect` for its errors."""

    def __enter__(self) -> Self:
        """Returns itself."""

    def __exit__(self, *error: Any) -> None:
        """Closes the connection."""


def connect(address: str, target: Target) -> Server:
    """Returns a connection to a server.

    Args:
        address: "http://host:port" or "https://host:port" for REST,
            "grpc://host:port" or "grpcs://host:port" for gRPC.
        target: `model` is its name; `version` or `label` say which version,
            the newest where both are None; `token` is sent as a bearer token,
            for a proxy that asks for one; `ca_file` holds certificates to
            trust; `timeout` is of a request with all its tries, in seconds;
            `tries` is how often it is sent at most, with growing pauses.

    Raises:
        ValueError: for an address of another kind, without a host or with a
            port that is none, or for a version and a label.
        OSError: where `ca_file` cannot be read.
    """
    if target.version is not None and target.label is not None:
        raise ValueError("only one of `version` and `label` may be given")
    kind, separator, place = address.partition("://")
    if not separator or kind not in ("http", "https", "grpc", "grpcs"):
        raise ValueError(
            "an address must start with http://, https://, grpc:// or "
            f"grpcs://. Received: {address}"
        )
    _check_place(address)
    if kind in ("http", "https"):
        return RestServer(address, target)
    return GrpcServer(kind, place, target)


def _check_place(address: str) -> None:
    try:
        # Each of the two lets pass what the other refuses.
        httpx.URL(address)
        parts = urllib.parse.urlsplit(address)
        if parts.port == 0 or not parts.hostname:
            raise ValueError("no host, or port 0")
    except (httpx.InvalidURL, ValueError) as error:
        raise ValueError(
            "an address must have a host, and a port from 1 to 65535 or none: "
            f"{error}. Received: {address!r}"
        ) from None


class _Server(abc.ABC):
    """Retries, and the parts that both protocols share."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def _retried(self, send: Callable[[float], Arrays]) -> Arrays:
        return retries.retried(
            send, timeout=self._target.timeout, tries=self._target.tries
        )

    @abc.abstractmethod
    def close(self) -> None:
        """Lets go of the connection."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class RestServer(_Server):
    """REST, with bytes as base64 and whole columns a request.

    Requests run in an event loop on a thread of its own: a deadline of the
    loop holds for everything from the look-up of a name to the last byte,
    where a socket's own begins anew with each byte.
    """

    def __init__(self, address: str, target: Target) -> None:
        """Connects when the first request is sent; see `connect`."""
        super().__init__(target)
        place = f"/v1/models/{urllib.parse.quote(target.model, safe='')}"
        if target.version is not None:
            place += f"/versions/{target.version}"
        if target.label is not None:
            place += f"/labels/{urllib.parse.quote(target.label, safe='')}"
        self._path = f"{place}:predict"
        self._http = httpx.AsyncClient(
            base_url=address,
            headers={
                "content-type": "application/json",
                **dict(_authorization(target)),
            },
            verify=ssl.create_default_context(cafile=target.ca_file),
            timeout=None,
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, daemon=True
        )
        self._thread.start()

    def predict(self, signature: str, inputs: Arrays) -> Arrays:
        """Asks an endpoint.

        Args:
            signature: its name.
            inputs: arrays; of `bytes` objects where files are sent.

        Returns:
            The outputs, by name.

        Raises:
            ServingError: with the server's code and text.
        """
        document = {
            "signature_name": signature,
            "inputs": {name: _to_json(a) for name, a in inputs.items()},
        }
        text = json.dumps(document, separators=(",", ":"), allow_nan=False)

        def send(seconds: float) -> Arrays:
            try:
                answer = self._post(text.encode(), seconds)
            except TimeoutError:
                raise ServingError(
                    "DEADLINE_EXCEEDED", "no answer in time"
                ) from None
            except httpx.TransportError as error:
                raise Again(ServingError("UNAVAILABLE", str(error))) from error
            if answer.status_code == 200:
                return _from_json(answer.json()["outputs"], signature)
            failure = ServingError(answer.status_code, _error_text(answer))
            if answer.status_code in _HTTP_AGAIN:
                pause = retries.seconds_of(answer.headers.get("retry-after"))
                raise Again(failure, pause)
            raise failure

        return self._retried(send)

    def _post(self, body: bytes, seconds: float) -> httpx.Response:
        async def post() -> httpx.Response:
            async with asyncio.timeout(seconds):
                return await self._http.post(self._path, content=body)

        return asyncio.run_coroutine_threadsafe(post(), self._loop).result()

    def close(self) -> None:
        """Closes the connection."""
        if self._loop.is_closed():
            return
        closing = asyncio.run_coroutine_threadsafe(
            self._http.aclose(), self._loop
        )
        closing.result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _authorization(target: Target) -> tuple[tuple[str, str], ...]:
    if target.token is None:
        return ()
    return (("authorization", f"Bearer {target.token}"),)


def _to_json(array: NDArray[Any]) -> Any:
    if array.dtype != object:
        return array.tolist()
    files = [{"b64": base64.b64encode(each).decode()} for each in array.ravel()]
    return np.array(files, object).reshape(array.shape).tolist()


def _from_json(outputs: Any, signature: str) -> Arrays:
    if not isinstance(outputs, Mapping):
        # One output goes without its name.
        return {signature: np.array(outputs)}
    return {
        name: np.array(
            [base64.b64decode(each["b64"]) for each in values], object
        )
        if name.endswith("_bytes")
        else np.array(values)
        for name, values in outputs.items()
    }


def _error_text(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return answer.text.strip()[:200]


class GrpcServer(_Server):
    """gRPC, without TensorFlow's own stubs."""

    def __init__(self, kind: str, place: str, target: Target) -> None:
        """Connects when the first request is sent; see `connect`."""
        super().__init__(target)
        options = [
            ("grpc.max_receive_message_length", _ANY_SIZE),
            ("grpc.max_send_message_length", _ANY_SIZE),
        ]
        if kind == "grpcs":
            roots = target.ca_file and target.ca_file.read_bytes()
            trust = grpc.ssl_channel_credentials(roots)
            self._channel = grpc.secure_channel(place, trust, options)
        else:
            self._channel = grpc.insecure_channel(place, options)
        self._call = self._channel.unary_unary(wire.METHOD)

    def predict(self, signature: str, inputs: Arrays) -> Arrays:
        """Asks an endpoint; see `RestServer.predict`."""
        target = self._target
        body = wire.request(
            target.model,
            signature,
            inputs,
            version=target.version,
            label=target.label,
        )

        def send(seconds: float) -> Arrays:
            try:
                answer = self._call(
                    body,
                    timeout=seconds,
                    metadata=_authorization(target),
                )
            except grpc.RpcError as error:
                failure = ServingError(error.code().name, error.details())
                if error.code() in _GRPC_AGAIN:
                    raise Again(failure) from error
                raise failure from error
            return wire.response(answer)

        return self._retried(send)

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()
