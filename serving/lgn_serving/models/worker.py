"""The process of one version: loads it, and answers until the line is closed.

Every message is (number, arguments), and every answer (number, value, error,
trace). Of the three the one that applies is not None: a failure as (code,
message), and another error as its traceback. The first message is the path of
the version, and the answer its signatures. Later ones are the arguments of
`GraphSession.run`.
"""

import contextlib
import os
import select
import socket
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lgn_serving import allocator
from lgn_serving.failure import Failure
from lgn_serving.models import channel
from lgn_serving.models.graph_session import GraphSession

_THREADS = 256
"""More than the requests that a server lets in; unused ones do not start."""


def serve(line: socket.socket) -> None:
    """Answers, and ends the process where the line is closed.

    Args:
        line: to the server.
    """
    threading.Thread(target=_end_with, args=(line,), daemon=True).start()
    with contextlib.suppress(EOFError, OSError):
        _Worker(line).serve()
    os._exit(0)


def _end_with(line: socket.socket) -> None:
    """Ends the process as soon as a line is closed, also while it loads."""
    ends = select.poll()
    ends.register(line, 0)
    ends.poll()
    os._exit(0)


class _Worker:
    """Answers the messages of a line.

    Args:
        line: to the server.
    """

    def __init__(self, line: socket.socket) -> None:
        """Starts without a version."""
        self._line = line
        self._sending = threading.Lock()

    def serve(self) -> None:
        """Answers until the line is closed."""
        number, path = channel.receive(self._line)
        loaded: list[GraphSession] = []
        self._answer(number, lambda: _load(path, loaded))
        allocator.give_back_small_blocks()
        pool = ThreadPoolExecutor(_THREADS)
        while loaded:
            number, arguments = channel.receive(self._line)
            pool.submit(self._answer, number, loaded[0].run, *arguments)

    def _answer(
        self, number: int, run: Callable[..., Any], *arguments: Any
    ) -> None:
        value = error = trace = None
        try:
            value = run(*arguments)
        except Failure as failure:
            error = (failure.code, failure.message)
        except Exception:
            trace = traceback.format_exc()
        try:
            with self._sending:
                channel.send(self._line, (number, value, error, trace))
        except BaseException:
            # The server would wait for ever for what cannot be sent.
            os._exit(1)


def _load(path: Path, loaded: list[GraphSession]) -> dict[str, bytes]:
    """Loads a version into a list; returns its signatures."""
    session = GraphSession(path)
    loaded.append(session)
    return {
        name: signature.SerializeToString()
        for name, signature in session.signatures.items()
    }
