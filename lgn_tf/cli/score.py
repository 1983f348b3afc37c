"""`lgn score`."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from lgn_tf.cli.options import (
    Gamma,
    PathOption,
    ResetMemory,
    RunFolder,
    command,
)
from lgn_tf.cli.progress import bar
from lgn_tf.files import listings, untrusted

Videos = Annotated[
    tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="VIDEO ...")
]


@command
def score(
    run: RunFolder,
    videos: Videos,
    *,
    gamma: Gamma = None,
    reset_memory: ResetMemory = False,
    workers: int | Literal["auto"] = "auto",
    out: PathOption = None,
) -> None:
    """Scores any videos: a table and maps of each.

    Args:
        run: the run directory.
        videos: each a video file, a folder of frames, or a folder of either.
        gamma: see `Gamma`.
        reset_memory: see `ResetMemory`.
        workers: processes that score at once, where videos do not depend on
            each other (--gamma 0 or --reset-memory); auto takes one for each
            GPU, or for each two cores where the model is small.
        out: folder to write; RUN/scores where it is not given.
    """
    from lgn_tf.backend import signals
    from lgn_tf.data.datasets import layouts
    from lgn_tf.data.video import footage
    from lgn_tf.inference import run_scorer
    from lgn_tf.parallel import processes
    from lgn_tf.runs.run import Run

    if not videos:
        raise ValueError("name at least one video file or folder")
    found = layouts.videos_at(*videos)
    scoring = run_scorer.scoring_of(Run(run), gamma, reset_memory)
    out = _claimed(run, out)
    _say_how_calibrated(run, scoring.in_sample)
    total = sum(footage.promised_frames(video) for video in found)
    wanted = None if workers == "auto" else workers
    if scoring.independent:
        environments = processes.plan(wanted, len(found), total, scoring.small)
    else:
        _keep_in_order(wanted, len(found), scoring.gamma)
        environments = [{}]
    done = 0
    with signals.ended_by_sigterm(), bar("scoring") as progress:

        def report(count: int) -> None:
            nonlocal done
            done += count
            progress(done, max(done, total))

        work = run_scorer.Work(run, scoring, out)
        results = processes.run(work, found, environments, report)
    skipped = [reason for reason in results if reason is not None]
    for line in skipped:
        print(f"skipped: {untrusted.one_line(line)}")
    if len(skipped) == len(found):
        raise ValueError("no video is long enough for a score")
    print(f"{out}: scores of {len(found) - len(skipped)} videos")


def _claimed(run: Path, out: Path | None) -> Path:
    """Returns the folder of the scores, in which nothing else lies."""
    from lgn_tf.runs import directory
    from lgn_tf.scores import video_scores

    if out is None:
        out = run / directory.SCORES
        listings.require_inside(run, out)
    video_scores.claim(out)
    return out


def _say_how_calibrated(run: Path, in_sample: bool | None) -> None:
    from lgn_tf.runs import directory

    if in_sample is None:
        path = run / directory.CALIBRATION
        print(f"{path}: not there, so there is no online score")
    elif in_sample:
        print(
            "online score: in-sample, calibrated on clips that were fitted on"
        )


def _keep_in_order(wanted: int | None, videos: int, gamma: float) -> None:
    """Says why there is one process; refuses where more were asked for."""
    reason = (
        f"the memory goes on from video to video (gamma is {gamma:g}), so "
        "their order matters; --reset-memory or --gamma 0 makes them "
        "independent"
    )
    if wanted not in (None, 1):
        raise ValueError(
            f"`workers` must be 1: {reason}. Received: workers={wanted}"
        )
    if wanted is None and videos > 1:
        print(f"one process: {reason}")
