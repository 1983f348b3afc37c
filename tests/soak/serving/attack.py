"""Sends malformed requests, in a process of its own.

Prints one JSON object: how many of each kind, how they were answered, and
which answers are no answer to a bad request.
"""

import argparse
import collections
import itertools
import json
import re
import signal
import socket
import threading
import time
from typing import Any

import grpc
import numpy as np

from tests.soak.serving import bad_grpc, bad_rest, requests

PATIENCE = 60.0
"""Seconds after which a request counts as hung."""

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")

_FINE = {"501", "503", "505"}
"""Of HTTP's 5xx: not there, too busy, another protocol."""

_BAD_CODES = {"UNKNOWN", "INTERNAL", "DATA_LOSS", "DEADLINE_EXCEEDED"}
_BAD_CODES |= {"UNAVAILABLE", "CANCELLED"}


class Attacker:
    """Workers that send until enough is sent.

    Args:
        options: of the program.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        """Draws the valid requests that are damaged."""
        self._options = options
        self._valid = requests.valid(options.seed)
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self.stop = threading.Event()
        self.kinds: collections.Counter[str] = collections.Counter()
        self.answers: collections.Counter[str] = collections.Counter()
        self.faults: collections.Counter[str] = collections.Counter()
        self.first: dict[str, str] = {}

    def run(self) -> dict[str, Any]:
        """Sends everything; returns what was found."""
        work = self._over_rest if self._options.rest else self._over_grpc
        threads = [
            threading.Thread(target=work, daemon=True)
            for _ in range(self._options.workers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with self._lock:
            return {
                "count": sum(self.kinds.values()),
                "kinds": dict(self.kinds),
                "answers": dict(self.answers),
                "faults": dict(self.faults),
                "first": dict(self.first),
            }

    def _next(self) -> int | None:
        number = next(self._numbers)
        if number >= self._options.count or self.stop.wait(self._options.pause):
            return None
        return number

    def _count(
        self, number: int, kind: str, answer: str, fault: str | None, words: str
    ) -> None:
        with self._lock:
            self.kinds[kind] += 1
            self.answers[answer] += 1
            if fault is not None:
                self.faults[fault] += 1
                text = f"request {number}, {kind}: {answer} {words}"
                self.first.setdefault(fault, text[:300])

    def _over_rest(self) -> None:
        host, _, port = self._options.rest.rpartition(":")
        while (number := self._next()) is not None:
            numbers = np.random.default_rng([self._options.seed, 1, number])
            attack = bad_rest.draw(numbers, self._valid)
            try:
                with socket.create_connection(
                    (host, int(port)), PATIENCE
                ) as end:
                    answer, words = _exchange(end, attack)
            except OSError as error:
                answer, words = "no connection", repr(error)
            fault = _rest_fault(answer, attack)
            self._count(number, attack.kind, answer, fault, words)

    def _over_grpc(self) -> None:
        with grpc.insecure_channel(self._options.grpc) as channel:
            while (number := self._next()) is not None:
                numbers = np.random.default_rng([self._options.seed, 2, number])
                call = bad_grpc.draw(numbers, self._valid)
                answer, words = "OK", ""
                try:
                    channel.unary_unary(call.method)(
                        call.contents, timeout=PATIENCE, metadata=call.metadata
                    )
                except grpc.RpcError as error:
                    answer, words = error.code().name, str(error.details())
                except ValueError as error:
                    # The client itself refuses such headers.
                    answer, words = "not sent", repr(error)
                fault = _grpc_fault(answer, words, call)
                self._count(number, call.kind, answer, fault, words)


def _exchange(end: socket.socket, attack: bad_rest.Attack) -> tuple[str, str]:
    """Sends an attack and returns the status, and the words of the answer."""
    try:
        end.sendall(attack.contents)
        if attack.cut:
            end.shutdown(socket.SHUT_WR)
    except OSError:
        # It may have been answered before all was sent.
        pass
    received = b""
    last = time.monotonic() + PATIENCE
    try:
        while not _whole(received) and time.monotonic() < last:
            more = end.recv(65536)
            if not more:
                break
            received += more
    except TimeoutError:
        return "hung", ""
    except OSError as error:
        if not received:
            return "reset", repr(error)
    found = _STATUS.match(received)
    if found is None:
        return ("closed" if not received else "no HTTP"), repr(received[:100])
    return found[1].decode(), repr(received.partition(b"\r\n\r\n")[2][:200])


def _whole(received: bytes) -> bool:
    head, ended, body = received.partition(b"\r\n\r\n")
    found = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return bool(ended) and (found is None or len(body) >= int(found[1]))


def _rest_fault(answer: str, attack: bad_rest.Attack) -> str | None:
    if answer in ("hung", "no connection"):
        return "dead"
    if answer in ("closed", "reset"):
        return None if attack.cut else "wrong"
    if answer == "no HTTP":
        return "wrong"
    return "wrong" if answer >= "500" and answer not in _FINE else None


def _grpc_fault(answer: str, words: str, call: bad_grpc.Call) -> str | None:
    if answer == "INTERNAL" and "deserializing" in words:
        # gRPC's own answer to a message that is none.
        return None
    if answer == "DEADLINE_EXCEEDED" and call.kind == "headers":
        return None
    if answer in ("DEADLINE_EXCEEDED", "UNAVAILABLE"):
        return "dead"
    return "wrong" if answer in _BAD_CODES else None


def main() -> None:
    """Runs, and prints what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rest", default="")
    parser.add_argument("--grpc", default="")
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--pause", type=float, default=0.0)
    attacker = Attacker(parser.parse_args())
    signal.signal(signal.SIGTERM, lambda *_: attacker.stop.set())
    print(json.dumps(attacker.run()), flush=True)


if __name__ == "__main__":
    main()
