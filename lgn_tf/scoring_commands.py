"""`lgn evaluate` and `lgn score`.

What a command needs is imported when it runs, so that `lgn --help` is quick.
"""

import argparse
import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lgn_tf.data.dataset import Video

EVALUATION = "evaluation"
SCORES = "scores"


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
    _add_gamma(parser)
    parser.add_argument(
        "--no-gamma-sweep",
        action="store_true",
        help="score no other thresholds in the same pass",
    )
    parser.add_argument(
        "--smoothing",
        type=float,
        metavar="SHARE",
        help="report a causal moving average of the online score besides; "
        "the share of the newest frame, in (0, 1]",
    )
    parser.add_argument(
        "--best",
        action="store_true",
        help="the best weights by held-out videos instead of the last",
    )
    parser.add_argument(
        "--out", type=Path, help=f"default: RUN/{EVALUATION}, replaced"
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
    _add_gamma(parser)
    parser.add_argument("--out", type=Path, help=f"default: RUN/{SCORES}")
    parser.set_defaults(run=_score)


def _add_gamma(parser: argparse.ArgumentParser) -> None:
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


def _gamma(text: str) -> float | str:
    try:
        return text if text == "auto" else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be a number or auto. Received: {text!r}"
        ) from None


def _evaluate(options: argparse.Namespace) -> None:
    import rich.console

    from lgn_tf import (
        checkpoints,
        protocol,
        provenance,
        run_calibration,
        tables,
    )
    from lgn_tf.data import sources

    weights = checkpoints.BEST if options.best else checkpoints.WEIGHTS
    config, model = checkpoints.load(options.run_dir, weights)
    given = {"data_root": options.data_root, "labels": options.labels_version}
    given = {name: value for name, value in given.items() if value is not None}
    config = dataclasses.replace(
        config, data=dataclasses.replace(config.data, **given)
    )
    with _bar("preparing") as progress:
        source = sources.open_source(config, progress)
    with _bar("calibrating") as progress:
        calibration = run_calibration.of_run(
            options.run_dir, config, model, source, progress, weights
        )
    with _bar("scoring") as progress:
        results = protocol.evaluate(
            model,
            config,
            source.store.split("test"),
            source.dataset,
            options.out or options.run_dir / EVALUATION,
            calibration=calibration,
            options=protocol.Options(
                gamma=options.gamma,
                reset_memory=options.reset_memory,
                gamma_sweep=not options.no_gamma_sweep,
                labels=sources.version(config),
                smoothing=options.smoothing,
                weights=provenance.BEST if options.best else provenance.LAST,
            ),
            progress=progress,
        )
    console = rich.console.Console()
    console.print(tables.scores(results))
    if results.maps:
        console.print(tables.maps(results))
    for line in tables.notes(results):
        console.print(line)


def _score(options: argparse.Namespace) -> None:
    from lgn_tf import (
        calibration,
        checkpoints,
        inference,
        measures,
        provenance,
    )
    from lgn_tf.data import footage
    from lgn_tf.normality import normality

    videos = _videos(options.videos)
    config, model = checkpoints.load(options.run_dir)
    path = options.run_dir / checkpoints.CALIBRATION
    fitted = calibration.load(path) if path.is_file() else None
    gamma = provenance.threshold(config, fitted, options.gamma)
    weight = provenance.describe(config, fitted, gamma).normality_weight
    scorer = inference.VideoScorer(
        model,
        gammas=(gamma,),
        reset_memory=options.reset_memory,
        calibration=fitted,
    )
    out = options.out or options.run_dir / SCORES
    if fitted is None:
        print(f"{path}: not there, so there is no online score")
    elif fitted.in_sample:
        print(
            "online score: in-sample, calibrated on clips that were fitted on"
        )
    source = footage.Encoded(videos, model.image_size)
    total = sum(footage.promised_frames(video) for video in videos)
    skipped, done = [], 0
    with _bar("scoring") as progress:
        for index, video in enumerate(videos):

            def pieces(index: int = index) -> Iterator[Any]:
                nonlocal done
                for piece in source.stream(index, scorer.chunk):
                    yield piece
                    done += len(piece)
                    progress(done, max(done, total))

            try:
                (scores,) = scorer.score(video.name, pieces())
            except inference.TooShortError as error:
                skipped.append(str(error))
                continue
            paper = normality(scores.psnr, scores.distance, weight)
            measures.write(scores, out, normality=paper)
    for line in skipped:
        print(f"skipped: {line}")
    if len(skipped) == len(videos):
        raise ValueError("no video is long enough for a score")
    print(f"{out}: scores of {len(videos) - len(skipped)} videos")


def _videos(paths: list[Path]) -> list["Video"]:
    from lgn_tf.data import layouts

    videos = [
        video for path in paths for video in layouts.recognise(path).videos
    ]
    seen: dict[str, Path] = {}
    for video in videos:
        other = seen.setdefault(video.name, video.source)
        if other != video.source:
            raise ValueError(
                "Videos must have different names: each names its files. "
                f"Received: {other} and {video.source}"
            )
    return videos


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
