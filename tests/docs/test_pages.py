"""Links, navigation, commands and programs of the documentation's pages."""

import ast
import re

import pytest

import lgn_tf
from tests.docs import pages
from tests.docs.pages import PAGES, ROOT
from tools.site import commands

BEAMS = {"--runner", "--project", "--region", "--parallelism"}
"""Flags of `lgn bulk-score` that are Beam's; its others have underscores."""


def listed():
    """Returns the commands on docs/commands.md."""
    return {name for names in commands.ACTIVITIES.values() for name in names}


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    """No flag is broken between two lines of a help text."""
    monkeypatch.setenv("COLUMNS", "200")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_a_file_and_a_heading(page):
    links = re.findall(r"\]\((?!\w+:)([^)#]*)#?([^)]*)\)", pages.prose(page))
    for path, anchor in links:
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), path
        if anchor:
            name = target.resolve().relative_to(ROOT).as_posix()
            assert anchor in pages.headings(name), f"{path}#{anchor}"


def test_links_are_found():
    assert "scores-and-results" in pages.headings("docs/files.md")
    assert "" not in pages.headings("docs/files.md")


def test_every_page_is_in_the_navigation():
    entries = list(pages.navigation())
    assert len(entries) == len(set(entries))
    assert {page for page in PAGES if page.startswith("docs/")} <= set(entries)
    assert set(entries) <= set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_commands_of_blocks_exist(page):
    for command in pages.commands(page):
        if not command.program.startswith("lgn"):
            assert pages.sources(command.program), command
        elif command.program != "lgn --help":
            assert pages.help_of(command.program), command
        for flag in command.flags:
            beams = command.program == "lgn bulk-score" and (
                flag in BEAMS or "_" in flag
            )
            assert beams or flag in pages.known_flags(command.program), command


def test_commands_are_found():
    found = [each for page in PAGES for each in pages.commands(page)]
    assert len(found) > 50
    every = {f"lgn {name}" for name in listed()}
    assert every <= {each.program for each in found}
    assert sum(len(each.flags) for each in found) > 80
    assert not pages.help_of("lgn no-such-command")
    assert "--no-such-flag" not in pages.known_flags("lgn train")


@pytest.mark.parametrize("page", PAGES)
def test_commands_of_the_prose_exist(page):
    if page == "CHANGELOG.md":  # It also names what is gone.
        return
    for code in re.findall(r"`([^`\n]+)`", pages.prose(page)):
        for name in re.findall(r"\blgn ([a-z][a-z-]+)", code):
            assert pages.help_of(f"lgn {name}"), code
        for module in re.findall(r"python -m ([\w.]+)", code):
            assert pages.sources(f"-m {module}"), code
        for flag in pages.flags_in(code):
            assert "_" in flag or flag in flags_of_the_project(), code


def flags_of_the_project():
    """Returns the flags of every program, whichever it is."""
    found = {"--cacert"} | pages.known_flags("lgn-client")
    for name in listed():
        found |= pages.known_flags(f"lgn {name}")
    tops = ("lgn_tf/cli", "experiments", "benchmarks", "tools", "tests/soak")
    for top in tops:
        for path in (ROOT / top).rglob("*.py"):
            found |= pages.known_flags(path.relative_to(ROOT).as_posix())
    return found


def programs():
    for page in PAGES:
        for number, (language, code) in enumerate(pages.blocks(page)):
            if language == "python":
                yield pytest.param(code, id=f"{page}-{number}")


@pytest.mark.parametrize("code", list(programs()))
def test_names_that_programs_use_exist(code):
    modules = {}
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for each in node.names:
                place = pages.module_file(f"{node.module}.{each.name}")
                modules[each.name] = place
                owner = pages.module_file(node.module)
                if place is None and owner is not None:
                    assert each.name in pages.names_in(owner), each.name
                elif node.module.startswith("lgn_"):
                    assert place is not None, f"{node.module}.{each.name}"
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="lgn_tf"), attr=name):
                assert name in dir(lgn_tf)
            case ast.Attribute(value=ast.Name(id=module), attr=name):
                place = modules.get(module)
                assert place is None or name in pages.names_in(place), name


def test_the_help_of_every_command_is_on_its_page():
    """`make commands` writes the page anew."""
    assert commands.PAGE.read_text() == commands.page()
    found = re.findall(r"(?m)^[ │]{2,6}([a-z][a-z-]+)\b", pages.help_of("lgn"))
    assert len(found) > 10
    assert set(found) == listed()


def test_every_public_name_is_on_the_page_of_python():
    page = pages.text("docs/python.md")
    (members,) = re.findall(r"members: \[(.*)\]", page)
    functions = {"score", "evaluate", "export"}
    public = {name for name in dir(lgn_tf) if not name.startswith("_")}
    assert "::: lgn_tf.Run\n" in page
    assert {"Run", *members.split(", ")} == public - functions
    for name in public:
        assert f"`{name}`" in page, name
