"""Malformed REST requests, as the bytes that go over the wire."""

import base64
import dataclasses
import json
from collections.abc import Callable
from typing import Any

from tests.soak.serving import requests
from tests.soak.serving.bad_values import (
    Numbers,
    bad_name,
    bad_picture,
    mutated,
    one_of,
)
from tests.soak.serving.processes import MODEL


@dataclasses.dataclass(frozen=True)
class Attack:
    """What is sent over one connection.

    Attributes:
        kind: for the count.
        contents: the bytes.
        cut: whether more was announced: the connection is closed after it, and
            no answer is due.
    """

    kind: str
    contents: bytes
    cut: bool = False


def draw(numbers: Numbers, valid: list[requests.Valid]) -> Attack:
    """Returns one request."""
    maker = one_of(numbers, _KINDS)
    return maker(numbers, one_of(numbers, valid).rest)


def _posted(kind: str, body: bytes) -> Attack:
    return Attack(kind, requests.head(body) + body)


def _bytes(numbers: Numbers, body: bytes) -> Attack:
    return _posted("mutated body", mutated(numbers, body))


def _types(numbers: Numbers, body: bytes) -> Attack:
    """One value somewhere in the document is another."""
    document = json.loads(body)
    node: Any = document
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = one_of(numbers, keys)
        child = node[key]
        inner = isinstance(child, (dict, list)) and len(child) > 0
        if not inner or numbers.uniform() < 0.3:
            break
        node = child
    node[key] = one_of(numbers, _WRONG)
    return _posted("wrong type", json.dumps(document).encode())


_WRONG: list[Any] = [
    *(
        None,
        True,
        "",
        "text",
        -1,
        256,
        1.5,
        1e308,
        -1e308,
        2**63,
        2**64,
        10**40,
    ),
    *([], {}, [[]], [[], [1]], {"b64": 1}, {"b64": "%%%"}, {"b64": ""}),
    *({"b64": "AAAA", "more": 1}, [[[[[[[[1]]]]]]]], ["a", 1], float("inf")),
    *(float("nan"), [0] * 5000, "\ud800", "\x00"),
]


def _deep(numbers: Numbers, body: bytes) -> Attack:
    del body
    depth = int(numbers.integers(50, 60_000))
    opened, closed = one_of(
        numbers, [("[", "]"), ('{"a":', "}"), ('[{"b64":', "}]"), ("[[],", "]")]
    )
    inner = opened * depth
    if numbers.uniform() < 0.5:
        inner += "1" + closed * depth
    return _posted("deep JSON", f'{{"inputs": {inner}}}'.encode())


def _numbers(numbers: Numbers, body: bytes) -> Attack:
    del body
    digits = "9" * int(numbers.integers(20, 50_000))
    value = one_of(
        numbers,
        [digits, f"-{digits}", f"1e{digits[:9]}", f"0.{digits}", "1e999", "-0"],
    )
    frames = f"[[[[[{value}]]]]]"
    return _posted("huge number", f'{{"inputs": {frames}}}'.encode())


def _shapes(numbers: Numbers, body: bytes) -> Attack:
    """Frames of shapes that the model does not take, or ragged ones."""
    del body
    shape = [int(numbers.integers(0, 7)) for _ in range(numbers.integers(1, 8))]
    value: Any = int(numbers.integers(0, 256))
    for size in reversed(shape):
        value = [value] * size
        if value and numbers.uniform() < 0.2:
            value[-1] = []
    return _posted("shape", json.dumps({"instances": value}).encode())


def _pictures(numbers: Numbers, body: bytes) -> Attack:
    del body
    count = int(numbers.integers(1, 6))
    files = [bad_picture(numbers) for _ in range(count)]
    row = [{"b64": base64.b64encode(file).decode()} for file in files]
    name = one_of(numbers, ["score_encoded", "score_video_encoded"])
    document = {"signature_name": name, "inputs": {"encoded_frames": [row]}}
    return _posted("bad picture", json.dumps(document).encode())


def _names(numbers: Numbers, body: bytes) -> Attack:
    document = json.loads(body)
    name = bad_name(numbers)
    match int(numbers.integers(3)):
        case 0:
            document["signature_name"] = name
        case 1:
            document["inputs"] = {name: 1}
        case _:
            document[name] = document.pop("inputs")
    return _posted("bad name", json.dumps(document).encode())


