"""Writes docs/commands.md: the help of every command, as the command prints it.

python -m tools.site.commands
"""

import contextlib
import io
import os
from pathlib import Path
from unittest import mock

PAGE = Path(__file__).parents[2] / "docs/commands.md"
ACTIVITIES = {
    "Data": ("verify", "prepare", "synthesize"),
    "Training": ("train", "convert"),
    "Scores and evaluation": ("score", "bulk-score", "evaluate", "report"),
    "Serving": ("export", "serve", "check-served"),
}
WIDTH = 100
INTRODUCTION = """\
# Command line

`lgn COMMAND --help` prints the help of a command. This page holds the help of all commands.

- `python train.py` is the same as `lgn train`, and `python export.py` is the same as `lgn export`.
- A mistake in the input ends in one line on stderr and exit status 2. After Ctrl-C the exit status is 130.
- The shown defaults of `lgn train` are those of `--dataset ped2`; every data set has its own.
"""  # noqa: E501


def page() -> str:
    """Returns the text of the page."""
    from lgn_client import client
    from lgn_tf.cli import main

    parts = [INTRODUCTION, _block(main.main, [])]
    for activity, commands in ACTIVITIES.items():
        parts.append(f"## {activity}\n")
        for command in commands:
            parts.append(f"### `lgn {command}`\n")
            parts.append(_block(main.main, [command]))
    parts.append("## The client\n\n### `lgn-client`\n")
    parts.append(_block(client.main, []))
    return "\n".join(parts)


def _block(main, arguments: list[str]) -> str:
    printed = io.StringIO()
    with (
        mock.patch.dict(os.environ, COLUMNS=str(WIDTH)),
        contextlib.redirect_stdout(printed),
        contextlib.suppress(SystemExit),
    ):
        main([*arguments, "--help"])
    lines = [line.rstrip() for line in printed.getvalue().strip().splitlines()]
    return "\n".join(["```text", *lines, "```", ""])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
