"""Workflows, issue forms and the other files that GitHub reads."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lgn_tf.cli import main

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
FORMS = [
    path
    for path in sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))
    if path.name != "config.yml"
]


def read(path):
    return yaml.safe_load(path.read_text())


def steps(path):
    """Yields every step of every job of a workflow."""
    for job in read(path)["jobs"].values():
        yield from job["steps"]


def commands(path):
    """Yields the words of every command that a workflow runs."""
    for step in steps(path):
        for line in step.get("run", "").splitlines():
            yield shlex.split(line)


def test_both_workflows_are_there():
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "release.yml"]
    assert sum(len(list(commands(path))) for path in WORKFLOWS) >= 4


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_what_a_workflow_calls_is_there(path):
    targets = re.findall(r"(?m)^([\w-]+):", (ROOT / "Makefile").read_text())
    for program, *arguments in commands(path):
        if program == "make":
            assert set(arguments) <= set(targets)
        elif program == "bash":
            assert (ROOT / arguments[0]).is_file()
        elif program == "python":
            assert arguments[0] == "-m"
            help_of = [sys.executable, "-m", arguments[1], "--help"]
            shown = subprocess.run(
                help_of, cwd=ROOT, capture_output=True, text=True, check=True
            )
            flags = {one for one in arguments[2:] if one.startswith("--")}
            assert flags <= set(re.findall(r"--[\w-]+", shown.stdout))
        else:
            assert program == "gh"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_has_few_rights_and_an_end(path):
    text = read(path)
    assert text["permissions"] == {"contents": "read"}
    assert all("timeout-minutes" in job for job in text["jobs"].values())
    for step in steps(path):
        assert ("run" in step) != ("uses" in step)
        if "uses" in step:
            assert re.fullmatch(
                r"[\w-]+/[\w-]+@(v\d+|release/v1)", step["uses"]
            )


def test_a_release_is_checked_before_it_is_published():
    text = read(ROOT / ".github/workflows/release.yml")
    # PyYAML reads the key `on` as true.
    assert text[True] == {"push": {"tags": ["v*"]}}
    jobs = text["jobs"]
    assert jobs["publish"]["needs"] == "build"
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert jobs["github-release"]["needs"] == "publish"
    assert jobs["github-release"]["permissions"] == {"contents": "write"}
    (check,) = (
        words
        for words in commands(ROOT / ".github/workflows/release.yml")
        if "tools.check_wheel" in words
    )
    assert {"--python", "--tag", "$GITHUB_REF_NAME"} <= set(check)


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_an_issue_form_is_one(path):
    form = read(path)
    assert {"name", "description", "body"} <= form.keys()
    assert form.keys() <= {"name", "description", "body", "labels"}
    names = []
    for element in form["body"]:
        attributes = element["attributes"]
        if element["type"] == "markdown":
            assert attributes["value"]
            continue
        names.append(element["id"])
        assert element["type"] in ("input", "textarea", "dropdown")
        assert attributes["label"]
        assert (element["type"] == "dropdown") == ("options" in attributes)
        assert element.get("validations", {"required": True})["required"]
    assert len(set(names)) == len(names) > 0


def test_the_forms_ask_for_what_an_answer_needs():
    asked = {
        path.stem: {one.get("id") for one in read(path)["body"]}
        for path in FORMS
    }
    assert asked.keys() == {"bug", "detection", "feature"}
    assert {"version", "environment", "command", "output", "verify"} <= asked[
        "bug"
    ]
    assert {"scored", "expected"} <= asked["detection"]


def test_the_commands_that_are_named_exist(capsys):
    with pytest.raises(SystemExit):
        main.main(["--help"])
    known = set(re.findall(r"[\w-]+", capsys.readouterr().out))
    for path in FORMS:
        named = re.findall(r"`lgn ([a-z-]+)", path.read_text())
        assert set(named) <= known, path.name


def test_the_citation():
    """The version is left out: it stands in `lgn_tf/__init__.py` alone."""
    text = read(ROOT / "CITATION.cff")
    required = {"cff-version", "message", "title", "authors"}
    assert required <= text.keys() and "version" not in text
    (paper,) = text["references"]
    assert paper["url"] in (ROOT / "README.md").read_text()
    assert {"type", "title", "authors"} <= paper.keys()
    for author in paper["authors"]:
        assert author.keys() == {"given-names", "family-names"}