def _cut(numbers: Numbers, body: bytes) -> Attack:
    whole = requests.head(body) + body
    return Attack(
        "cut", whole[: int(numbers.integers(1, len(whole)))], cut=True
    )


def _lengths(numbers: Numbers, body: bytes) -> Attack:
    value = one_of(
        numbers,
        [
            *("-1", "1e3", "0x10", "", " ", "99999999999999999999", "१२"),
            *(f"{len(body)}, {len(body)}", f"+{len(body)}", "67108865"),
            f"{len(body)}\r\nContent-Length: 3",
            f"{len(body)}\r\nTransfer-Encoding: chunked",
            f"{len(body)}\r\nTransfer-Encoding: gzip",
        ],
    )
    start = f"POST /v1/models/{MODEL}:predict HTTP/1.1\r\nHost: a\r\n"
    head = f"{start}Content-Length: {value}\r\n\r\n".encode()
    return Attack("wrong length", head + body, cut=True)


def _chunks(numbers: Numbers, body: bytes) -> Attack:
    size = one_of(
        numbers, ["5", "-5", "FFFFFFFFFFFFFFFF", "zz", "0", "5;" + "a" * 99]
    )
    start = f"POST /v1/models/{MODEL}:predict HTTP/1.1\r\nHost: a\r\n"
    head = f"{start}Transfer-Encoding: chunked\r\n\r\n{size}\r\n".encode()
    return Attack("chunks", head + body[:300] + b"\r\n0\r\n\r\n", cut=True)


def _paths(numbers: Numbers, body: bytes) -> Attack:
    count = int(numbers.integers(1, 5000))
    path = one_of(
        numbers,
        [
            *("/", "//", "/v1/models//", "/v1/models/%00:predict", "*"),
            *("/v1/models/../../etc/passwd", "/v1/models/a:b:predict"),
            f"/v1/models/{MODEL}/versions/{'9' * count}:predict",
            f"/v1/models/{MODEL}/versions/-1:predict",
            f"/v1/models/{MODEL}/labels/{'x' * count}:predict",
            f"/v1/models/{'y' * numbers.integers(1, 70_000)}:predict",
            f"/v1/models/{MODEL}:classify",
            f"/v1/models/{MODEL}:predict?{'a=b&' * numbers.integers(1, 999)}",
            f"/v1/models/{MODEL}/versions/١:predict",
            *("http://other:1/v1/models", "/v1/models/%ff%fe", "/\u20ac"),
        ],
    )
    method = one_of(
        numbers,
        ["POST", "GET", "PUT", "HEAD", "TRACE", "CONNECT", "get", "X" * 99],
    )
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: a\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return Attack("bad path", head.encode() + body, cut=True)


def _headers(numbers: Numbers, body: bytes) -> Attack:
    header = one_of(
        numbers,
        [
            *(b"X: " + numbers.bytes(200), numbers.bytes(50) + b": x"),
            *(b"X: " + b"y" * int(numbers.integers(1, 200_000)), b": x", b"X"),
            *(b"X: a\r\n" * int(numbers.integers(1, 3000)), b"X: \x00"),
            *(
                b"Expect: 100-continue",
                b"Upgrade: websocket",
                b"Content-Encoding: gzip",
            ),
            *(b"Connection: \xff", b"Host: b\r\nHost: c", b" folded: x"),
        ],
    )
    start = f"POST /v1/models/{MODEL}:predict HTTP/1.1\r\n".encode()
    length = f"\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    return Attack("bad header", start + header + length + body, cut=True)


def _foreign(numbers: Numbers, body: bytes) -> Attack:
    """What is not HTTP/1.1 at all."""
    contents = one_of(
        numbers,
        [
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + numbers.bytes(40),
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
            + numbers.bytes(200),
            numbers.bytes(int(numbers.integers(1, 2000))),
            b"GET /v1/models\r\n\r\n",
            b"\r\n" * 500,
            b"POST / HTTP/9.9\r\n\r\n",
            requests.head(body).replace(b"HTTP/1.1", b"HTTP/1.0") + body,
        ],
    )
    return Attack("not HTTP", contents, cut=True)


_KINDS: list[Callable[[Numbers, bytes], Attack]] = [
    *(_bytes, _bytes, _types, _types, _types, _deep, _numbers, _shapes),
    *(_pictures, _pictures, _names, _cut, _lengths, _chunks, _paths),
    *(_headers, _foreign),
]
