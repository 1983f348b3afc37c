"""`lgn export`, `lgn serve` and `lgn check-served`.

What a command needs is imported when it runs, so that `lgn --help` is quick.
"""

import argparse
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lgn_tf.cli import score

if TYPE_CHECKING:
    from lgn_serving.models.settings import ModelSettings


def add(commands: Any) -> None:
    """Adds the subcommands to those of `lgn`."""
    _add_export(commands)
    _add_serve(commands)
    _add_check(commands)


def _with_extra(
    run: Callable[[argparse.Namespace], None],
) -> Callable[[argparse.Namespace], None]:
    """Says which packages are missing where the extra is not installed."""

    def wrapped(options: argparse.Namespace) -> None:
        try:
            run(options)
        except ImportError as error:
            raise ValueError(
                f"{error.name} is missing. It comes along with "
                "pip install 'lgn-tf[serving]'"
            ) from error

    return wrapped


def _add_check(commands: Any) -> None:
    parser = commands.add_parser(
        "check-served",
        help="compare served scores with those of the evaluation",
        description="Serves an export for a moment, scores the first test "
        "video over REST, and compares with what `lgn evaluate` stored.",
    )
    parser.add_argument("run_dir", type=Path, metavar="RUN")
    parser.add_argument("models", type=Path, metavar="MODELS")
    parser.set_defaults(run=_with_extra(_check))


def _check(options: argparse.Namespace) -> None:
    from lgn_tf.exporting import check_served
    from lgn_tf.runs.run import Run

    found = check_served.check(Run(options.run_dir), options.models)
    print(
        f"{found.frames} frames of {found.video}, served over REST, score "
        "what the evaluation scored:"
    )
    for name, difference in found.differences.items():
        reason = found.anew.get(name)
        words = f"; scored anew, since {reason}" if reason else ""
        print(f"  {name}: largest difference {difference:.2g}{words}")


def _add_export(commands: Any) -> None:
    parser = commands.add_parser(
        "export",
        help="write a run as a SavedModel that TensorFlow Serving runs",
        description="Writes the next version of a served model. It appears "
        "under its number whole or not at all.",
    )
    parser.add_argument(
        "--run", type=Path, required=True, dest="run_dir", help="runs/NAME"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="the folder of the versions"
    )
    parser.add_argument(
        "--version", type=int, help="default: one more than the largest"
    )
    parser.add_argument(
        "--dtype",
        choices=("float32", "mixed_bfloat16"),
        help="precision of the layers (default: the run's)",
    )
    parser.add_argument(
        "--best",
        action="store_true",
        help="the best weights by held-out videos instead of the last",
    )
    score.add_cue_weights(parser)
    parser.add_argument(
        "--warm-up-batches",
        type=int,
        nargs="*",
        default=(1, 8),
        metavar="ROWS",
        help="rows of the warm-up requests (default: 1 8); none for none",
    )
    parser.add_argument(
        "--max-video-frames",
        type=int,
        default=256,
        help="of one video in a request (default: 256)",
    )
    parser.set_defaults(run=_with_extra(_export))


def _export(options: argparse.Namespace) -> None:
    from lgn_tf.runs.run import Run

    run = Run(options.run_dir, "best" if options.best else "last")
    done = run.changed(cue_weights=score.cue_weights(options)).export(
        options.out,
        version=options.version,
        dtype=options.dtype,
        warm_up_batches=tuple(options.warm_up_batches),
        max_video_frames=options.max_video_frames,
    )
    print(done.path)
    for name, size in done.sizes.items():
        print(f"  {name}: {size:,} bytes")
    if not done.calibrated:
        print("  the run has no calibration: there is no online score")


def _add_serve(commands: Any) -> None:
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
    parser.set_defaults(run=_with_extra(_serve))


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


def _serve(options: argparse.Namespace) -> None:
    from lgn_serving.limits import Limits
    from lgn_serving.models import settings
    from lgn_serving.server import EmbeddedServer, address

    batching = options.batching_parameters_file
    body_bytes = int(options.max_body_mb * 2**20)
    server = EmbeddedServer(
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
    # In a thread: while TensorFlow loads, this one hears of no signal.
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
