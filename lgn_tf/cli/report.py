"""`lgn report`.

What the command needs is imported when it runs, so that `lgn --help` is quick.
"""

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Adds the subcommand to those of `lgn`."""
    parser = commands.add_parser(
        "report", help="the evaluation of a run as one page of HTML"
    )
    parser.add_argument("run_dir", type=Path, metavar="RUN")
    parser.add_argument(
        "--out", type=Path, help="file to write (default: RUN/report.html)"
    )
    parser.set_defaults(run=_report)


def _report(options: argparse.Namespace) -> None:
    from lgn_tf.report import page

    path = page.write(options.run_dir, options.out)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
