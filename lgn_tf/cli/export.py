"""`lgn export`, and `lgn check-served`, which proves an export."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from lgn_tf.cli.options import (
    Best,
    CountOption,
    CueWeight,
    RunFolder,
    TextOption,
    command,
    cue_weights,
    needs_serving,
)


@command
@needs_serving
def export(
    *,
    run: Path,
    out: Path,
    version: CountOption = None,
    dtype: Literal["float32", "mixed_bfloat16"] | None = None,
    best: Best = False,
    error_weight: CueWeight = None,
    distance_weight: CueWeight = None,
    motion_weight: CueWeight = None,
    warm_up_batches: tuple[int, ...] = (1, 8),
    max_video_frames: int = 256,
    max_rows: int = 64,
    max_pixels_m: int = 700,
) -> None:
    """Writes a run as the next version of a model for TensorFlow Serving.

    The version appears under its number whole or not at all.

    Args:
        run: the run directory, runs/NAME.
        out: the folder of the versions.
        version: its number; one more than the largest where it is not given.
        dtype: precision of the layers; the run's where it is not given.
        best: see `Best`.
        error_weight: see `CueWeight`.
        distance_weight: see `CueWeight`.
        motion_weight: see `CueWeight`.
        warm_up_batches: rows of the warm-up requests; none where it is empty.
        max_video_frames: most frames of one video in a request.
        max_rows: most rows of a request; for videos, its frames are as many
            as those of that many windows.
        max_pixels_m: most pixels of all frames of a request, in millions.
    """
    from lgn_tf.runs.run import Run

    weights = cue_weights(error_weight, distance_weight, motion_weight)
    chosen = Run(run, "best" if best else "last").changed(cue_weights=weights)
    done = chosen.export(
        out,
        version=version,
        dtype=dtype,
        warm_up_batches=warm_up_batches,
        max_video_frames=max_video_frames,
        max_rows=max_rows,
        max_pixels_m=max_pixels_m,
    )
    print(done.path)
    for name, size in done.sizes.items():
        print(f"  {name}: {size:,} bytes")
    if not done.calibrated:
        print("  the run has no calibration: there is no online score")


@command
@needs_serving
def check_served(
    run: RunFolder,
    models: Annotated[
        tyro.conf.Positional[Path], tyro.conf.arg(metavar="MODELS")
    ],
    *,
    best: Best = False,
    data_root: TextOption = None,
    no_store: bool = False,
) -> None:
    """Compares the scores of a served export with those of the evaluation.

    Serves the export for a moment, scores the first test video over REST, and
    compares with what `lgn evaluate` stored.

    Args:
        run: an evaluated run.
        models: the folder of the versions that were exported from it.
        best: see `Best`.
        data_root: folder of the data set; that of the run where it is not
            given.
        no_store: decode frames whenever they are read, and keep none on disk.
    """
    from lgn_tf.exporting import check_served
    from lgn_tf.runs.run import Run

    chosen = Run(run, "best" if best else "last").changed(
        data_root=data_root, store=False if no_store else None
    )
    found = check_served.check(chosen, models)
    print(
        f"{found.frames} frames of {found.video}, served over REST, score "
        "what the evaluation scored:"
    )
    for name, difference in found.differences.items():
        reason = found.anew.get(name)
        words = f"; scored anew, since {reason}" if reason else ""
        print(f"  {name}: largest difference {difference:.2g}{words}")
