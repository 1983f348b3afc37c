"""Run directories appear whole or not at all."""

import json
import shutil

import numpy as np
import pytest

from lgn_tf.config.schema import Config, ModelConfig
from lgn_tf.evaluation import results
from lgn_tf.files import scratch
from lgn_tf.model.lgn_net import build_model
from lgn_tf.runs import directory, model_files
from lgn_tf.runs.run import Run

CONFIG = Config(ModelConfig(image_size=(16, 16), channels=1, width=1 / 16))


@pytest.fixture(scope="module")
def model():
    return build_model(CONFIG)


def another(model):
    """Returns a model of other weights; those of one variable differ."""
    other = build_model(CONFIG)
    other.set_weights(model.get_weights())
    variable = other.trainable_variables[-1]
    variable.assign(variable + 1)
    return other


def test_round_trip(model, tmp_path):
    run = tmp_path / "runs" / "name"
    model_files.save(run, CONFIG, model)
    config, loaded = model_files.load(run)
    assert config == CONFIG
    for ours, theirs in zip(
        loaded.get_weights(), model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert {path.name for path in run.iterdir()} == {
        directory.CONFIG,
        directory.WEIGHTS,
    }


def test_weights_are_saved_without_the_state_of_the_optimizer(tmp_path):
    model = build_model(CONFIG)
    model_files.save_weights(tmp_path, model)
    plain = (tmp_path / directory.WEIGHTS).stat().st_size
    model.compile()
    optimizer = model.optimizer
    optimizer.build(model.trainable_variables)
    model_files.save_weights(tmp_path, model)
    assert (tmp_path / directory.WEIGHTS).stat().st_size < 1.1 * plain
    # The model goes on with it.
    assert model.optimizer is optimizer
    fresh = build_model(CONFIG)
    model_files.save_weights(tmp_path, model)
    fresh.load_weights(tmp_path / directory.WEIGHTS)
    for ours, theirs in zip(
        fresh.get_weights(), model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", [directory.WEIGHTS, directory.BEST])
def test_new_weights_have_no_calibration_of_old_ones(model, name, tmp_path):
    names = [directory.CALIBRATION, directory.BEST_CALIBRATION]
    for each in names:
        (tmp_path / each).touch()
    model_files.save_weights(tmp_path, model, name)
    names.remove(directory.calibration_of(name))
    assert {path.name for path in tmp_path.iterdir()} == {name, *names}


@pytest.mark.parametrize("name", [directory.WEIGHTS, directory.BEST])
def test_the_same_weights_stay_with_their_calibration(model, name, tmp_path):
    model_files.save_weights(tmp_path, model, name)
    before = directory.stamp(tmp_path / name)
    calibration = directory.calibration_of(name)
    (tmp_path / calibration).touch()
    model_files.save_weights(tmp_path, model, name)
    assert directory.stamp(tmp_path / name) == before
    assert {path.name for path in tmp_path.iterdir()} == {name, calibration}
    # One number is enough to make them others.
    model_files.save_weights(tmp_path, another(model), name)
    assert {path.name for path in tmp_path.iterdir()} == {name}


def test_an_overwritten_run_is_there_until_the_new_one_is(
    tmp_path, monkeypatch
):
    run_dir = tmp_path / "run"
    directory.create(run_dir, CONFIG)
    (run_dir / directory.LOG).write_text("mine")

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(directory.schema, "write", full)
        with pytest.raises(OSError, match="No space left"):
            directory.create(run_dir, CONFIG, overwrite=True)
    assert (run_dir / directory.LOG).read_text() == "mine"
    directory.create(run_dir, CONFIG, overwrite=True)
    assert [path.name for path in run_dir.iterdir()] == [directory.CONFIG]
    assert list(tmp_path.iterdir()) == [run_dir]


def test_what_is_no_run_is_not_overwritten(tmp_path):
    (tmp_path / "run").mkdir()
    mine = tmp_path / "run" / directory.CONFIG
    mine.write_text('{"mine": true}')
    with pytest.raises(FileExistsError, match="is no run directory, so it is"):
        directory.create(tmp_path / "run", CONFIG, overwrite=True)
    assert mine.read_text() == '{"mine": true}'


def test_an_existing_run_is_not_touched(model, tmp_path):
    model_files.save(tmp_path / "run", CONFIG, model)
    before = (tmp_path / "run" / directory.WEIGHTS).read_bytes()
    with pytest.raises(FileExistsError, match="run exists"):
        model_files.save(tmp_path / "run", CONFIG, model)
    assert (tmp_path / "run" / directory.WEIGHTS).read_bytes() == before


def test_a_full_disk_leaves_nothing(model, monkeypatch, tmp_path):
    def fail(path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(model, "save_weights", fail)
    with pytest.raises(OSError, match="No space left"):
        model_files.save(tmp_path / "run", CONFIG, model)
    assert list(tmp_path.iterdir()) == []


def test_what_would_not_fit_is_not_begun(model, monkeypatch, tmp_path):
    """HDF5 brings the process down where the disk is full."""
    model_files.save_weights(tmp_path, model)
    size = (tmp_path / directory.WEIGHTS).stat().st_size
    before = (tmp_path / directory.WEIGHTS).read_bytes()
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(
        shutil, "disk_usage", lambda _: usage._replace(free=size)
    )
    with pytest.raises(OSError, match=r"No space left.* bytes are needed"):
        model_files.save_weights(tmp_path, model)
    assert (tmp_path / directory.WEIGHTS).read_bytes() == before
    with pytest.raises(OSError, match="No space left"):
        model_files.save(tmp_path / "run", CONFIG, model)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", [directory.CONFIG, directory.WEIGHTS])
def test_a_missing_file_is_named(model, name, tmp_path):
    model_files.save(tmp_path / "run", CONFIG, model)
    (tmp_path / "run" / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        model_files.load(tmp_path / "run")


@pytest.mark.parametrize("keep", [0, 1000, -1000])
def test_truncated_weights_are_named(model, keep, tmp_path):
    model_files.save(tmp_path / "run", CONFIG, model)
    path = tmp_path / "run" / directory.WEIGHTS
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=directory.WEIGHTS):
        model_files.load(tmp_path / "run")


def test_weights_of_another_model_are_named(model, tmp_path):
    model_files.save(tmp_path / "run", CONFIG, model)
    path = tmp_path / "run" / directory.CONFIG
    values = json.loads(path.read_text())
    values["model"]["memory_items"] = 11
    path.write_text(json.dumps(values))
    with pytest.raises(ValueError, match=directory.WEIGHTS):
        model_files.load(tmp_path / "run")


def test_a_broken_configuration_is_named(model, tmp_path):
    model_files.save(tmp_path / "run", CONFIG, model)
    (tmp_path / "run" / directory.CONFIG).write_text("{")
    with pytest.raises(ValueError, match=f"{directory.CONFIG}.*JSON"):
        model_files.load(tmp_path / "run")


def test_a_run_that_was_being_replaced_is_put_back(model, tmp_path):
    """Its process was killed between the two renames."""
    run_dir = tmp_path / "run"
    model_files.save(run_dir, CONFIG, model)
    for name in (run_dir, run_dir / directory.EVALUATION):
        name.mkdir(exist_ok=True)
        old = name.parent / f"{scratch.PREFIX}{16 * 'a'}" / scratch.OLD
        old.mkdir(parents=True)
        name.rename(old / name.name)
        if name == run_dir:
            assert directory.read_config(run_dir) == CONFIG
        else:
            with pytest.raises(FileNotFoundError, match=results.FILE):
                results.read_results(name)
        assert name.is_dir() and not old.exists()


@pytest.mark.parametrize("name", ["config.json", "evaluation", "scores/a.csv"])
def test_a_link_must_not_lead_out_of_a_run(model, tmp_path, name):
    run_dir, mine = tmp_path / "run", tmp_path / "mine"
    model_files.save(run_dir, CONFIG, model)
    shutil.copy(run_dir / directory.CONFIG, mine)
    (run_dir / name).unlink(missing_ok=True)
    (run_dir / name).parent.mkdir(exist_ok=True)
    (run_dir / name).symlink_to(mine)
    with pytest.raises(ValueError, match=f"{name}: a link must not leave"):
        directory.read_config(run_dir)


def test_a_link_to_a_run_and_one_within_it(model, tmp_path):
    model_files.save(tmp_path / "run", CONFIG, model)
    (tmp_path / "run" / "newest").symlink_to(directory.WEIGHTS)
    (tmp_path / "link").symlink_to(tmp_path / "run")
    assert directory.read_config(tmp_path / "link") == CONFIG


@pytest.mark.parametrize("how", ["trained", "overwritten"])
def test_weights_that_are_replaced_meanwhile(model, tmp_path, how):
    run_dir = tmp_path / "run"
    model_files.save(run_dir, CONFIG, model)
    run = Run(run_dir).changed(store=False)
    run.require_unchanged()
    if how == "trained":
        model_files.save_weights(run_dir, another(model))
    else:
        directory.create(run_dir, CONFIG, overwrite=True)
    with pytest.raises(ValueError, match="was replaced while it was"):
        run.require_unchanged()
    # A run without weights gets some.
    directory.create(run_dir, CONFIG, overwrite=True)
    run = Run(run_dir)
    model_files.save_weights(run_dir, model)
    assert run.model.built
