"""`lgn report`."""

from pathlib import Path

from lgn_tf.cli.options import RunFolder, command


@command
def report(run: RunFolder, out: Path | None = None) -> None:
    """Writes the evaluation of a run as one page of HTML.

    Args:
        run: an evaluated run.
        out: file to write, with its charts in a folder beside it;
            RUN/report.html where it is not given.
    """
    from lgn_tf.report import page

    path = page.write_report(run, out)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
