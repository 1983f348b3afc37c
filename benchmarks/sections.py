"""Sections of a Markdown file that a command writes anew.

A section lies between `<!-- NAME -->` and `<!-- /NAME -->`; all around it stays
as it is. One that is not there yet is added at the end.
"""

import datetime
import os
import platform
import re
from importlib import metadata
from pathlib import Path

from lgn_tf.files import atomic

RESULTS = Path(__file__).parent / "results.md"


def store(name, text, path=RESULTS):
    """Puts `text` in the place of a section.

    Args:
        name: of the section.
        text: Markdown.
        path: of the file; replaced whole.
    """
    old = path.read_text(encoding="utf-8") if path.is_file() else ""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    new = f"{begin}\n{text.strip()}\n{end}"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if pattern.search(old):
        # A function: the text may hold what looks like a group.
        old = pattern.sub(lambda _: new, old)
    else:
        old = f"{old.rstrip()}\n\n{new}\n"
    atomic.write_bytes(path, old.encode())


def machine():
    """Returns a sentence: day, processor, cores and versions."""
    names = ("tensorflow", "keras", "torch")
    versions = ", ".join(f"{name} {_version(name)}" for name in names)
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    return (
        f"{day}, {cores} cores of {_processor()}, {memory / 2**30:.0f} GiB; "
        f"{versions}; Python {platform.python_version()}."
    )


def _version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"


def _processor():
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii")
    except OSError:
        return platform.processor()
    name = re.search(r"model name\s*:\s*(.+)", text)
    flags = [flag for flag in ("avx512f", "avx512_bf16") if flag in text]
    return (
        f"{name.group(1) if name else platform.machine()} ({' '.join(flags)})"
    )


def table(heads, lines):
    """Returns a Markdown table.

    Args:
        heads: of the columns.
        lines: rows of texts.
    """
    return "\n".join(
        f"| {' | '.join(line)} |"
        for line in [heads, ["---"] * len(heads), *lines]
    )
