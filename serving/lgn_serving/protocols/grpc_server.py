"""The gRPC server: its port, its thread, and the options of its connections."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any

import grpc

from lgn_serving.limits import Limits
from lgn_serving.prediction import Predictor
from lgn_serving.protocols.grpc_api import GrpcApi
from lgn_serving.workers import Workers

_IDLE_MS = 300_000
"""Milliseconds after which a connection without a stream is closed."""

_STREAMS = 100
"""Streams of one connection."""


class GrpcServer:
    """Answers gRPC in a thread of its own.

    Args:
        predictor: answers the requests.
        workers: the threads in which they are answered.
        address: "host:port"; port 0 takes a free one.

    Attributes:
        port: the port.
    """

    def __init__(
        self, predictor: Predictor, workers: Workers, address: str
    ) -> None:
        """Binds the port.

        Raises:
            OSError: where the address cannot be bound.
        """
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._run, name="grpc", daemon=True).start()
        try:
            self._server, self.port = self._wait(
                _bound(predictor, workers, address)
            )
        except BaseException:
            self._end()
            raise

    def _run(self) -> None:
        self._loop.run_forever()
        # It ends the tasks of what was cut off, and closes the loop.
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(asyncio.sleep(0))

    def _wait(self, what: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result()

    def start(self) -> None:
        """Begins to answer."""
        self._wait(self._server.start())

    def stop(self, seconds: float) -> "Future[None]":
        """Refuses new requests, and cuts off what runs longer.

        Args:
            seconds: that running requests get.

        Returns:
            It is done when the server has ended.
        """
        ended: Future[None] = asyncio.run_coroutine_threadsafe(
            self._server.stop(seconds), self._loop
        )
        ended.add_done_callback(lambda _: self._end())
        return ended

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)


async def _bound(
    predictor: Predictor, workers: Workers, address: str
) -> tuple[Any, int]:
    server = grpc.aio.server(options=_options(predictor.gate.limits))
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(f"{address}: cannot be bound: {error}") from error
    if not port:
        raise OSError(f"{address}: cannot be bound")
    api = GrpcApi(predictor, workers, port)
    server.add_generic_rpc_handlers(api.handlers())
    return server, port


def _options(limits: Limits) -> tuple[tuple[str, int], ...]:
    milliseconds = int(limits.header_seconds * 1000)
    return (
        # It holds after a message is decompressed as well.
        ("grpc.max_receive_message_length", limits.body_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.so_reuseport", 0),
        ("grpc.max_concurrent_streams", _STREAMS),
        ("grpc.max_allowed_incoming_connections", limits.connections),
        ("grpc.server_handshake_timeout_ms", milliseconds),
        ("grpc.max_connection_idle_ms", _IDLE_MS),
    )
