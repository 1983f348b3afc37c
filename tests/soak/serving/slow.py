"""Holds slow, silent and costly connections open, in a process of its own.

Prints one JSON object: how many connections there were.
"""

import argparse
import contextlib
import json
import signal
import socket
import threading
from collections.abc import Callable, Iterator

import grpc

from lgn_client import wire
from tests.soak.serving import requests

ANNOUNCED = 64 * 2**20 - 1024


class Slow:
    """One kind of connection, many times.

    Args:
        rest: host and port of REST.
        grpc: host and port of gRPC.
    """

    def __init__(self, rest: str, grpc: str) -> None:
        """Opens nothing yet."""
        host, _, port = rest.rpartition(":")
        self._rest, self._grpc = (host, int(port)), grpc
        self.stop = threading.Event()
        self.opened = 0

    def headers(self) -> None:
        """Headers, a byte now and then."""
        self._drip(requests.head(b"x" * 100), 0)

    def bodies(self) -> None:
        """A body, a byte now and then."""
        body = requests.valid(1)[0].rest
        whole = requests.head(body) + body
        self._drip(whole, len(requests.head(body)) + 10)

    def announced(self) -> None:
        """A body of 64 MB is announced, and never comes."""
        head = (
            "POST /v1/models/lgn_net:predict HTTP/1.1\r\nHost: a\r\n"
            f"Content-Length: {ANNOUNCED}\r\n\r\n{{"
        )
        self._drip(head.encode(), len(head))

    def silent(self) -> None:
        """A connection that never says anything."""
        self._drip(b"", 0)

    def chunks(self) -> None:
        """A body in chunks of one byte, as fast as it can be sent."""
        head = requests.head(b"").replace(
            b"Content-Length: 0", b"Transfer-Encoding: chunked"
        )
        while not self.stop.is_set():
            with contextlib.suppress(OSError):
                with socket.create_connection(self._rest, 10) as end:
                    self.opened += 1
                    end.sendall(head)
                    while not self.stop.is_set():
                        end.sendall(b"1\r\n \r\n" * 10_000)
            self.stop.wait(0.1)

    def fields(self) -> None:
        """A message of millions of empty fields."""
        contents = requests.valid(1)[0].grpc + b"\x1a\x00" * 2**23
        with grpc.insecure_channel(
            self._grpc, [("grpc.use_local_subchannel_pool", 1)]
        ) as channel:
            while not self.stop.is_set():
                self.opened += 1
                with contextlib.suppress(grpc.RpcError):
                    channel.unary_unary(wire.METHOD)(contents, timeout=60)
                self.stop.wait(0.2)

    def _drip(self, contents: bytes, at_once: int) -> None:
        """Sends the beginning at once and the rest byte by byte, again."""
        while not self.stop.is_set():
            with contextlib.suppress(OSError):
                with socket.create_connection(self._rest, 10) as end:
                    self.opened += 1
                    end.sendall(contents[:at_once])
                    end.settimeout(0.2)
                    for place in range(at_once, at_once + 10_000):
                        if self.stop.is_set():
                            return
                        end.sendall(contents[place : place + 1])
                        with contextlib.suppress(TimeoutError):
                            if not end.recv(4096):
                                break
            self.stop.wait(0.1)

    def streams(self) -> None:
        """A call whose message never comes."""

        def nothing() -> Iterator[bytes]:
            self.stop.wait()
            yield from ()

        while not self.stop.is_set():
            with grpc.insecure_channel(
                self._grpc, [("grpc.use_local_subchannel_pool", 1)]
            ) as channel:
                self.opened += 1
                with contextlib.suppress(grpc.RpcError):
                    channel.stream_unary(wire.METHOD)(nothing())
            self.stop.wait(0.1)


def main() -> None:
    """Runs until it is time or a signal comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rest", required=True)
    parser.add_argument("--grpc", required=True)
    parser.add_argument("--kind", required=True)
    parser.add_argument("--count", type=int, required=True)
    options = parser.parse_args()
    slow = Slow(options.rest, options.grpc)
    signal.signal(signal.SIGTERM, lambda *_: slow.stop.set())
    work: Callable[[], None] = getattr(slow, options.kind)
    threads = [
        threading.Thread(target=work, daemon=True) for _ in range(options.count)
    ]
    for thread in threads:
        thread.start()
    slow.stop.wait()
    for thread in threads:
        thread.join(15)
    print(json.dumps({"opened": slow.opened}), flush=True)


if __name__ == "__main__":
    main()
