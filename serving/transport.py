"""Sends predict requests over REST or gRPC, and tries again where it may help.

target = transport.Target("lgn_net")
with transport.connect("http://127.0.0.1:8501", target) as server:
    outputs = server.predict("score_encoded", {"encoded_frames": files})
"""

import base64
import dataclasses
import ssl
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import grpc
import httpx
import numpy as np
import tenacity
from numpy.typing import NDArray

from serving import wire

Arrays = dict[str, NDArray[Any]]

_HTTP_AGAIN = (429, 502, 503)
_GRPC_AGAIN = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)
# The default of 4 MB is less than a request of raw frames.
_ANY_SIZE = 2**31 - 1


class ServingError(OSError):
    """The server refused a request, or could not be reached in time.

    Attributes:
        code: HTTP's number or gRPC's name.
        message: what the server said.
    """

    def __init__(self, code: Any, message: str) -> None:
        """Stores both."""
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class _Again(Exception):
    """A failure that may be over at the next try."""

    def __init__(self, error: ServingError) -> None:
        self.error = error


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
        ValueError: for an address of another kind, or a version and a label.
    """
    if target.version is not None and target.label is not None:
        raise ValueError("only one of `version` and `label` may be given")
    kind, separator, place = address.partition("://")
    if separator and kind in ("http", "https"):
        return RestServer(address, target)
    if separator and kind in ("grpc", "grpcs"):
        return GrpcServer(kind, place, target)
    raise ValueError(
        "an address must start with http://, https://, grpc:// or grpcs://. "
        f"Received: {address}"
    )


class _Server:
    """Retries, and the parts that both protocols share."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def _retried(self, send: Callable[[float], Arrays]) -> Arrays:
        """Calls `send(seconds that are left)` until it does not ask again."""
        end = time.monotonic() + self._target.timeout
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_Again),
            wait=tenacity.wait_random_exponential(0.1, max=5),
            stop=tenacity.stop_after_attempt(self._target.tries)
            | tenacity.stop_before_delay(self._target.timeout),
            reraise=True,
        )
        try:
            return retrying(lambda: send(max(end - time.monotonic(), 1e-3)))
        except _Again as again:
            raise again.error from None

    def close(self) -> None:
        raise NotImplementedError

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
    """REST, with bytes as base64 and whole columns a request."""

    def __init__(self, address: str, target: Target) -> None:
        """Connects when the first request is sent; see `connect`."""
        super().__init__(target)
        place = f"/v1/models/{target.model}"
        if target.version is not None:
            place += f"/versions/{target.version}"
        if target.label is not None:
            place += f"/labels/{target.label}"
        self._path = f"{place}:predict"
        self._http = httpx.Client(
            base_url=address,
            headers=dict(_authorization(target)),
            verify=ssl.create_default_context(cafile=target.ca_file),
        )

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
        body = {
            "signature_name": signature,
            "inputs": {name: _to_json(a) for name, a in inputs.items()},
        }

        def send(seconds: float) -> Arrays:
            try:
                answer = self._http.post(self._path, json=body, timeout=seconds)
            except httpx.TimeoutException as error:
                raise ServingError("DEADLINE_EXCEEDED", str(error)) from error
            except httpx.TransportError as error:
                raise _Again(ServingError("UNAVAILABLE", str(error))) from error
            if answer.status_code == 200:
                return _from_json(answer.json()["outputs"], signature)
            failure = ServingError(answer.status_code, _error_text(answer))
            if answer.status_code in _HTTP_AGAIN:
                raise _Again(failure)
            raise failure

        return self._retried(send)

    def close(self) -> None:
        """Closes the connection."""
        self._http.close()


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
                    raise _Again(failure) from error
                raise failure from error
            return wire.response(answer)

        return self._retried(send)

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()
