"""Predict requests over REST."""

import asyncio
import base64
import json
import ssl
import threading
import urllib.parse
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
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
        where = httpx.URL(address)
        # Without the password that an address may hold.
        super().__init__(f"{where.scheme}://{where.netloc.decode()}", target)
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
                # A small answer may expand to one of any size.
                "accept-encoding": "identity",
                **dict(target.authorization()),
            },
            verify=ssl.create_default_context(cafile=target.ca_file),
            timeout=None,
            trust_env=use_proxy,
            # The token is for the named server, not for one that it names.
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
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
                answer, body = self._post(text.encode(), seconds)
            except TimeoutError:
                raise ServingError(
                    "DEADLINE_EXCEEDED", "no answer in time"
                ) from None
            except httpx.TransportError as error:
                raise Again(ServingError("UNAVAILABLE", str(error))) from error
            except (httpx.InvalidURL, ValueError) as error:
                # Of a redirect: httpx reads its address, followed or not.
                raise self.unusable(error) from None
            if answer.status_code == 200:
                try:
                    return _outputs(body, signature)
                except ValueError as error:
                    raise self.unusable(error) from None
            failure = ServingError(
                answer.status_code, _error_text(answer, body)
            )
            if answer.status_code in _AGAIN:
                pause = retries.seconds_of(answer.headers.get("retry-after"))
                raise Again(failure, pause)
            raise failure

        return self._retried(send)

    def _post(
        self, body: bytes, seconds: float
    ) -> tuple[httpx.Response, bytes]:
        """Returns the answer, and its body."""

        async def post() -> tuple[httpx.Response, bytes]:
            async with (
                asyncio.timeout(seconds),
                self._http.stream("POST", self._path, content=body) as answer,
            ):
                return answer, await self._read(answer)

        return asyncio.run_coroutine_threadsafe(post(), self._loop).result()

    async def _read(self, answer: httpx.Response) -> bytes:
        encoding = answer.headers.get("content-encoding", "")
        if encoding.lower() not in ("", "identity"):
            raise self.unusable(f"encoded unasked as {encoding}")
        found = bytearray()
        async for part in answer.aiter_raw():
            found += part
            if len(found) > self._target.answer_bytes:
                raise self._too_large()
        return bytes(found)

    def close(self) -> None:
        """Closes the connection."""
        if self._loop.is_closed():
            return
        for ending in (self._http.aclose(), self._loop.shutdown_asyncgens()):
            asyncio.run_coroutine_threadsafe(ending, self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _to_json(array: NDArray[Any]) -> Any:
    if array.dtype != object:
        return array.tolist()
    files = [{"b64": base64.b64encode(each).decode()} for each in array.ravel()]
    return np.array(files, object).reshape(array.shape).tolist()


def _document(text: bytes) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("JSON of too many levels") from None


def _outputs(text: bytes, signature: str) -> Arrays:
    """Returns the outputs of an answer, by name.

    Raises:
        ValueError: where it is no such answer.
    """
    document = _document(text)
    if not isinstance(document, Mapping) or "outputs" not in document:
        raise ValueError("no outputs")
    outputs = document["outputs"]
    if not isinstance(outputs, Mapping):
        # A single output comes without its name.
        outputs = {signature: outputs}
    found = {}
    for name, values in outputs.items():
        try:
            found[name] = _from_json(values)
        except (ValueError, OverflowError) as error:
            raise ValueError(f"`{name}`: {error}") from None
    return found


def _from_json(values: Any) -> NDArray[Any]:
    # Not at once in its type: NumPy would mix types, and give each text the
    # room of the longest.
    array = np.array(values, object)
    kinds = set(map(type, array.flat))
    if kinds == {bool}:
        return array.astype(bool)
    if kinds == {int}:
        return array.astype(np.int64)
    if kinds <= {int, float}:
        return array.astype(np.float64)
    if kinds == {dict}:
        files = [_file(each) for each in array.flat]
    elif kinds == {str}:
        files = [each.encode() for each in array.flat]
    else:
        names = ", ".join(sorted(each.__name__ for each in kinds))
        raise ValueError(f"no array of one type, but of {names}")
    return np.array(files, object).reshape(array.shape)


def _file(value: Mapping[str, Any]) -> bytes:
    contents = value.get("b64")
    if not isinstance(contents, str):
        raise ValueError("no file in base64")
    return base64.b64decode(contents, validate=True)


def _error_text(answer: httpx.Response, body: bytes) -> str:
    if answer.has_redirect_location:
        return (
            "the server sends the client to another address, which is not "
            f"followed: {answer.headers['location'][:200]}"
        )
    try:
        return str(_document(body)["error"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip()[:200]
