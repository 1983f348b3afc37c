"""`lgn serve`: the embedded server as a process, until a signal ends it."""

import dataclasses
import gc
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from lgn_tf.backend import signals
from lgn_tf.cli.options import PathOption, TextOption, needs_serving, parse

if TYPE_CHECKING:
    from lgn_serving.models.settings import ModelSettings
    from lgn_serving.server import EmbeddedServer


@dataclasses.dataclass(frozen=True)
class Serve:
    """Serves an exported model over TensorFlow Serving's REST and gRPC.

    A stand-in for development, demonstrations and tests; production runs
    TensorFlow Serving itself, see serving/.

    Attributes:
        model_dir: the folder whose numbered folders are the versions.
        model_name: the name of the folder where it is not given.
        model_config_file: models.config instead of a folder; it is read again
            when it changes.
        batching_parameters_file: merge requests as this file says; without it
            none are merged.
        host: address that is listened to.
        rest_port: port of REST; 0 takes a free one.
        grpc_port: port of gRPC; 0 takes a free one.
        poll_seconds: between two looks for new versions.
        max_body_mb: size of the largest request.
        max_in_flight: requests answered at the same time.
        max_rows: rows of the largest request.
        max_pixels_m: pixels of all frames and pictures of the largest request,
            in millions.
        max_memory_mb: that all running requests may need inside their graphs,
            by the model cards; one request may need three quarters of it.
        rest_api_timeout_in_ms: time for an answer, over gRPC too where the
            client sets no shorter one.
        drain_seconds: that requests get after SIGTERM.
        allow_version_labels_for_unavailable_models: a label may stand for a
            version that is not loaded.
    """

    model_dir: Annotated[
        tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="MODEL_DIR")
    ] = None
    model_name: TextOption = None
    model_config_file: PathOption = None
    batching_parameters_file: PathOption = None
    host: str = "127.0.0.1"
    rest_port: int = 8501
    grpc_port: int = 8500
    poll_seconds: float = 1.0
    max_body_mb: float = 64.0
    max_in_flight: int = 64
    max_rows: int = 8192
    max_pixels_m: int = 700
    max_memory_mb: float = 4096.0
    rest_api_timeout_in_ms: int = 300_000
    drain_seconds: float = 30.0
    allow_version_labels_for_unavailable_models: bool = False


def settings_source(
    options: Serve,
) -> Callable[[], Sequence["ModelSettings"]]:
    """Returns the function that says which models to serve.

    Raises:
        ValueError: where the options name no model, or two.
        OSError: where there is no version to serve.
    """
    from lgn_serving.models import settings

    folder, file = options.model_dir, options.model_config_file
    if file is not None and folder is None:
        return lambda: settings.read_models(file)
    if folder is None or file is not None:
        raise ValueError(
            "either a model's folder or --model-config-file must be given. "
            f"Received: {folder} and {file}"
        )
    if not settings.version_folders(folder):
        hint = ""
        if (folder / "saved_model.pb").is_file():
            hint = f". It is a version itself: serve {folder.parent}"
        raise FileNotFoundError(
            f"{folder}: must hold numbered folders, one a version. "
            f"Found there: none{hint}"
        )
    name = options.model_name or folder.resolve().name
    models = (settings.ModelSettings(name, folder),)
    return lambda: models


def _server(options: Serve) -> "EmbeddedServer":
    """Returns a server that has its ports and is not started."""
    from lgn_serving.limits import Limits
    from lgn_serving.models import settings
    from lgn_serving.server import EmbeddedServer

    batching = options.batching_parameters_file
    body_bytes = int(options.max_body_mb * 2**20)
    return EmbeddedServer(
        settings_source(options),
        host=options.host,
        rest_port=options.rest_port,
        grpc_port=options.grpc_port,
        poll_seconds=options.poll_seconds,
        batching=settings.read_batching(batching) if batching else None,
        limits=Limits(
            body_bytes=body_bytes,
            buffered_bytes=4 * body_bytes,
            in_flight=options.max_in_flight,
            rows=options.max_rows,
            pixels=options.max_pixels_m * 10**6,
            memory_bytes=int(options.max_memory_mb * 2**20),
            request_seconds=options.rest_api_timeout_in_ms / 1000,
            drain_seconds=options.drain_seconds,
        ),
        unavailable_labels=options.allow_version_labels_for_unavailable_models,
    )


@needs_serving
def serve(arguments: Sequence[str], program: str) -> None:
    """Serves until a signal ends it."""
    options = parse(Serve, arguments, program)
    from lgn_serving import allocator
    from lgn_serving.server import address

    allocator.give_back_large_blocks()
    allocator.share_one_arena()
    server = _server(options)
    # In another thread: in this one, Python would handle no signal while
    # TensorFlow loads.
    with (
        signals.handled(lambda *_: os._exit(0)),
        ThreadPoolExecutor(1) as starter,
    ):
        started = starter.submit(server.start)
        while not wait([started], signals.LOOK).done:
            pass
        started.result()
    # What is there now stays to the end. The collector need not look at it, and
    # comes the more often to what requests leave behind.
    gc.collect()
    gc.freeze()
    allocator.give_back_small_blocks()
    ended = threading.Event()
    with signals.handled(lambda *_: ended.set()):
        try:
            print(
                f"REST on http://{address(options.host, server.rest_port)}"
                "/v1/models, "
                f"gRPC on {address(options.host, server.grpc_port)}",
                flush=True,
            )
            while not ended.wait(signals.LOOK):
                pass
            print("draining", flush=True)
        finally:
            all_done = server.stop()
    if not all_done:
        # Python would wait for the threads of what still runs.
        os._exit(0)
