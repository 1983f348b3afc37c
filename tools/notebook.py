"""Makes a notebook of an example script, and runs it.

    python -m tools.notebook examples/quickstart.py
    python -m tools.notebook examples/quickstart.py --run --set steps=20

The script is in cells, each below a line `# %%`; `[markdown]` cells are
comments, `[script]` cells stay out of the notebook, and `[notebook]` cells are
comments in the script and code in the notebook. The first command writes the
notebook beside the script, without outputs; `--run` runs it in a folder of its
own and keeps nothing. `--run` needs nbclient and ipykernel.
"""

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_CELL = re.compile(r"^# %%(?: \[(\w+)\])?\n", re.MULTILINE)


def from_script(text: str) -> dict[str, Any]:
    """Returns the notebook of a script, in Jupyter's format 4.5.

    Args:
        text: of the script; what stands above its first cell is left out.

    Raises:
        ValueError: for a cell of an unknown kind.
    """
    _, *parts = _CELL.split(text)
    cells: list[dict[str, Any]] = []
    for kind, source in zip(parts[::2], parts[1::2], strict=True):
        if kind not in (None, "markdown", "notebook", "script"):
            raise ValueError(
                "A cell must be code, [markdown], [notebook] or [script]. "
                f"Received: [{kind}]"
            )
        if kind == "script":
            continue
        if kind is not None:
            source = re.sub(r"^# ?", "", source, flags=re.MULTILINE)
        cell: dict[str, Any] = {
            "cell_type": "markdown" if kind == "markdown" else "code",
            "id": f"cell-{len(cells)}",
            "metadata": {"tags": ["settings"]} if kind == "notebook" else {},
            "source": source.strip().splitlines(keepends=True),
        }
        if cell["cell_type"] == "code":
            cell |= {"execution_count": None, "outputs": []}
        cells.append(cell)
    kernel = {"display_name": "Python 3", "language": "python"}
    metadata = {
        "kernelspec": {**kernel, "name": "python3"},
        "language_info": {"name": "python"},
    }
    return {
        "cells": cells,
        "metadata": metadata,
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def run(notebook: dict[str, Any], settings: Sequence[str]) -> None:
    """Runs a notebook in a folder that is removed, and prints its outputs.

    Args:
        notebook: from `from_script`.
        settings: assignments that are added to the `[notebook]` cells, such as
            `steps=20`.

    Raises:
        nbclient.exceptions.CellExecutionError: where a cell raises.
    """
    import nbclient
    import nbformat

    for cell in notebook["cells"]:
        if cell["metadata"].get("tags") == ["settings"]:
            cell["source"] += [f"\n{one}" for one in settings]
    with tempfile.TemporaryDirectory() as folder:
        client = nbclient.NotebookClient(
            nbformat.reads(json.dumps(notebook), as_version=4),
            timeout=None,
            resources={"metadata": {"path": folder}},
        )
        for cell in client.execute().cells:
            for output in cell.get("outputs", ()):
                print(output.get("text", ""), end="")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        prog="python -m tools.notebook",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("script", type=Path)
    parser.add_argument("--run", action="store_true", help="run it")
    parser.add_argument(
        "--set", nargs="*", default=(), help="settings of the run"
    )
    options = parser.parse_args(arguments)
    notebook = from_script(options.script.read_text(encoding="utf-8"))
    if options.run:
        run(notebook, options.set)
        return
    text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    options.script.with_suffix(".ipynb").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
