"""A run directory to a SavedModel that TensorFlow Serving runs.

    OUT/
      1/  saved_model.pb, variables/
          assets.extra/  warm-up requests, calibration.npz, model_card.*
      2/  ...

A version appears under its number whole or not at all: a server that watches
the folder never sees half of one.
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras

from lgn_tf.config import schema
from lgn_tf.config.schema import Config
from lgn_tf.exporting import (
    memory_cost,
    model_card,
    request_limits,
    signatures,
    warm_up,
)
from lgn_tf.exporting.endpoints import Endpoints
from lgn_tf.exporting.request_limits import RequestLimits
from lgn_tf.files import atomic
from lgn_tf.model.lgn_net import build_model
from lgn_tf.runs import directory
from lgn_tf.runs.run import Run

EXTRA = "assets.extra"

MOST_SURPLUS = 1.02
"""Largest ratio of the stored variables to the weights, names left out."""

NAME_BYTES = 256
"""Bytes that name, shape and place of a stored variable may take."""

_LARGEST = 2**63 - 1
"""The largest number of a version that a server can name."""


@dataclasses.dataclass(frozen=True)
class Exported:
    """An exported version.

    Attributes:
        path: the version's folder.
        calibrated: whether it gives the online score.
        sizes: bytes of the weights, of `variables/`, of the graph and of the
            warm-up requests.
    """

    path: Path
    calibrated: bool
    sizes: dict[str, int]


def export(
    run: Run,
    out: Path,
    *,
    version: int | None = None,
    dtype: str | None = None,
    warm_up_batches: Sequence[int] = (1, 8),
    max_video_frames: int = request_limits.MAX_VIDEO_FRAMES,
    max_rows: int = request_limits.MAX_ROWS,
    max_pixels_m: int = request_limits.MAX_PIXELS_M,
) -> Exported:
    """Writes a new version of a served model.

    Args:
        run: the run; its calibration comes along where it has one.
        out: the folder of the versions; made where it is not there.
        version: its number; one more than the largest there by default.
        dtype: precision of the layers, instead of the run's.
        warm_up_batches: rows of the warm-up requests; none where empty.
        max_video_frames: most frames of one video in a request.
        max_rows: most rows of a request.
        max_pixels_m: most pixels of all frames of a request, in millions.

    Returns:
        An `Exported`.

    Raises:
        FileNotFoundError: where the run has no weights.
        FileExistsError: where the version is there.
        ValueError: for files that cannot be read or values out of bounds.
        OSError: where it cannot be written.
    """
    limits = RequestLimits(max_video_frames, max_rows, max_pixels_m * 10**6)
    _check(version, warm_up_batches, limits)
    config, model = _with_dtype(run, dtype)
    if max_video_frames <= config.model.frames:
        raise ValueError(
            "`max_video_frames` must be at least a window, "
            f"{config.model.frames + 1}. "
            f"Received: max_video_frames={max_video_frames}"
        )
    # What is damaged is said before anything is exported.
    calibration, _ = run.calibration, run.results
    described = signatures.endpoints(
        config.model,
        calibration is not None,
        model.memory.items.shape[-1] if model.has_memory else None,
        calibration.motion_cells if calibration is not None else None,
    )
    endpoints = Endpoints(
        model,
        calibration and calibration.statistics,
        limits,
        moving=calibration and calibration.moving_statistics,
    )
    with _new_version(out, version) as (folder, number):
        _save(model, endpoints, described, folder)
        sizes = _sizes(model, folder)
        (folder / EXTRA).mkdir()
        if calibration is not None:
            calibration.save(folder / EXTRA / directory.CALIBRATION)
        if warm_up_batches:
            sizes["warm-up requests"] = warm_up.write_requests(
                folder / EXTRA / warm_up.FILE,
                described,
                config.model,
                warm_up_batches,
            )
        _write_card(run, config, described, sizes, folder, limits)
    return Exported(out / str(number), calibration is not None, sizes)


def _write_card(
    run: Run,
    config: Config,
    endpoints: Sequence[signatures.Endpoint],
    sizes: dict[str, int],
    folder: Path,
    limits: RequestLimits,
) -> None:
    files = {
        run.weights_file: run.folder / run.weights_file,
        "saved_model.pb": folder / "saved_model.pb",
    }
    card = model_card.make_card(run, config, endpoints, sizes, files)
    memory = memory_cost.measure(folder, endpoints, config.model)
    card["limits"] = dataclasses.asdict(limits)
    card["memory"] = {
        name: dataclasses.asdict(each) for name, each in memory.items()
    }
    model_card.write_card(card, folder / EXTRA)


def _check(
    version: int | None,
    warm_up_batches: Sequence[int],
    limits: RequestLimits,
) -> None:
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "A SavedModel is written on the TensorFlow backend. Received: "
            f"KERAS_BACKEND={keras.backend.backend()}"
        )
    if version is not None and not 1 <= version <= _LARGEST:
        raise ValueError(
            f"`version` must be from 1 to {_LARGEST}. "
            f"Received: version={version}"
        )
    if any(not 1 <= rows <= limits.rows for rows in warm_up_batches):
        raise ValueError(
            f"`warm_up_batches` must be 1 to {limits.rows} rows, the most of "
            "a request. "
            f"Received: warm_up_batches={tuple(warm_up_batches)}"
        )


def _with_dtype(run: Run, dtype: str | None) -> tuple[Config, Any]:
    config, model = run.config, run.model
    if dtype is None or dtype == config.model.dtype:
        return config, model
    values = schema.to_dict(config)
    values["model"]["dtype"] = dtype
    config = schema.from_dict(values)
    other = build_model(config)
    other.set_weights(model.get_weights())
    return config, other


def _save(
    model: Any,
    functions: Endpoints,
    endpoints: Sequence[signatures.Endpoint],
    folder: Path,
) -> None:
    import tensorflow as tf

    # Keras' ExportArchive stores every variable twice, once as the layer's
    # and once in a list of its own.
    module = tf.Module()
    module.weights = [weight.value for weight in model.weights]
    found = functions.functions()
    graphs = {
        endpoint.name: tf.function(
            found[endpoint.name],
            input_signature=[
                tf.TensorSpec(each.shape, each.dtype, each.name)
                for each in endpoint.inputs
            ],
            autograph=False,
        )
        for endpoint in endpoints
    }
    try:
        tf.saved_model.save(module, str(folder), signatures=graphs)
    except tf.errors.OpError as error:
        # Two folders up: the others are there for a moment only.
        raise OSError(f"{folder.parents[1]}: {error.message}") from error


def _sizes(model: Any, folder: Path) -> dict[str, int]:
    weights = sum(
        weight.value.dtype.size * int(weight.value.shape.num_elements())
        for weight in model.weights
    )
    stored = sum(
        path.stat().st_size for path in (folder / "variables").iterdir()
    )
    count = len(model.weights)
    if stored > MOST_SURPLUS * weights + NAME_BYTES * count:
        raise ValueError(
            f"{folder}: variables must take at most {MOST_SURPLUS} times the "
            f"weights, and {NAME_BYTES} bytes for the name of each. Found "
            f"there: {stored} bytes for {weights} of {count} weights"
        )
    return {
        "weights": weights,
        "variables": stored,
        "graph": (folder / "saved_model.pb").stat().st_size,
    }


@contextlib.contextmanager
def _new_version(out: Path, version: int | None) -> Iterator[tuple[Path, int]]:
    """Hands out a folder that gets its number when the block ends."""
    with _made(out), contextlib.ExitStack() as held:
        number = version or _next_version(out)
        # Until its end it has no number: what watches the folder leaves it
        # alone.
        while True:
            try:
                folder = held.enter_context(atomic.folder(out / str(number)))
                break
            except (FileExistsError, BlockingIOError):
                if version is not None:
                    raise
                # Another process makes that one.
                number += 1
        yield folder, number


def _next_version(out: Path) -> int:
    names = [path.name for path in out.glob("*")]
    digits = [each for each in names if each.isascii() and each.isdecimal()]
    # Servers see no folder whose number is larger.
    found = [each for each in map(int, digits) if each < _LARGEST]
    return 1 + max(found, default=0)


@contextlib.contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Makes a folder and those above; takes them back where the block fails."""
    new = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            # One that others have put something into stays.
            for each in new:
                each.rmdir()
        raise
