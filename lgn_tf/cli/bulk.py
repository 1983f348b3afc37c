"""`lgn bulk-score`."""

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Literal

import tyro

from lgn_tf.cli.options import Gamma, ResetMemory, parse


@dataclasses.dataclass(frozen=True)
class BulkScore:
    """Scores a frame store on many machines, with Apache Beam.

    The store is one that `lgn prepare` made. A second start goes on where an
    earlier one was stopped. All other options are Beam's and come last, such
    as --runner=FlinkRunner; without any it runs in this process. Paths may be
    those of an object store, such as gs://bucket/folder.

    Attributes:
        run: the run directory.
        store: the frame store.
        out: folder to write to, or to go on with.
        split: which videos.
        gamma: see `Gamma`.
        reset_memory: see `ResetMemory`.
    """

    run: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN")]
    store: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="STORE")]
    out: str
    split: Literal["test", "train", "all"] = "test"
    gamma: Gamma = None
    reset_memory: ResetMemory = False


def bulk_score(arguments: Sequence[str], program: str) -> None:
    """Runs the command; what is not its own goes to Beam."""
    from lgn_tf.backend import signals
    from lgn_tf.parallel import bulk_score

    options, more = parse(
        BulkScore, arguments, program, return_unknown_args=True
    )
    if more and not more[0].startswith("--"):
        raise ValueError(
            "Options of Beam must come last, and begin with --. "
            f"Received: {' '.join(more)}"
        )
    with signals.ended_by_sigterm():
        counts = bulk_score.score(
            options.run,
            options.store,
            options.out,
            split=options.split,
            gamma=options.gamma,
            reset_memory=options.reset_memory,
            beam_options=more,
        )
    for name in counts.too_short:
        print(f"skipped, too short for a score: {name}")
    print(
        f"{options.out}: {counts.scored} videos scored, {counts.there} "
        f"already there, {len(counts.too_short)} skipped as too short"
    )
