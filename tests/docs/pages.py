"""The pages of the documentation, and what stands in them."""

import ast
import contextlib
import functools
import io
import re
import shlex
from pathlib import Path
from typing import NamedTuple

import yaml

from lgn_client import client
from lgn_tf.cli import main

ROOT = Path(__file__).parents[2]
PACKAGES = (ROOT, ROOT / "serving")
SETTINGS = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
PLACES = ("*.md", "docs/**/*.md", "serving/**/*.md", "benchmarks/*.md")
PAGES = tuple(
    path.relative_to(ROOT).as_posix()
    for pattern in PLACES
    for path in sorted(ROOT.glob(pattern))
)
PROGRAMS = {"train.py": "train", "export.py": "export"}


class Command(NamedTuple):
    """A command of a code block: its program's name and the words after it."""

    program: str
    words: tuple[str, ...]

    @property
    def flags(self):
        return [
            word.partition("=")[0]
            for word in self.words
            if word.startswith("--")
        ]


def text(page):
    return (ROOT / page).read_text()


def blocks(page):
    """Returns (language, code) of each block of a page."""
    return re.findall(r"(?m)^```(\w*)\n(.*?)^```", text(page), re.DOTALL)


def prose(page):
    """Returns a page without its blocks."""
    return re.sub(r"(?ms)^```.*?^```", "", text(page))


def headings(page):
    """Returns the anchors of a page that GitHub and the site agree on."""
    found = set()
    for title in re.findall(r"(?m)^#+ (.*)", prose(page)):
        # A link in a heading counts with its text.
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()
        plain = re.sub(r"[^\w\s-]", "", plain).strip()
        anchor = plain.replace(" ", "-")
        if anchor == re.sub(r"[-\s]+", "-", plain):
            found.add(anchor)
    return found


def navigation(entries=SETTINGS["nav"]):
    """Yields the pages of the navigation."""
    for entry in entries:
        for value in entry.values():
            if isinstance(value, str):
                yield value
            else:
                yield from navigation(value)


def commands(page):
    """Yields the commands of a page that belong to this project."""
    for language, code in blocks(page):
        if language not in ("", "sh", "bash"):
            continue
        for line in code.replace("\\\n", " ").splitlines():
            with contextlib.suppress(ValueError):  # a quote that is not closed
                yield from _commands(shlex.split(line, comments=True))


def _commands(words):
    while words and re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    match words:
        case ["lgn", name, *rest]:
            yield Command(f"lgn {name}", tuple(rest))
        case ["lgn-client", *rest] | ["python", "-m", "lgn_client", *rest]:
            yield Command("lgn-client", tuple(rest))
        case ["python", "-m", module, *rest]:
            yield Command(f"-m {module}", tuple(rest))
        case ["python", program, *rest] if program in PROGRAMS:
            yield Command(f"lgn {PROGRAMS[program]}", tuple(rest))
        case ["python", program, *rest]:
            yield Command(program, tuple(rest))


@functools.cache
def help_of(program):
    """Returns what `program --help` prints; empty where there is none."""
    name, *words = program.split()
    entry = {"lgn": main.main, "lgn-client": client.main}[name]
    printed = io.StringIO()
    with (
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.suppress(SystemExit),
    ):
        entry([*words, "--help"])
    return printed.getvalue()


def flags_in(words):
    return set(re.findall(r"(?<![\w-])--[a-z][\w-]*", words))


@functools.cache
def known_flags(program):
    """Returns the flags of a program, from its help or from its source."""
    if program.startswith(("lgn ", "lgn-client")):
        return flags_in(help_of(program))
    return flags_in("".join(path.read_text() for path in sources(program)))


def sources(program):
    """Returns the files of a program that `python` starts."""
    if not program.startswith("-m "):
        return [ROOT / program]
    place = program.removeprefix("-m ").replace(".", "/")
    for top in PACKAGES:
        if (top / place / "__main__.py").is_file():
            return sorted((top / place).glob("*.py"))
        if (top / f"{place}.py").is_file():
            return [top / f"{place}.py", *_imported(top / f"{place}.py")]
    return []


def _imported(path):
    """Yields the modules of this project that a module imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                found = module_file(f"{node.module}.{name.name}")
                if found is not None:
                    yield found


def module_file(name):
    """Returns the file of a module; None where this project has none."""
    for top in PACKAGES:
        place = top / name.replace(".", "/")
        for path in (place.with_suffix(".py"), place / "__init__.py"):
            if path.is_file():
                return path
    return None


@functools.cache
def names_in(path):
    """Returns the names that a module defines or imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                found |= {each.asname or each.name for each in names}
            case ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
    return found
