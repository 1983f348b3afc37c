"""Valid requests in both protocols, and the comparison of their answers."""

import base64
import dataclasses
import http.client
import json
import pickle
from pathlib import Path
from typing import Any

import cv2
import grpc
import numpy as np
from numpy.typing import NDArray

from lgn_client import predict_pb2, wire
from tests.soak.serving.processes import MODEL

WINDOW = 3
"""Frames: two that go in, and the one that is scored."""

SIDE = 32


@dataclasses.dataclass(frozen=True)
class Valid:
    """One request.

    Attributes:
        signature: of the endpoint.
        rest: the JSON body.
        grpc: the message.
    """

    signature: str
    rest: bytes
    grpc: bytes


def picture(numbers: np.random.Generator, kind: str, side: int = SIDE) -> bytes:
    """Returns a drawn picture as a file, `.png` or `.jpg`."""
    small = numbers.integers(0, 256, (4, 4, 3), dtype=np.uint8)
    large = cv2.resize(small, (side, side), interpolation=cv2.INTER_NEAREST)
    return bytes(cv2.imencode(kind, large)[1].tobytes())


def inputs(
    numbers: np.random.Generator,
) -> dict[str, dict[str, NDArray[Any]]]:
    """Returns drawn inputs of some endpoints."""
    frames = numbers.integers(
        0, 256, (1, WINDOW, SIDE, SIDE, 3), dtype=np.uint8
    )
    files = [picture(numbers, kind) for kind in (".png", ".jpg") * 3]
    return {
        "serving_default": {"frames": frames},
        "score_encoded": {"encoded_frames": _strings([files[:WINDOW]])},
        "predict_encoded": {"encoded_frames": _strings([files[2:5]])},
        "score_video_encoded": {"encoded_frames": _strings([files])},
        "score_video": {"frames": np.repeat(frames, 2, axis=1)},
    }


def _strings(rows: list[list[bytes]]) -> NDArray[Any]:
    found = np.empty((len(rows), len(rows[0])), object)
    found[:] = rows
    return found


def valid(seed: int) -> list[Valid]:
    """Returns one request for each endpoint."""
    found = inputs(np.random.default_rng(seed))
    return [
        Valid(
            signature,
            json_body(signature, arrays),
            wire.request(MODEL, signature, arrays),
        )
        for signature, arrays in found.items()
    ]


def json_body(signature: str, arrays: dict[str, NDArray[Any]]) -> bytes:
    """Returns the body of a REST request."""
    document = {
        "signature_name": signature,
        "inputs": {name: _plain(array) for name, array in arrays.items()},
    }
    return json.dumps(document).encode()


def _plain(array: NDArray[Any]) -> Any:
    if array.dtype != object:
        return array.tolist()
    return [
        [{"b64": base64.b64encode(file).decode()} for file in row]
        for row in array
    ]


def head(body: bytes, path: str = f"/v1/models/{MODEL}:predict") -> bytes:
    """Returns the head of a REST request."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()


Answer = tuple[int, str]
"""The version, 0 over REST, and a digest-like text of all outputs."""


def rest_answer(connection: http.client.HTTPConnection, one: Valid) -> str:
    """Asks over REST; returns the answer as text.

    Raises:
        OSError: where there is no whole answer.
        Refused: for another status than 200.
    """
    connection.request("POST", f"/v1/models/{MODEL}:predict", one.rest)
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise Refused(str(response.status), body[:200].decode(errors="replace"))
    return body.decode()


def grpc_answer(call: Any, one: Valid, seconds: float) -> tuple[int, str]:
    """Asks over gRPC; returns the version and the outputs as text.

    Raises:
        Refused: for another status than OK.
    """
    try:
        contents = call(one.grpc, timeout=seconds)
    except grpc.RpcError as error:
        raise Refused(error.code().name, str(error.details())[:200]) from None
    message = predict_pb2.PredictResponse.FromString(contents)
    outputs = wire.response(contents)
    text = repr(
        [
            (
                name,
                str(outputs[name].dtype),
                outputs[name].shape,
                _bytes(outputs[name]),
            )
            for name in sorted(outputs)
        ]
    )
    return message.model_spec.version.value, text


def _bytes(array: NDArray[Any]) -> Any:
    # Of objects, `tobytes` would give addresses.
    return array.tolist() if array.dtype == object else array.tobytes()


class Refused(Exception):
    """The server refused a request.

    Args:
        code: HTTP's status or the name of gRPC's.
        words: of the answer.
    """

    def __init__(self, code: str, words: str) -> None:
        """Takes both."""
        super().__init__(f"{code}: {words}")
        self.code = code


@dataclasses.dataclass
class Expected:
    """Requests and what they are answered with.

    Attributes:
        requests: in order.
        rest: for each request, all bodies that are right.
        grpc: for each request, the right outputs by version; those of version
            n are those of n modulo 2 where two models take turns.
    """

    requests: list[Valid]
    rest: list[set[str]]
    grpc: list[dict[int, str]]

    def save(self, path: Path) -> None:
        """Writes it for another process."""
        path.write_bytes(pickle.dumps(self))


def load(path: Path) -> Expected:
    """Reads what `Expected.save` wrote."""
    found: Expected = pickle.loads(path.read_bytes())
    return found


def learn(
    rest: str, address: str, requests: list[Valid], known: Expected | None
) -> Expected:
    """Asks a quiet server, and adds its answers to what is known."""
    found = known or Expected(
        requests, [set() for _ in requests], [{} for _ in requests]
    )
    connection = http.client.HTTPConnection(rest, timeout=120)
    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary(wire.METHOD)
        for place, one in enumerate(requests):
            found.rest[place].add(rest_answer(connection, one))
            version, text = grpc_answer(call, one, 120)
            found.grpc[place][version % 2] = text
    connection.close()
    return found
