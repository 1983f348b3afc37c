"""Predict requests over REST."""

import asyncio
import base64
import json
import ssl
import threading
import urllib.parse
from collections.abc import Mapping
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from lgn_client import retries
from lgn_client.retries import Again, ServingError
from lgn_client.server import Arrays, Server, Target

_AGAIN = (429, 502, 503)


class RestServer(Server):
    """A server over REST: bytes travel as base64, and tensors as a whole.

    Requests run in an event loop on a thread of its own. The deadline of that
    loop covers everything from the look-up of a name to the last byte; the
    timeout of a socket would begin anew with each byte.

    Args:
        address: "http://host:port" or "https://host:port".
        target: the model.
        use_proxy: whether the environment's `HTTP_PROXY` is used.
    """

    def __init__(
        self, address: str, target: Target, *, use_proxy: bool = True
    ) -> None:
        """Starts the thread; connects when the first request is sent."""
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
                **dict(target.authorization()),
            },
            verify=ssl.create_default_context(cafile=target.ca_file),
            timeout=None,
            trust_env=use_proxy,
            # The token is for the named server, not for one that it names.
            follow_redirects=False,
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, daemon=True
        )
        self._thread.start()

    def predict(self, signature: str, inputs: Arrays) -> Arrays:
        """Asks an endpoint; see `Server.predict`."""
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
            if answer.status_code in _AGAIN:
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


def _to_json(array: NDArray[Any]) -> Any:
    if array.dtype != object:
        return array.tolist()
    files = [{"b64": base64.b64encode(each).decode()} for each in array.ravel()]
    return np.array(files, object).reshape(array.shape).tolist()


def _from_json(outputs: Any, signature: str) -> Arrays:
    if not isinstance(outputs, Mapping):
        # A single output comes without its name.
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
    if answer.has_redirect_location:
        return (
            "the server sends the client to another address, which is not "
            f"followed: {answer.headers['location'][:200]}"
        )
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return answer.text.strip()[:200]
