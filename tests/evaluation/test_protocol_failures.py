"""Evaluations that cannot be, that are killed or that find a full disk."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lgn_tf.cli import main
from lgn_tf.data.datasets import archives, layouts
from lgn_tf.data.synthetic import walkways
from lgn_tf.data.test_set import TestSet
from lgn_tf.data.video.footage import Encoded
from lgn_tf.evaluation import protocol, results
from lgn_tf.files import ownership, scratch
from lgn_tf.inference import calibrate
from lgn_tf.runs import directory, model_files
from lgn_tf.runs.run import Run

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("video,kind\n", "the first line must read `video,start,end,kind`"),
        ("video,start,end,kind\nTest009,1,2,cart\n", "must name a test video"),
        (
            "video,start,end,kind\nTest001,1,16,cart\n",
            "must be labelled abnormal. Found there: Test001, cart, frame",
        ),
    ],
)
def test_a_bad_table_of_kinds_is_one_line_before_anything_is_scored(
    text, message, place, evaluated, monkeypatch, capsys
):
    def scored(*_):
        raise AssertionError("nothing must be scored")

    path = place / "data" / "kinds.csv"
    before = path.read_text()
    path.write_text(text)
    monkeypatch.setattr(protocol, "score_test_set", scored)
    argv = ["evaluate", str(evaluated.parent), "--gamma", "0"]
    try:
        assert main.main([*argv, "--no-gamma-sweep"]) == 2
    finally:
        path.write_text(before)
    [line] = capsys.readouterr().err.splitlines()
    assert str(path) in line and message in line


def test_a_full_disk_leaves_the_former_evaluation(
    evaluated, run_dir, monkeypatch, capsys
):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "results.json")

    before = (evaluated / "results.json").read_bytes()
    monkeypatch.setattr(results, "write_results", full)
    argv = ["evaluate", str(run_dir), "--gamma", "0", "--no-gamma-sweep"]
    assert main.main(argv) == 2
    assert "No space left" in capsys.readouterr().err
    assert (evaluated / "results.json").read_bytes() == before
    assert not list(run_dir.glob(f"{scratch.PREFIX}*"))


def test_a_killed_evaluation_leaves_the_former_one(evaluated, run_dir):
    before = (evaluated / "results.json").read_bytes()
    code = (
        "import sys, time\n"
        "from lgn_tf.cli import main\n"
        "from lgn_tf.evaluation import results\n"
        "results.write_results = lambda *_: time.sleep(600)\n"
        f"main.main(['evaluate', {str(run_dir)!r}, '--no-gamma-sweep'])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
    )
    half = f"{scratch.PREFIX}*/new"
    try:
        until = time.monotonic() + 120
        while not list(run_dir.glob(f"{half}/frames/Test003.csv")):
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.2)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (evaluated / "results.json").read_bytes() == before
    assert list(run_dir.glob(half))
    argv = ["evaluate", str(run_dir), "--no-gamma-sweep"]
    assert main.main(argv) == 0
    assert not list(run_dir.glob(half))


def test_all_videos_too_short(run_dir, tmp_path):
    drawn = walkways.draw(5, train=0, test=2, frames=4, size=(32, 40))
    archives.write_drawn(drawn, tmp_path / "data", "ucsd")
    dataset = layouts.recognise(tmp_path / "data")
    encoded = Encoded(dataset.split("test"), (32, 32))
    with pytest.raises(ValueError, match="must have at least 5 frames"):
        Run(run_dir).evaluate(
            TestSet(dataset, encoded),
            tmp_path / "out",
            protocol.Options(gamma=0.0),
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["empty", "missing", "short", "twice"])
def test_score_refuses(kind, place, run_dir, tmp_path, capsys):
    video = place / "data" / "Test" / "Test001"
    paths, message = {
        "empty": ([tmp_path], "no videos and no frames"),
        "missing": ([tmp_path / "none"], "no such file or folder"),
        "short": ([video.with_name("Test002")], "no video is long enough"),
        "twice": ([video, place / "copy" / "Test001"], "different names"),
    }[kind]
    if kind == "twice":
        paths[1].mkdir(parents=True, exist_ok=True)
        for file in video.iterdir():
            (paths[1] / file.name).write_bytes(file.read_bytes())
    argv = ["score", str(run_dir), "--gamma", "0", "--out", str(tmp_path / "o")]
    assert main.main([*argv, *map(str, paths)]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    if kind == "short":
        assert "Test002: a video must have at least 5 frames" in captured.out


def test_weights_that_hold_no_numbers(run_dir, tmp_path, capsys):
    config, model = model_files.load(run_dir)
    bias = model.decoder.weights[-1]
    bias.assign(np.full(bias.shape, np.nan))
    model_files.save(tmp_path / "nan", config, model)
    argv = ["score", str(tmp_path / "nan"), str(run_dir), "--gamma", "0"]
    data = Path(config.data.data_root) / "Test" / "Test001"
    argv[2] = str(data)
    assert main.main(argv) == 2
    assert "weights must be finite" in capsys.readouterr().err


@pytest.mark.parametrize(
    "named", ["run", "notes", "file", "scores", "results", "video"]
)
def test_only_an_evaluation_is_replaced(
    named, evaluated, run_dir, tmp_path, monkeypatch, capsys
):
    def read(*_):
        raise AssertionError("nothing must be read")

    out = run_dir if named == "run" else tmp_path / named
    if named == "notes":
        out.mkdir()
        (out / "notes.txt").write_text("mine")
    elif named == "file":
        out.write_text("mine")
    elif named == "scores":
        (out / "frames").mkdir(parents=True)
        (out / "frames" / "one.csv").write_text("mine")
    elif named == "results":
        out.mkdir()
        (out / "results.json").write_text('{"mine": 1}')
    elif named == "video":
        # As of a first version, with a file that is of no video of it.
        shutil.copytree(evaluated, out)
        (out / ownership.MARK).unlink()
        protocol.require_replaceable(out)
        (out / "frames" / "mine.csv").write_text("mine")
    contents = {
        path: path.read_bytes()
        for path in (out, *out.rglob("*"))
        if path.is_file()
    }
    assert contents
    monkeypatch.setattr(Run, "source", read)
    assert main.main(["evaluate", str(run_dir), "--out", str(out)]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert str(out) in line and "overwritten" in line
    assert {path: path.read_bytes() for path in contents} == contents


def test_scores_are_not_written_into_an_evaluation(evaluated, run_dir, capsys):
    before = {
        path: path.read_bytes()
        for path in evaluated.rglob("*")
        if path.is_file()
    }
    data = evaluated.parents[1] / "data" / "Test" / "Test001"
    argv = ["score", str(run_dir), str(data), "--out", str(evaluated)]
    assert main.main(argv) == 2
    assert "holds one evaluation" in capsys.readouterr().err
    assert {
        path: path.read_bytes()
        for path in evaluated.rglob("*")
        if path.is_file()
    } == before


@pytest.mark.parametrize("there", ["frames/Test001.csv", "notes.txt", "link"])
def test_scores_are_not_written_over_files_of_ones_own(
    there, place, run_dir, tmp_path, capsys
):
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    (out / there).parent.mkdir(parents=True)
    (elsewhere / "frames").mkdir(parents=True)
    mine = elsewhere / "frames" / "Test001.csv"
    mine.write_text("mine")
    if there == "link":
        # Of a stranger, who marked the folder.
        ownership.claim(out, "scores")
        (out / "frames").symlink_to(elsewhere / "frames")
    else:
        (out / there).write_text("mine")
    data = place / "data" / "Test" / "Test001"
    argv = ["score", str(run_dir), str(data), "--gamma", "0"]
    assert main.main([*argv, "--out", str(out)]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert ("must be empty" in line) != (there == "link"), line
    assert mine.read_text() == "mine" and not (out / "maps").exists()
    assert there == "link" or (out / there).read_text() == "mine"


@pytest.mark.usefixtures("evaluated")
def test_the_results_of_replaced_weights_are_not_kept(
    run_dir, tmp_path, monkeypatch
):
    copied, real = tmp_path / "run", protocol.evaluate_folder
    shutil.copytree(run_dir, copied)
    before = (copied / "evaluation" / "results.json").read_bytes()

    def trained_again(*args, **options):
        model = model_files.load(copied)[1]
        model.weights[0].assign(model.weights[0] + 1)
        model_files.save_weights(copied, model)
        return real(*args, **options)

    monkeypatch.setattr(protocol, "evaluate_folder", trained_again)
    with pytest.raises(ValueError, match=r"weights\.h5: was replaced while"):
        Run(copied).evaluate()
    assert (copied / "evaluation" / "results.json").read_bytes() == before


@pytest.mark.usefixtures("evaluated")
def test_a_calibration_is_not_kept_while_the_run_is_trained(
    run_dir, monkeypatch
):
    run = Run(run_dir)
    found = run.calibration
    run.calibration_file.unlink()
    kept = Run(run_dir)
    monkeypatch.setattr(calibrate, "of_source", lambda *_: found)
    source = object()
    with directory.alone(run_dir):
        assert kept.calibrate(source) is found
    assert not run.calibration_file.exists()
    Run(run_dir).calibrate(source)
    assert run.calibration_file.exists()
