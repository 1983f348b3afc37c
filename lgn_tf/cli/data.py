"""`lgn verify`, `lgn prepare` and `lgn synthesize`.

What a command needs is imported when it runs, so that `lgn --help` is quick.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lgn_tf.data.datasets.dataset import Dataset


class _Names:
    """Names that are looked up when they are needed, for `choices`."""

    def __init__(self, find: Callable[[], Iterable[str]]) -> None:
        self._find = find

    def __iter__(self) -> Iterator[str]:
        return iter(self._find())


def _known_layouts() -> Iterable[str]:
    from lgn_tf.data.datasets import layouts

    return layouts.known_layouts()


def _written_layouts() -> Iterable[str]:
    from lgn_tf.data.datasets import layouts

    return layouts.written_layouts()


def _datasets_with_numbers() -> Iterable[str]:
    from lgn_tf.data import verification

    return verification.datasets_with_numbers()


def add(commands: Any) -> None:
    """Adds the subcommands of data to those of `lgn`."""
    _add_verify(commands)
    _add_prepare(commands)
    _add_synthesize(commands)


def _add_verify(commands: Any) -> None:
    parser = commands.add_parser("verify", help="check a data set on disk")
    parser.add_argument(
        "--dataset",
        choices=_Names(_datasets_with_numbers),
        metavar="NAME",
        help="compare with its published numbers (default: none); one of "
        "%(choices)s",
    )
    _add_source(parser)
    parser.set_defaults(run=_verify)


def _add_prepare(commands: Any) -> None:
    parser = commands.add_parser(
        "prepare", help="decode and resize a data set once, into a frame store"
    )
    _add_source(parser)
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of the store"
    )
    parser.add_argument(
        "--image-size",
        type=int,
        nargs=2,
        default=(256, 256),
        metavar=("HEIGHT", "WIDTH"),
        help="pixels that frames are resized to (default: 256 256)",
    )
    parser.add_argument(
        "--workers", type=int, help="threads (default: one for each core)"
    )
    for name, text in (
        ("--skip-bad", "leave out videos that cannot be read, and name them"),
        (
            "--motion",
            "also store the motion in the frames, measured in their own size: "
            "what `lgn bulk-score` needs for the online score with motion",
        ),
        ("--check", "only compare the store with its source's checksums"),
    ):
        parser.add_argument(name, action="store_true", help=text)
    parser.set_defaults(run=_prepare)


def _add_synthesize(commands: Any) -> None:
    parser = commands.add_parser(
        "synthesize", help="draw a small data set, in any layout"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder to write to"
    )
    parser.add_argument(
        "--layout",
        choices=_Names(_written_layouts),
        default="ucsd",
        metavar="NAME",
        help="one of %(choices)s (default: ucsd)",
    )
    for name, default, text in (
        ("seed", 0, "another camera, another crowd"),
        ("train", 8, "normal videos"),
        ("test", 6, "videos with anomalies"),
        ("frames", 120, "frames of each"),
    ):
        parser.add_argument(
            f"--{name}",
            type=int,
            default=default,
            help=f"{text} (default: {default})",
        )
    parser.add_argument(
        "--channels", type=int, choices=(1, 3), default=1, help="gray or colour"
    )
    parser.set_defaults(run=_synthesize)


def _add_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data-root",
        type=Path,
        required=True,
        help="the folder of the data set; its layout is recognised",
    )
    parser.add_argument(
        "--labels", type=Path, help="a file of frame labels that lies elsewhere"
    )
    parser.add_argument(
        "--layout",
        choices=_Names(_known_layouts),
        metavar="NAME",
        help="settles a folder that holds two layouts; one of %(choices)s",
    )


def _recognise(options: argparse.Namespace) -> "Dataset":
    from lgn_tf.data.datasets import layouts

    dataset = layouts.recognise(
        options.data_root, labels=options.labels, layout=options.layout
    )
    print(dataset.summary())
    return dataset


def _verify(options: argparse.Namespace) -> None:
    import rich.console
    import rich.table

    from lgn_tf.data import verification

    dataset = _recognise(options)
    report = verification.verify(dataset, options.dataset)
    table = rich.table.Table("check", "found", "expected", "")
    for row in report.rows:
        verdict = "ok" if row.good else "OFF"
        style = None if row.good else "bold red"
        table.add_row(row.check, row.found, row.expected, verdict, style=style)
    rich.console.Console().print(table)
    for problem in report.problems:
        print(problem)
    if report.problems:
        raise ValueError(
            f"{options.data_root}: {len(report.problems)} things are off"
        )


def _prepare(options: argparse.Namespace) -> None:
    import rich.progress

    from lgn_tf.data.store import preparation, store

    dataset = _recognise(options)
    if options.check:
        lines = store.open_store(options.out).stale(dataset)
        print("\n".join(lines) or f"{options.out}: agrees with its source")
        if lines:
            raise ValueError(
                f"{options.out}: {len(lines)} videos are stale; run "
                "`lgn prepare` again"
            )
        return
    columns = (
        *rich.progress.Progress.get_default_columns(),
        rich.progress.MofNCompleteColumn(),
    )
    with rich.progress.Progress(*columns) as bar:
        task = bar.add_task("frames", total=None)
        made = preparation.prepare(
            dataset,
            options.out,
            tuple(options.image_size),
            workers=options.workers,
            skip_bad=options.skip_bad,
            motion=options.motion,
            progress=lambda done, total: bar.update(
                task, completed=done, total=total
            ),
        )
    counts = store.describe(made.manifest)
    print(", ".join(f"{value} {name}" for name, value in counts.items()))
    for line in made.manifest.skipped:
        print(f"skipped: {line}")


def _synthesize(options: argparse.Namespace) -> None:
    from lgn_tf.data.datasets import archives
    from lgn_tf.data.synthetic import walkways
    from lgn_tf.evaluation import baselines

    walkway = walkways.draw(
        options.seed,
        train=options.train,
        test=options.test,
        frames=options.frames,
        channels=options.channels,
    )
    archives.write_drawn(walkway, options.out, options.layout)
    print(f"{options.out}: layout {options.layout}")
    if not walkway.test:
        return
    try:
        scores = baselines.evaluate(
            [clip.frames for clip in walkway.test],
            [clip.labels for clip in walkway.test],
        )
    except ValueError as error:
        print(f"no baselines: {error}")
        return
    print("frame AUC without a model:")
    for name, auc in scores.items():
        print(f"  {name}: {100 * auc:.1f}")
