"""`lgn evaluate` and `lgn score`.

What a command needs is imported when it runs, so that `lgn --help` is quick.
"""

import argparse
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_CUES = ("error", "distance", "motion")


def add(commands: Any) -> None:
    """Adds the subcommands to those of `lgn`."""
    parser = commands.add_parser(
        "evaluate", help="score and evaluate the test videos of a run"
    )
    parser.add_argument("run_dir", type=Path, metavar="RUN")
    for flag, text in (
        ("--data-root", "folder of the data set (default: that of the run)"),
        ("--labels-version", "of the frame labels (default: that of the run)"),
    ):
        parser.add_argument(flag, help=text)
    add_gamma(parser)
    parser.add_argument(
        "--no-gamma-sweep",
        action="store_true",
        help="score no other thresholds in the same pass",
    )
    parser.add_argument(
        "--smoothing",
        type=float,
        metavar="SECONDS",
        help="of the causal average of the online scores that is reported "
        "besides; 0 leaves it out (default: 0.3 where the frame rate is known)",
    )
    parser.add_argument(
        "--fps",
        type=float,
        help="frames a second, to time alarms by (default: the published "
        "rate of the data set)",
    )
    add_cue_weights(parser)
    parser.add_argument(
        "--best",
        action="store_true",
        help="the best weights by held-out videos instead of the last",
    )
    parser.add_argument(
        "--out", type=Path, help="default: RUN/evaluation, replaced"
    )
    parser.set_defaults(run=_evaluate)
    parser = commands.add_parser(
        "score", help="score any videos: a table and maps of each"
    )
    parser.add_argument("run_dir", type=Path, metavar="RUN")
    parser.add_argument(
        "videos",
        type=Path,
        nargs="+",
        metavar="VIDEO",
        help="a video file, a folder of frames, or a folder of either",
    )
    add_gamma(parser)
    parser.add_argument(
        "--workers",
        type=_workers,
        metavar="N|auto",
        help="processes that score at once, where videos do not depend on "
        "each other: --gamma 0 or --reset-memory (default: auto, one for each "
        "GPU, or for each two cores where the model is small)",
    )
    parser.add_argument("--out", type=Path, help="default: RUN/scores")
    parser.set_defaults(run=_score)


def add_gamma(parser: argparse.ArgumentParser) -> None:
    """Adds what decides about the update at test time."""
    parser.add_argument(
        "--gamma",
        type=_gamma,
        help="update threshold at test time; 0 never updates, auto takes a "
        "quantile of the calibration (default: that of the run)",
    )
    parser.add_argument(
        "--reset-memory",
        action="store_true",
        help="start each video with the trained items",
    )


def add_cue_weights(parser: argparse.ArgumentParser) -> None:
    """Adds the weights of the cues in the online score."""
    for cue in _CUES:
        parser.add_argument(
            f"--{cue}-weight",
            type=float,
            metavar="WEIGHT",
            help=f"of the {cue} in the online score; 0 leaves it out "
            "(default: that of the run)",
        )


def cue_weights(options: argparse.Namespace) -> dict[str, float]:
    """Returns the weights that were given, by cue."""
    given = {cue: getattr(options, f"{cue}_weight") for cue in _CUES}
    return {cue: value for cue, value in given.items() if value is not None}


def _gamma(text: str) -> float | str:
    try:
        return text if text == "auto" else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be a number or auto. Received: {text!r}"
        ) from None


def _workers(text: str) -> int | None:
    try:
        return None if text == "auto" else int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be a whole number or auto. Received: {text!r}"
        ) from None


def _evaluate(options: argparse.Namespace) -> None:
    import rich.console

    from lgn_tf.data import sources
    from lgn_tf.evaluation import protocol, tables
    from lgn_tf.runs.run import Run

    run = Run(options.run_dir, "best" if options.best else "last").changed(
        data_root=options.data_root,
        labels=options.labels_version,
        cue_weights=cue_weights(options),
    )
    if options.fps is not None and not options.fps > 0:
        raise ValueError(
            f"`--fps` must be positive. Received: fps={options.fps:g}"
        )
    # A run without weights is refused before anything is decoded.
    _ = run.model
    with _bar("preparing") as progress:
        source = run.source(progress)
    with _bar("calibrating") as progress:
        run.calibrate(source, progress)
    with _bar("scoring") as progress:
        results = run.evaluate(
            source.test_set(sources.version(run.config)),
            options.out,
            protocol.Options(
                gamma=options.gamma,
                reset_memory=options.reset_memory,
                gamma_sweep=not options.no_gamma_sweep,
                smoothing=options.smoothing,
                frame_rate=options.fps,
            ),
            progress,
        )
    console = rich.console.Console()
    console.print(tables.scores(results))
    if results.kinds:
        console.print(tables.kinds(results))
    if results.maps:
        console.print(tables.maps(results))
    if results.events:
        console.print(tables.events(results))
    for line in tables.notes(results):
        console.print(line)


def _score(options: argparse.Namespace) -> None:
    from lgn_tf.data.video import footage
    from lgn_tf.inference import run_scorer
    from lgn_tf.parallel import processes
    from lgn_tf.runs import directory, run

    videos = run.videos(*options.videos)
    scoring = run_scorer.describe(
        run.Run(options.run_dir), options.gamma, options.reset_memory
    )
    out = options.out or options.run_dir / directory.SCORES
    if scoring.in_sample is None:
        path = options.run_dir / directory.CALIBRATION
        print(f"{path}: not there, so there is no online score")
    elif scoring.in_sample:
        print(
            "online score: in-sample, calibrated on clips that were fitted on"
        )
    total = sum(footage.promised_frames(video) for video in videos)
    if scoring.independent:
        environments = processes.plan(
            options.workers, len(videos), total, scoring.small
        )
    else:
        _keep_in_order(options.workers, len(videos), scoring.gamma)
        environments = [{}]
    done = 0
    with processes.stoppable(), _bar("scoring") as progress:

        def report(count: int) -> None:
            nonlocal done
            done += count
            progress(done, max(done, total))

        work = run_scorer.Work(options.run_dir, scoring, out)
        results = processes.run(work, videos, environments, report)
    skipped = [reason for reason in results if reason is not None]
    for line in skipped:
        print(f"skipped: {line}")
    if len(skipped) == len(videos):
        raise ValueError("no video is long enough for a score")
    print(f"{out}: scores of {len(videos) - len(skipped)} videos")


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


@contextlib.contextmanager
def _bar(name: str) -> Iterator[Callable[[int, int], None]]:
    """Shows a progress bar; hands out `progress(done, total)`."""
    import rich.progress

    columns = (
        *rich.progress.Progress.get_default_columns(),
        rich.progress.MofNCompleteColumn(),
    )
    with rich.progress.Progress(*columns, transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
