"""The command's door: help, version, one line for a user's mistake."""

import pytest

import lgn_tf
from lgn_tf import cli, demo


def test_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"lgn-tf {lgn_tf.__version__}\n"


@pytest.mark.parametrize("command", ["demo", "convert"])
def test_help_of_each_command(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main([command, "--help"])
    assert command in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["fly"]])
def test_an_unknown_command(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main(arguments)
    assert "usage: lgn" in capsys.readouterr().err


def test_a_mistake_is_one_line(monkeypatch, capsys):
    def fail():
        raise ValueError("`x` must be 1. Received: x=2")

    monkeypatch.setattr(demo, "run", fail)
    assert cli.main(["demo"]) == 2
    error = capsys.readouterr().err
    assert error == "lgn demo: `x` must be 1. Received: x=2\n"
