"""From files to a report, by the commands a user types."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lgn_tf.cli import main
from lgn_tf.data.datasets import archives
from lgn_tf.data.synthetic import walkways
from lgn_tf.files import media
from lgn_tf.runs import directory
from lgn_tf.scores import video_scores
from lgn_tf.training import callbacks, train

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("walkway") / "data"
    walkway = walkways.draw(2, train=3, test=2, frames=24, size=(32, 48))
    archives.write_drawn(walkway, folder, "ucsd")
    return folder


@pytest.fixture
def flags(root, tmp_path):
    return [
        *("--dataset", "folder", "--data-root", str(root)),
        *("--runs", str(tmp_path / "runs"), "--name", "mine"),
        *("--stores", str(tmp_path / "stores"), "--holdout", "1"),
        *("--variant", "glo_net", "--image-size", "16", "24"),
        *("--channels", "1", "--frames", "2", "--width", "0.0625"),
        *("--memory-items", "3", "--batch-size", "4", "--epochs", "1"),
    ]


def test_train_evaluate_report(flags, tmp_path, capsys):
    run_dir = tmp_path / "runs" / "mine"
    assert main.main(["train", *flags]) == 0
    assert f"run directory: {run_dir}" in capsys.readouterr().out
    assert (run_dir / directory.CALIBRATION).is_file()

    assert main.main(["evaluate", str(run_dir)]) == 0
    assert "paper" in capsys.readouterr().out
    results = json.loads((run_dir / "evaluation" / "results.json").read_text())
    assert results["provenance"]["holdout"] == 1
    assert results["provenance"]["in_sample"] is False

    assert main.main(["report", str(run_dir)]) == 0
    page = (run_dir / "report.html").read_text()
    assert "<svg" in page
    assert "://" not in page.replace("http://www.w3.org/", "")

    # A second run of the name is refused, and the first one left alone.
    before = (run_dir / directory.WEIGHTS).read_bytes()
    assert main.main(["train", *flags]) == 2
    assert "is not overwritten" in capsys.readouterr().err
    assert (run_dir / directory.WEIGHTS).read_bytes() == before


def test_a_stopped_run_says_how_to_go_on(flags, tmp_path, capsys, monkeypatch):
    def stop(*_, **__):
        raise callbacks.Interrupted("stopped in epoch 1 after 2 steps")

    monkeypatch.setattr(train, "train", stop)
    assert main.main(["train", *flags]) == main.INTERRUPTED
    run_dir = tmp_path / "runs" / "mine"
    assert f"train.py --resume {run_dir}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--resume", "nowhere"], "no run directory"),
        (["--dataset", "ped2"], "`data_root` must name the folder"),
        (["--dataset", "ped2", "--data-root", "nowhere"], "no such file"),
    ],
)
def test_what_cannot_be_trained_on_is_one_line(
    arguments, message, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert main.main(["train", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_the_script_is_the_command():
    done = subprocess.run(
        [sys.executable, "train.py", "--dataset", "avenue", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "usage: train.py" in done.stdout
    assert "--update-threshold" in done.stdout


@pytest.mark.slow
def test_train_and_evaluate_without_a_store(root, tmp_path, capsys):
    """Nothing is stored; the scores are those of a run that stores frames."""
    stores, runs = tmp_path / "stores", tmp_path / "runs"
    flags = [
        *("--dataset", "folder", "--data-root", str(root), "--holdout", "1"),
        *("--image-size", "16", "24", "--channels", "1", "--width", "0.0625"),
        *("--steps", "2", "--batch-size", "4", "--runs", str(runs)),
        *("--stores", str(stores)),
    ]
    assert main.main(["train", *flags, "--name", "a", "--no-store"]) == 0
    assert main.main(["evaluate", str(runs / "a")]) == 0
    assert not stores.exists()
    assert main.main(["train", *flags, "--name", "b"]) == 0
    assert main.main(["evaluate", str(runs / "b")]) == 0
    assert stores.is_dir()
    for name in ("Test001", "Test002"):
        one, two = (
            video_scores.read_scores(runs / run / "evaluation", name)
            for run in "ab"
        )
        np.testing.assert_array_equal(one.psnr, two.psnr)
        np.testing.assert_array_equal(one.online, two.online)
    capsys.readouterr()
    # A damaged frame ends a training in one line that names it.
    bad = next((root / "Train").rglob("003.tif"))
    whole = bad.read_bytes()
    bad.write_bytes(b"")
    try:
        argv = ["train", *flags, "--name", "c", "--no-store"]
        assert main.main(argv) == 2
    finally:
        bad.write_bytes(whole)
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and f"{bad}: not a readable image" in error


def test_video_files_need_a_store(tmp_path, capsys):
    frames = np.zeros((8, 16, 24, 1), np.uint8)
    media.write_video(tmp_path / "train/a.avi", frames)
    argv = ["train", "--dataset", "folder", "--data-root", str(tmp_path)]
    argv += ["--no-store", "--name", "a", "--runs", str(tmp_path / "runs")]
    assert main.main(argv) == 2
    assert "`store` must be on for video files" in capsys.readouterr().err
    assert not (tmp_path / "runs/a").exists()
