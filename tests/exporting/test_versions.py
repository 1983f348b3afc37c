"""Versions of an export: their numbers, and exports that fail."""

import shutil

import pytest
import tensorflow as tf

from lgn_tf.cli import main
from lgn_tf.exporting import memory_cost, saved_model, warm_up
from lgn_tf.files import atomic
from lgn_tf.runs import directory
from lgn_tf.runs.run import Run


@pytest.mark.usefixtures("quick")
def test_versions_count_up(exported_run, tmp_path):
    run_dir = exported_run[0]
    out = tmp_path / "models/lgn"
    assert saved_model.export(Run(run_dir), out).path == out / "1"
    assert saved_model.export(Run(run_dir), out, version=7).path == out / "7"
    assert saved_model.export(Run(run_dir), out).path == out / "8"
    assert {path.name for path in out.iterdir()} == {"1", "7", "8"}
    # No server would see the next one.
    (out / ("9" * 20)).mkdir()
    assert saved_model.export(Run(run_dir), out).path == out / "9"
    (out / ("9" * 20)).rmdir()
    shutil.rmtree(out / "9")
    with pytest.raises(FileExistsError, match=r"7 exists, and is not overw"):
        saved_model.export(Run(run_dir), out, version=7)
    assert {path.name for path in out.iterdir()} == {"1", "7", "8"}


@pytest.mark.usefixtures("quick")
def test_two_exports_at_once_get_two_numbers(exported_run, tmp_path):
    with atomic.folder(tmp_path / "1") as first:
        (first / "saved_model.pb").touch()
        with pytest.raises(BlockingIOError, match="another process writes it"):
            saved_model.export(Run(exported_run[0]), tmp_path, version=1)
        second = saved_model.export(Run(exported_run[0]), tmp_path)
    assert second.path == tmp_path / "2"
    assert {path.name for path in tmp_path.iterdir()} == {"1", "2"}


@pytest.mark.usefixtures("quick")
def test_what_is_no_number_of_a_version_is_passed_over(exported_run, tmp_path):
    for name in ("9" * 20, "\u0663", "0003", "4th", "-5"):
        (tmp_path / name).mkdir()
    done = saved_model.export(Run(exported_run[0]), tmp_path)
    assert done.path == tmp_path / "4"


@pytest.mark.usefixtures("quick")
def test_a_failure_leaves_nothing_behind(exported_run, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(warm_up, "write_requests", full)
    kept = tmp_path / "kept"
    kept.mkdir()
    for out in (kept / "new/models", kept):
        with pytest.raises(OSError, match="No space left"):
            saved_model.export(Run(exported_run[0]), out)
        assert list(kept.iterdir()) == []


@pytest.mark.usefixtures("quick")
def test_a_failure_leaves_what_others_wrote(
    exported_run, tmp_path, monkeypatch
):
    out = tmp_path / "new/models"

    def full(*_):
        (out / "9").mkdir()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(warm_up, "write_requests", full)
    with pytest.raises(OSError, match="No space left"):
        saved_model.export(Run(exported_run[0]), out)
    assert [path.name for path in out.iterdir()] == ["9"]


def test_a_full_disk_while_tensorflow_writes(
    exported_run, tmp_path, monkeypatch
):
    def full(*_, **__):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left")

    monkeypatch.setattr(tf.saved_model, "save", full)
    monkeypatch.setattr(saved_model.Endpoints, "functions", lambda _: {})
    monkeypatch.setattr(saved_model.signatures, "endpoints", lambda *_: ())
    with pytest.raises(OSError, match=r"models: No space left"):
        saved_model.export(Run(exported_run[0]), tmp_path / "models")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("surplus", [0, 1])
def test_variables_that_take_too_much(
    exported_run, tmp_path, monkeypatch, surplus
):
    def save(model, _, __, folder):
        allowed = 1.02 * 4 * model.count_params() + 256 * len(model.weights)
        (folder / "variables").mkdir()
        (folder / "variables/data").write_bytes(bytes(int(allowed) + surplus))
        (folder / "saved_model.pb").touch()

    monkeypatch.setattr(saved_model, "_save", save)
    monkeypatch.setattr(memory_cost, "measure", lambda *_: {})
    if not surplus:
        saved_model.export(Run(exported_run[0]), tmp_path)
        return
    with pytest.raises(ValueError, match=r"1\.02 times the weights, and 256"):
        saved_model.export(Run(exported_run[0]), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"version": 0}, "`version` must be from 1 to 9.*7. Received.*=0"),
        ({"version": 2**63}, "`version` must be from 1 to 9.*7. Received.*=9"),
        ({"warm_up_batches": (0,)}, r"`warm_up_batches` must be 1 to 64.*0"),
        ({"warm_up_batches": (65,)}, r"`warm_up_batches` must be 1 to 64.*65"),
        ({"max_rows": 0}, "`rows` must be at least 1.*rows=0"),
        ({"max_pixels_m": 0}, "`pixels` must be at least 1.*pixels=0"),
        ({"max_video_frames": 4}, "`max_video_frames` must be.*window, 5"),
        ({"dtype": "float8"}, "float8"),
    ],
)
def test_options_out_of_bounds(exported_run, tmp_path, options, match):
    with pytest.raises(ValueError, match=match):
        saved_model.export(Run(exported_run[0]), tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_run_without_weights(exported_run, tmp_path, capsys):
    run_dir = tmp_path / "run"
    shutil.copytree(exported_run[0], run_dir)
    (run_dir / directory.WEIGHTS).unlink()
    out = tmp_path / "models"
    assert main.main(["export", "--run", str(run_dir), "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert "model.weights.h5 is missing" in error and error.count("\n") == 1
    assert not out.exists()
