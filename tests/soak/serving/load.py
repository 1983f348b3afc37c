"""Sends valid requests and compares every answer, in a process of its own.

Prints one JSON object: how many answers, their times, and what was wrong.
"""

import argparse
import collections
import http.client
import json
import signal
import threading
import time
from pathlib import Path
from typing import Any

import grpc

from lgn_client import wire
from tests.soak.serving import requests
from tests.soak.serving.requests import Expected, Refused

PATIENCE = 60.0
"""Seconds after which a request counts as hung."""


class Load:
    """Workers, half of them over REST and half over gRPC.

    Args:
        options: of the program.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        """Starts nothing yet."""
        self._options = options
        self._expected: Expected = requests.load(options.expected)
        self._lock = threading.Lock()
        self.stop = threading.Event()
        self.times: list[float] = []
        self.wrong: list[str] = []
        self.counts: collections.Counter[str] = collections.Counter()
        self.examples: dict[str, str] = {}

    def run(self) -> dict[str, Any]:
        """Sends until it is time; returns what was found."""
        threads = [
            threading.Thread(
                target=(self._over_rest, self._over_grpc)[number % 2],
                args=(number,),
                daemon=True,
            )
            for number in range(self._options.workers)
        ]
        for thread in threads:
            thread.start()
        self.stop.wait(self._options.seconds)
        self.stop.set()
        for thread in threads:
            thread.join(PATIENCE)
        hung = sum(thread.is_alive() for thread in threads)
        with self._lock:
            return {
                "times": sorted(self.times),
                "wrong": len(self.wrong),
                "first_wrong": self.wrong[:1],
                "counts": dict(self.counts),
                "examples": dict(self.examples),
                "hung": hung,
            }

    def _done(self, seconds: float, right: bool, words: str) -> None:
        with self._lock:
            self.times.append(seconds)
            if not right:
                self.wrong.append(words)

    def _failed(self, kind: str, words: str) -> None:
        with self._lock:
            self.counts[kind] += 1
            self.examples.setdefault(kind, words)
        # Who is refused comes again a little later.
        self.stop.wait(0.05)

    def _over_rest(self, place: int) -> None:
        connection = self._connection()
        fresh = True
        while not self.stop.wait(self._options.pause):
            place = (place + 1) % len(self._expected.requests)
            one = self._expected.requests[place]
            began = time.monotonic()
            try:
                text = requests.rest_answer(connection, one)
            except Refused as refused:
                self._failed(f"rest {refused.code}", str(refused))
                fresh = False
                continue
            except (OSError, http.client.HTTPException) as error:
                self._failed(_kind(error, fresh), repr(error))
                connection.close()
                connection, fresh = self._connection(), True
                continue
            fresh = False
            right = text in self._expected.rest[place]
            self._done(time.monotonic() - began, right, f"rest {one.signature}")

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._options.rest, timeout=PATIENCE)

    def _over_grpc(self, place: int) -> None:
        options = [("grpc.max_reconnect_backoff_ms", 200)]
        with grpc.insecure_channel(self._options.grpc, options) as channel:
            call = channel.unary_unary(wire.METHOD)
            while not self.stop.wait(self._options.pause):
                place = (place + 1) % len(self._expected.requests)
                one = self._expected.requests[place]
                began = time.monotonic()
                try:
                    version, text = requests.grpc_answer(call, one, PATIENCE)
                except Refused as refused:
                    self._failed(f"grpc {refused.code}", str(refused))
                    continue
                right = self._expected.grpc[place].get(version % 2) == text
                self._done(
                    time.monotonic() - began,
                    right,
                    f"grpc {one.signature} of version {version}",
                )


def _kind(error: Exception, fresh: bool) -> str:
    """Returns the name of a connection's end.

    Args:
        error: that was raised.
        fresh: whether the connection had answered nothing before. A server may
            close one between two requests while the next is on its way.
    """
    match error:
        case ConnectionRefusedError():
            return "rest closed"
        case http.client.RemoteDisconnected() | ConnectionError():
            return "rest unanswered" if fresh else "rest closed"
        case TimeoutError():
            return "rest hung"
    return "rest torn"


def main() -> None:
    """Runs until it is time or a signal comes, and prints what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rest", required=True)
    parser.add_argument("--grpc", required=True)
    parser.add_argument("--expected", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--pause", type=float, default=0.01)
    parser.add_argument("--learn", type=int, help="seed of new requests")
    options = parser.parse_args()
    if options.learn is not None:
        known = None
        if options.expected.exists():
            known = requests.load(options.expected)
        drawn = requests.valid(options.learn)
        found = requests.learn(options.rest, options.grpc, drawn, known)
        found.save(options.expected)
        print(json.dumps({"requests": len(found.requests)}))
        return
    load = Load(options)
    signal.signal(signal.SIGTERM, lambda *_: load.stop.set())
    print(json.dumps(load.run()), flush=True)


if __name__ == "__main__":
    main()
