"""The embedded server: both protocols over one catalogue of models.

It takes the place of TensorFlow Serving in development, demonstrations and
tests, where there is no Docker.
"""

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent import futures
from pathlib import Path
from types import TracebackType
from typing import Any

import uvicorn

from lgn_serving.gate import Gate
from lgn_serving.limits import Limits
from lgn_serving.metrics import Metrics
from lgn_serving.models.batching import BatchedServable
from lgn_serving.models.catalogue import Catalogue
from lgn_serving.models.processes import Processes
from lgn_serving.models.servable import Servable
from lgn_serving.models.settings import BatchSettings, ModelSettings
from lgn_serving.prediction import Predictor
from lgn_serving.protocols import connection
from lgn_serving.protocols.grpc_server import GrpcServer
from lgn_serving.protocols.rest import RestApi
from lgn_serving.workers import Workers

_log = logging.getLogger(__name__)


class EmbeddedServer:
    """Serves models until it is stopped; a context manager.

    Args:
        models: returns the settings; called again at each poll.
        host: address to listen on.
        rest_port: 0 takes a free one.
        grpc_port: 0 takes a free one.
        poll_seconds: seconds between two looks at the disk.
        batching: bounds of merged batches; None merges no requests.
        limits: bounds on the requests.
        unavailable_labels: whether a label may name a version that is not
            loaded.

    Example:
        models = (ModelSettings("lgn_net", Path("saved_models/lgn_net")),)
        with EmbeddedServer(lambda: models) as server:
            print(server.rest_port, server.grpc_port)

    Attributes:
        rest_port: the port of the REST API.
        grpc_port: the port of gRPC.
        catalogue: the models.
    """

    def __init__(
        self,
        models: Callable[[], Sequence[ModelSettings]],
        *,
        host: str = "127.0.0.1",
        rest_port: int = 0,
        grpc_port: int = 0,
        poll_seconds: float = 1.0,
        batching: BatchSettings | None = None,
        limits: Limits | None = None,
        unavailable_labels: bool = False,
    ) -> None:
        """Binds both ports.

        Raises:
            OSError: where a port cannot be bound.
        """
        self.limits = limits or Limits()
        self._models = models
        self._settings: tuple[ModelSettings, ...] = ()
        self._poll_seconds = poll_seconds
        self._batching = batching
        self.catalogue = Catalogue(self._load, unavailable_labels)
        self._metrics = Metrics()
        self._gate = Gate(self.limits)
        self._workers = Workers(self._gate)
        predictor = Predictor(self.catalogue, self._metrics, self._gate)
        self._rest = RestApi(predictor, self._workers)
        self._socket = _bind(host, rest_port)
        self.rest_port = self._socket.getsockname()[1]
        self._processes = Processes()
        try:
            self._grpc = GrpcServer(
                predictor, self._workers, address(host, grpc_port)
            )
        except OSError:
            self._socket.close()
            self._processes.close()
            raise
        self.grpc_port = self._grpc.port
        self._http = uvicorn.Server(self._http_config())
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []

    def _load(self, path: Path) -> Any:
        servable = Servable(path, self._processes)
        if self._batching is None:
            return servable
        return BatchedServable(servable, self._batching)

    def _http_config(self) -> uvicorn.Config:
        return uvicorn.Config(
            self._rest,
            http=connection.protocol(self.limits),
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=int(self.limits.drain_seconds) or 1,
        )

    def start(self) -> None:
        """Loads the models, and returns when the server answers.

        Raises:
            Failure: where a label names a version that is not there.
            OSError: where the settings cannot be read.
        """
        try:
            self._settings = tuple(self._models())
            self.catalogue.update(self._settings)
        except BaseException:
            self._socket.close()
            self._grpc.stop(0)
            self._rest.close()
            self._processes.close()
            self._workers.close()
            raise
        self._grpc.start()
        for target in (self._serve_http, self._watch):
            thread = threading.Thread(target=target, daemon=True)
            thread.start()
            self._threads.append(thread)
        while not self._http.started:
            if not self._threads[0].is_alive():
                raise OSError("the HTTP server did not start")
            time.sleep(0.005)

    def _serve_http(self) -> None:
        asyncio.run(self._http.serve([self._socket]))

    def _watch(self) -> None:
        while not self._ended.wait(self._poll_seconds):
            # The models stay served whatever goes wrong, and the next look may
            # find it repaired. New versions are loaded even where the settings
            # are wrong.
            for look in (self._read_settings, self.catalogue.poll):
                try:
                    look()
                except (ValueError, OSError) as error:
                    _log.error("%s", error)
                except Exception:
                    _log.exception("looking for new versions")

    def _read_settings(self) -> None:
        models = tuple(self._models())
        if models != self._settings:
            self.catalogue.update(models)
            self._settings = models

    def stop(self) -> bool:
        """Lets running requests end, refuses new ones, frees the models.

        It takes `drain_seconds` at most. Requests that are still running then
        are abandoned.

        Returns:
            True where no request was abandoned.
        """
        end = time.monotonic() + self.limits.drain_seconds
        self._ended.set()
        self._http.should_exit = True
        grpc_ended = self._grpc.stop(self.limits.drain_seconds)
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        futures.wait([grpc_ended], max(0.0, end - time.monotonic()))
        self._rest.close()
        self._workers.close()
        self.catalogue.close()
        self._socket.close()
        running = self._metrics.running()
        self._processes.close()
        if running:
            _log.warning(
                "%d requests were cut off after %g s",
                running,
                self.limits.drain_seconds,
            )
        return not running and not any(
            thread.is_alive() for thread in self._threads
        )

    def __enter__(self) -> "EmbeddedServer":
        """Starts."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stops."""
        self.stop()


def address(host: str, port: int) -> str:
    """Returns "host:port", with brackets around an IPv6 host."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches the delay of small packets off only for sockets that name
    # TCP. Otherwise each small answer would wait 40 ms for an acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(
            f"{address(host, port)}: cannot be bound: {error}"
        ) from error
    return listener
