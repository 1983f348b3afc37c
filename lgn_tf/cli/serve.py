"""`lgn serve`: the embedded server as a process, until a signal ends it."""

import argparse
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lgn_tf.cli.extras import needs_serving

if TYPE_CHECKING:
    from lgn_serving.models.settings import ModelSettings
    from lgn_serving.server import EmbeddedServer


def add(commands: Any) -> None:
    """Adds the subcommand to those of `lgn`."""
    parser = commands.add_parser(
        "serve",
        help="serve an exported model, for development and tests",
        description="Serves a SavedModel over TensorFlow Serving's REST and "
        "gRPC protocols. A stand-in for development, demonstrations and "
        "tests; production runs TensorFlow Serving itself, see serving/.",
    )
    parser.add_argument(
        "model_dir",
        type=Path,
        nargs="?",
        help="the folder whose numbered folders are the versions",
    )
    parser.add_argument("--model-name", help="default: the name of the folder")
    parser.add_argument(
        "--model-config-file",
        type=Path,
        help="models.config instead of a folder; read again when it changes",
    )
    parser.add_argument(
        "--batching-parameters-file",
        type=Path,
        help="merge requests as this file says (default: merge none)",
    )
    _add_numbers(parser)
    parser.add_argument(
        "--allow-version-labels-for-unavailable-models",
        action="store_true",
        help="a label may stand for a version that is not loaded",
    )
    parser.set_defaults(run=needs_serving(_serve))


def _add_numbers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host", default="127.0.0.1", help="default: 127.0.0.1"
    )
    for name, kind, default, text in (
        ("rest-port", int, 8501, "0 takes a free one"),
        ("grpc-port", int, 8500, "0 takes a free one"),
        ("poll-seconds", float, 1.0, "between two looks for new versions"),
        ("max-body-mb", float, 64.0, "largest request"),
        ("max-in-flight", int, 64, "requests answered at the same time"),
        ("drain-seconds", float, 30.0, "that requests get after SIGTERM"),
    ):
        parser.add_argument(
            f"--{name}",
            type=kind,
            default=default,
            help=f"{text} (default: {default:g})",
        )


def settings_source(
    options: argparse.Namespace,
) -> Callable[[], Sequence["ModelSettings"]]:
    """Returns the function that says which models to serve.

    Raises:
        ValueError: where the options name no model, or two.
        OSError: where there is no version to serve.
    """
    from lgn_serving.models import settings

    folder, file = options.model_dir, options.model_config_file
    if (folder is None) == (file is None):
        raise ValueError(
            "either a model's folder or --model-config-file must be given. "
            f"Received: {folder} and {file}"
        )
    if file is not None:
        return lambda: settings.read_models(file)
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


def _server(options: argparse.Namespace) -> "EmbeddedServer":
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
        batching=batching and settings.read_batching(batching),
        limits=Limits(
            body_bytes=body_bytes,
            buffered_bytes=4 * body_bytes,
            in_flight=options.max_in_flight,
            drain_seconds=options.drain_seconds,
        ),
        unavailable_labels=options.allow_version_labels_for_unavailable_models,
    )


def _serve(options: argparse.Namespace) -> None:
    from lgn_serving.server import address

    server = _server(options)
    # In another thread: in this one, Python would handle no signal while
    # TensorFlow loads.
    with _on_signal(lambda *_: os._exit(0)), ThreadPoolExecutor(1) as starter:
        starter.submit(server.start).result()
    ended = threading.Event()
    with _on_signal(lambda *_: ended.set()):
        try:
            print(
                f"REST on http://{address(options.host, server.rest_port)}"
                "/v1/models, "
                f"gRPC on {address(options.host, server.grpc_port)}",
                flush=True,
            )
            ended.wait()
            print("draining", flush=True)
        finally:
            all_done = server.stop()
    if not all_done:
        # Python would wait for the threads of what still runs.
        os._exit(0)


@contextmanager
def _on_signal(handler: Callable[..., None]) -> Iterator[None]:
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, handler) for number in numbers]
    try:
        yield
    finally:
        for number, old in zip(numbers, before, strict=True):
            signal.signal(number, old)
