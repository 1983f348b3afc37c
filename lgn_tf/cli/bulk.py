"""`lgn bulk-score`.

What a command needs is imported when it runs, so that `lgn --help` is quick.
"""

import argparse
from typing import Any

from lgn_tf.cli import score


def add(commands: Any) -> None:
    """Adds the subcommand to those of `lgn`."""
    parser = commands.add_parser(
        "bulk-score",
        help="score a frame store on many machines, with Apache Beam",
        description="Scores the videos of a store that `lgn prepare` made. "
        "Goes on where an earlier start was stopped. All other options are "
        "Beam's and come last, such as --runner=FlinkRunner; without any it "
        "runs in this process. Paths may be those of Beam's file systems.",
        allow_abbrev=False,
    )
    parser.add_argument("run_dir", metavar="RUN")
    parser.add_argument("store", metavar="STORE")
    parser.add_argument(
        "--out", required=True, help="folder to write to, or to go on with"
    )
    parser.add_argument(
        "--split",
        choices=("test", "train", "all"),
        default="test",
        help="which videos (default: test)",
    )
    score.add_gamma(parser)
    parser.set_defaults(run=_bulk_score, takes_more=True)


def _bulk_score(options: argparse.Namespace) -> None:
    from lgn_tf.parallel import bulk_score, processes

    if options.more and not options.more[0].startswith("--"):
        raise ValueError(
            "Options of Beam must come last, and begin with --. "
            f"Received: {' '.join(options.more)}"
        )
    with processes.stoppable():
        counts = bulk_score.score(
            options.run_dir,
            options.store,
            options.out,
            split=options.split,
            gamma=options.gamma,
            reset_memory=options.reset_memory,
            beam_options=options.more,
        )
    for name in counts.too_short:
        print(f"skipped, too short for a score: {name}")
    print(
        f"{options.out}: {counts.scored} videos scored, {counts.there} "
        f"already there, {len(counts.too_short)} skipped as too short"
    )
