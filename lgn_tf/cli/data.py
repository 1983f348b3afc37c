"""`lgn verify`, `lgn prepare` and `lgn synthesize`."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import tyro

from lgn_tf.cli.options import CountOption, PathOption, command
from lgn_tf.cli.progress import bar
from lgn_tf.data import verification
from lgn_tf.data.datasets import layouts
from lgn_tf.data.datasets.dataset import Dataset
from lgn_tf.files import untrusted

if TYPE_CHECKING:
    KnownLayout: TypeAlias = str
    WrittenLayout: TypeAlias = str
    NumberedDataset: TypeAlias = str
else:
    # The registry says what there is to choose from.
    choice = tyro.extras.literal_type_from_choices
    KnownLayout = choice(list(layouts.known_layouts()))
    WrittenLayout = choice(list(layouts.written_layouts()))
    NumberedDataset = choice(list(verification.datasets_with_numbers()))


@command
def verify(
    *,
    data_root: Path,
    dataset: NumberedDataset | None = None,
    labels: PathOption = None,
    layout: KnownLayout | None = None,
) -> None:
    """Checks a data set on disk.

    Args:
        data_root: the folder of the data set; its layout is recognised.
        dataset: compare with the published numbers of this one.
        labels: a file of frame labels that lies elsewhere.
        layout: settles a folder that holds two layouts.
    """
    import rich.console
    import rich.table

    report = verification.verify(_recognise(data_root, labels, layout), dataset)
    table = rich.table.Table("check", "found", "expected", "")
    for row in report.rows:
        verdict = "ok" if row.good else "OFF"
        style = None if row.good else "bold red"
        table.add_row(row.check, row.found, row.expected, verdict, style=style)
    rich.console.Console(markup=False, emoji=False).print(table)
    for problem in report.problems:
        print(untrusted.one_line(problem))
    if report.problems:
        raise ValueError(f"{data_root}: {len(report.problems)} things are off")


@command
def prepare(
    *,
    data_root: Path,
    out: Path,
    labels: PathOption = None,
    layout: KnownLayout | None = None,
    image_size: tuple[int, int] = (256, 256),
    workers: CountOption = None,
    skip_bad: bool = False,
    motion: bool = False,
    check: bool = False,
) -> None:
    """Decodes and resizes a data set once, into a frame store.

    Args:
        data_root: the folder of the data set; its layout is recognised.
        out: folder of the store.
        labels: a file of frame labels that lies elsewhere.
        layout: settles a folder that holds two layouts.
        image_size: (height, width) in pixels that frames are resized to.
        workers: threads; one for each core where it is not given.
        skip_bad: leave out videos that cannot be read, and name them.
        motion: also store the motion in the frames, measured in their own
            size, which `lgn bulk-score` needs for the online score with
            motion.
        check: only compare the store with its source's checksums.
    """
    from lgn_tf.data.store import preparation, store
    from lgn_tf.data.store.manifest import manifest_counts

    dataset = _recognise(data_root, labels, layout)
    if check:
        lines = store.open_store(out).stale(dataset)
        print("\n".join(lines) or f"{out}: agrees with its source")
        if lines:
            raise ValueError(
                f"{out}: {len(lines)} videos are stale; run `lgn prepare` again"
            )
        return
    with bar("frames") as progress:
        made = preparation.prepare(
            dataset,
            out,
            image_size,
            workers=workers,
            skip_bad=skip_bad,
            motion=motion,
            progress=progress,
        )
    counts = manifest_counts(made.manifest)
    print(", ".join(f"{value} {name}" for name, value in counts.items()))
    for line in made.manifest.skipped:
        print(f"skipped: {untrusted.one_line(line)}")


@command
def synthesize(
    *,
    out: Path,
    layout: WrittenLayout = "ucsd",
    seed: int = 0,
    train: int = 8,
    test: int = 6,
    frames: int = 120,
    channels: Literal[1, 3] = 1,
) -> None:
    """Draws a small data set, in any layout.

    Args:
        out: folder to write to; must be empty or not exist.
        layout: of the files.
        seed: another camera, another crowd.
        train: normal videos.
        test: videos with anomalies.
        frames: frames of each.
        channels: 1 is gray, 3 colour.
    """
    from lgn_tf.data.datasets import archives
    from lgn_tf.data.synthetic import walkways
    from lgn_tf.evaluation import baselines
    from lgn_tf.files import atomic

    with atomic.folder(out) as folder:
        walkway = walkways.draw(
            seed, train=train, test=test, frames=frames, channels=channels
        )
        archives.write_drawn(walkway, folder, layout)
    print(f"{out}: layout {layout}")
    if not walkway.test:
        return
    try:
        scores = baselines.baseline_aucs(
            [clip.frames for clip in walkway.test],
            [clip.labels for clip in walkway.test],
        )
    except ValueError as error:
        print(f"no baselines: {error}")
        return
    print("frame AUC without a model:")
    for name, auc in scores.items():
        print(f"  {name}: {100 * auc:.1f}")


def _recognise(
    root: Path, labels: Path | None, layout: KnownLayout | None
) -> Dataset:
    dataset = layouts.recognise(root, labels=labels, layout=layout)
    print(dataset.summary())
    return dataset
