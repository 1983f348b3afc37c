"""Sends picture bombs over both protocols, in a process of its own.

Prints one JSON object: how many requests, and how they were answered.
"""

import argparse
import collections
import http.client
import json
import threading
from pathlib import Path

import grpc
import numpy as np

from lgn_client import wire
from tests.soak.serving import requests
from tests.soak.serving.pictures import FILES
from tests.soak.serving.processes import MODEL
from tests.soak.serving.requests import Refused

SIGNATURE = "score_video_encoded"


def main() -> None:
    """Sends all, and prints what was answered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rest", required=True)
    parser.add_argument("--grpc", required=True)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    options = parser.parse_args()
    row = np.empty((1, FILES), object)
    row[:] = options.file.read_bytes()
    arrays = {"encoded_frames": row}
    one = requests.Valid(
        SIGNATURE,
        requests.json_body(SIGNATURE, arrays),
        wire.request(MODEL, SIGNATURE, arrays),
    )
    answers: collections.Counter[str] = collections.Counter()

    def ask(client: int) -> None:
        for _ in range(options.rounds):
            answers[_answer(options, one, client % 2 == 0)] += 1

    threads = [
        threading.Thread(target=ask, args=(client,))
        for client in range(options.clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    count = sum(answers.values())
    print(json.dumps({"count": count, "answers": dict(answers)}), flush=True)


def _answer(
    options: argparse.Namespace, one: requests.Valid, rest: bool
) -> str:
    try:
        if rest:
            connection = http.client.HTTPConnection(options.rest, timeout=300)
            requests.rest_answer(connection, one)
            connection.close()
        else:
            with grpc.insecure_channel(options.grpc) as channel:
                call = channel.unary_unary(wire.METHOD)
                requests.grpc_answer(call, one, 300)
    except Refused as refused:
        return refused.code
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__
    return "OK"


if __name__ == "__main__":
    main()
