"""The command's door: help, version, one line for a user's mistake."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import lgn_tf
from lgn_tf.cli import main
from lgn_tf.data import verification


def test_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        main.main(["--version"])
    assert capsys.readouterr().out == f"lgn-tf {lgn_tf.__version__}\n"


@pytest.mark.parametrize("command", ["train", "convert", "verify"])
def test_help_of_each_command(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        main.main([command, "--help"])
    assert command in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["fly"]])
def test_an_unknown_command(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        main.main(arguments)
    assert "usage: lgn" in capsys.readouterr().err


def test_a_mistake_is_one_line(capsys, tmp_path):
    missing = tmp_path / "nowhere"
    assert main.main(["verify", "--data-root", str(missing)]) == 2
    error = capsys.readouterr().err
    assert error == f"lgn verify: {missing}: no such file or folder\n"


def test_ctrl_c_ends_without_a_traceback(monkeypatch, capsys, tmp_path):
    def stop(*arguments):
        raise KeyboardInterrupt(arguments)

    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "0.png").write_bytes(b"")
    monkeypatch.setattr(verification, "verify", stop)
    status = main.main(["verify", "--data-root", str(tmp_path)])
    assert status == main.INTERRUPTED
    assert capsys.readouterr().err == "lgn verify: stopped\n"


def test_score_wants_a_video(capsys):
    assert main.main(["score", "runs/demo"]) == 2
    assert "name at least one video" in capsys.readouterr().err


def test_a_mistake_is_one_line_whatever_the_name(capsys, tmp_path):
    missing = tmp_path / "a\x1b[2J\n\udcff[/bold]"
    assert main.main(["verify", "--data-root", str(missing)]) == 2
    error = capsys.readouterr().err
    assert error == (
        f"lgn verify: {tmp_path}/a\\x1b[2J \\udcff[/bold]: no such file or "
        "folder\n"
    )


def test_brackets_in_names_are_text(capsys, tmp_path):
    folder = tmp_path / "[bold]x[red]"
    (folder / "a[b]").mkdir(parents=True)
    (folder / "a[b]" / "0.png").write_bytes(b"")
    assert main.main(["verify", "--data-root", str(folder)]) == 2
    found = capsys.readouterr()
    assert "[bold]x[red]" in found.err and "a[b]" in found.out


def test_a_full_memory_is_one_line(capsys, monkeypatch, tmp_path):
    def fill(*_, **__):
        raise MemoryError

    monkeypatch.setattr(verification, "verify", fill)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "0.png").write_bytes(b"")
    assert main.main(["verify", "--data-root", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "lgn verify: the memory is used up\n"


def start(*arguments, **options):
    """Returns `lgn`, started with a buffer before its standard output."""
    surroundings = dict(os.environ)
    surroundings.pop("PYTHONUNBUFFERED", None)
    return subprocess.Popen(
        [sys.executable, "-m", "lgn_tf.cli.main", *arguments],
        stderr=subprocess.PIPE,
        env=surroundings,
        text=True,
        **options,
    )


@pytest.mark.parametrize("first", ["--version", "--help", "score"])
def test_a_full_standard_output_is_one_line(first):
    with Path("/dev/full").open("w") as full:
        process = start(first, *["-h"] * (first == "score"), stdout=full)
        error = process.communicate()[1]
    assert process.returncode == 2
    assert error == (
        f"lgn {first}: [Errno 28] No space left on device: 'standard output'\n"
    )


def test_a_reader_that_leaves_is_one_line():
    with start("--help", stdout=subprocess.PIPE) as process:
        process.stdout.close()
        error = process.stderr.read()
    assert process.returncode == 2
    assert error == "lgn --help: [Errno 32] Broken pipe: 'standard output'\n"


def test_no_standard_output(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(SystemExit, match="0"):
        main.main(["--version"])
