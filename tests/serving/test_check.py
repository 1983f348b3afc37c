"""Served scores are those of the evaluation, memory and all."""

import dataclasses
import shutil
import types

import numpy as np
import pytest

from lgn_tf import calibration as calibration_module
from lgn_tf import checkpoints, cli, inference, measures
from lgn_tf import config as config_module
from lgn_tf.data import sources
from lgn_tf.data.footage import InMemory

FRAMES = 9


@pytest.fixture
def evaluated(exported_run, tmp_path, monkeypatch):
    """Returns a function: gamma to an evaluated run directory."""
    run_dir, config, model, _ = exported_run
    rng = np.random.default_rng(4)
    clip = rng.integers(0, 256, (FRAMES, 16, 24, 3), dtype=np.uint8)
    footage = InMemory(["walk"], [clip])
    store = types.SimpleNamespace(split=lambda _: footage)
    source = types.SimpleNamespace(store=store)
    monkeypatch.setattr(sources, "open_source", lambda _: source)

    def evaluate(gamma):
        folder = tmp_path / "run"
        shutil.copytree(run_dir, folder)
        scoring = dataclasses.replace(config.scoring, update_threshold=gamma)
        config_module.write(
            dataclasses.replace(config, scoring=scoring),
            folder / checkpoints.CONFIG,
        )
        scorer = inference.VideoScorer(
            model,
            gammas=(gamma,),
            calibration=calibration_of(folder),
        )
        (scores,) = scorer.score("walk", [clip])
        # The online score is that of the trained items.
        plain = inference.VideoScorer(model, calibration=calibration_of(folder))
        (still,) = plain.score("walk", [clip])
        scores = dataclasses.replace(
            scores, online=still.online, online_map=still.online_map
        )
        measures.write(scores, folder / "evaluation")
        return folder, scores

    return evaluate


def calibration_of(folder):
    scoring = checkpoints.read_config(folder).scoring
    return calibration_module.load(
        folder / checkpoints.CALIBRATION, calibration_module.weights_of(scoring)
    )


@pytest.mark.slow
def test_the_memory_goes_along(evaluated, exported, capsys):
    run_dir, scores = evaluated(10.0)
    assert scores.updated.all()
    models = exported.path.parent
    assert cli.main(["check-served", str(run_dir), str(models)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"{FRAMES - 4} frames of walk, served over REST")
    for name in ("psnr", "distance", "regular_score", "online"):
        assert f"  {name}: largest difference" in printed
    changed = dataclasses.replace(scores, psnr=scores.psnr + 0.01)
    measures.write(changed, run_dir / "evaluation")
    assert cli.main(["check-served", str(run_dir), str(models)]) == 2
    assert "psnr of walk must be that of" in capsys.readouterr().err
