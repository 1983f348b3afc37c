"""An export appears whole or not at all, as its options say."""

import dataclasses
import json
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf

from lgn_tf.cli import main
from lgn_tf.exporting import model_card, saved_model, warm_up
from lgn_tf.runs import directory
from lgn_tf.runs.run import Run


@pytest.fixture
def quick(monkeypatch):
    """Leaves the graphs out: what is tested is what is around them."""

    def save(model, functions, endpoints, folder):
        del model, functions, endpoints
        (folder / "variables").mkdir()
        (folder / "variables/data").touch()
        (folder / "saved_model.pb").write_bytes(b"graph")

    monkeypatch.setattr(saved_model, "_save", save)


@pytest.mark.usefixtures("quick")
def test_versions_count_up(exported_run, tmp_path):
    run_dir = exported_run[0]
    out = tmp_path / "models/lgn"
    assert saved_model.export(Run(run_dir), out).path == out / "1"
    assert saved_model.export(Run(run_dir), out, version=7).path == out / "7"
    assert saved_model.export(Run(run_dir), out).path == out / "8"
    assert {path.name for path in out.iterdir()} == {"1", "7", "8"}
    with pytest.raises(FileExistsError, match=r"7 exists, and is not overw"):
        saved_model.export(Run(run_dir), out, version=7)
    assert {path.name for path in out.iterdir()} == {"1", "7", "8"}


@pytest.mark.usefixtures("quick")
def test_a_failure_leaves_nothing_behind(exported_run, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(warm_up, "write", full)
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

    monkeypatch.setattr(warm_up, "write", full)
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
    if not surplus:
        saved_model.export(Run(exported_run[0]), tmp_path)
        return
    with pytest.raises(ValueError, match=r"1\.02 times the weights, and 256"):
        saved_model.export(Run(exported_run[0]), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"version": 0}, "`version` must be at least 1. Received: version=0"),
        ({"warm_up_batches": (0,)}, r"`warm_up_batches` must be positive.*0"),
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


@pytest.mark.usefixtures("quick")
def test_the_command(exported_run, tmp_path, capsys):
    out = tmp_path / "models"
    arguments = ["export", "--run", str(exported_run[0]), "--out", str(out)]
    assert main.main(arguments) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"{out / '1'}\n")
    for name in ("weights", "variables", "graph", "warm-up requests"):
        assert re.search(rf"^  {name}: [\d,]+ bytes$", printed, re.MULTILINE)
    assert "no calibration" not in printed


@pytest.fixture
def told(monkeypatch):
    """Notes the statistics that the endpoints get."""
    given = []

    class Noted(saved_model.Endpoints):
        def __init__(self, model, statistics, *_, moving, **__):
            del model
            given.append((statistics, moving))

    monkeypatch.setattr(saved_model, "Endpoints", Noted)
    return given


WEIGHTS = {"error": 2.0, "distance": 0.25, "motion": 3.0}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("left_out", [None, "motion", "distance"])
def test_other_weights_of_the_cues(moving_run, tmp_path, told, left_out):
    run_dir, config, _, known = moving_run
    weights = WEIGHTS | ({left_out: 0.0} if left_out else {})
    arguments = ["export", "--run", str(run_dir), "--out", str(tmp_path)]
    for name, value in weights.items():
        arguments += [f"--{name}-weight", str(value)]
    assert main.main(arguments) == 0
    ((statistics, moving),) = told
    wanted = dataclasses.replace(known, weights=weights)
    for ours, theirs in (
        (statistics, wanted.statistics),
        (moving, wanted.moving_statistics),
    ):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            for name in ("error", "distance", "motion"):
                mine, other = getattr(ours, name), getattr(theirs, name)
                assert (mine and mine[:3]) == (other and other[:3])
            np.testing.assert_array_equal(ours.knots, theirs.knots)
    extra = tmp_path / "1" / saved_model.EXTRA
    card = json.loads((extra / model_card.JSON).read_text())
    assert card["calibration"]["cue_weights"] == weights
    exported = model_card.read_config(extra)
    assert exported.scoring.cue_weights == weights
    names = {each["name"] for each in card["endpoints"]}
    assert ("score_with_motion" in names) == (left_out != "motion")
    text = (extra / model_card.TEXT).read_text()
    words = ", ".join(f"{name} {value:g}" for name, value in weights.items())
    assert f"weights of the cues: {words} |" in text
    # The run keeps its own.
    assert directory.read_config(run_dir) == config


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--motion-weight", "-1"], "`motion_weight` must"),
        (
            ["--error-weight", "0", "--distance-weight", "0"],
            "`error_weight` or `distance_weight` must be above 0",
        ),
    ],
)
def test_weights_that_are_none(exported_run, tmp_path, capsys, flags, message):
    out = tmp_path / "out"
    arguments = ["export", "--run", str(exported_run[0]), "--out", str(out)]
    assert main.main([*arguments, *flags]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not out.exists()
