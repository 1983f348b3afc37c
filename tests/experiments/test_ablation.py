"""Table II: its shape, going on, and what is refused."""

import json
import shutil

import numpy as np
import pytest

from experiments import ablation
from lgn_tf.cli import main
from lgn_tf.data.datasets import archives
from lgn_tf.data.synthetic import walkways
from lgn_tf.evaluation import results
from lgn_tf.runs import directory
from lgn_tf.runs.provenance import Provenance
from lgn_tf.training import callbacks, train


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("walkway") / "data"
    walkway = walkways.draw(2, train=3, test=2, frames=24, size=(32, 48))
    archives.write_drawn(walkway, folder, "ucsd")
    return folder


@pytest.fixture
def flags(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return [
        *("--dataset", "folder", "--data-root", str(root), "--holdout", "1"),
        *("--image-size", "16", "24", "--channels", "1", "--frames", "2"),
        *("--width", "0.0625", "--memory-items", "3", "--epochs", "1"),
        *("--batch-size", "8", "--variants", "loc_net", "glo_net"),
    ]


def never(*_, **__):
    raise AssertionError("nothing is to be trained")


def test_a_table_and_going_on_with_it(flags, tmp_path, capsys, monkeypatch):
    assert ablation.main(flags) == 0
    printed = capsys.readouterr().out
    assert "K = 1 training clips held out" in printed
    assert "in-sample" not in printed
    assert "online AUC" in printed
    assert "loc_net: lambda 1: there is no memory" in printed
    rows = [line for line in printed.splitlines() if line.startswith("│")]
    cells = [[cell.strip() for cell in row.split("│")[1:-1]] for row in rows]
    assert [row[:3] for row in cells] == [
        ["loc_net", "ConvLSTM", "-"],
        ["glo_net", "-", "memory"],
    ]
    last = json.loads(printed.splitlines()[-1])
    assert (last["holdout"], last["in_sample"]) == (1, False)
    assert last["seeds"] == [0]
    for place, (name, variant) in enumerate(
        (name, row[0]) for name in ("paper", "online") for row in cells
    ):
        (area,) = last[name][variant]
        shown = cells[place % 2][3 + place // 2]
        assert float(shown) == pytest.approx(area, abs=0.06)

    # The folder has no time in its name, and what is there is not trained.
    folder = tmp_path / "runs" / "ablation-folder"
    assert {path.name for path in folder.iterdir()} == {
        "loc_net-0",
        "glo_net-0",
    }
    with monkeypatch.context() as patched:
        patched.setattr(train, "train", never)
        assert ablation.main(flags) == 0
        again = capsys.readouterr().out
        assert json.loads(again.splitlines()[-1]) == last

        # Other settings, whatever the folder is called.
        assert ablation.main([*flags, "--normality-weight", "0.5"]) == 2
        error = capsys.readouterr().err
        assert len(error.splitlines()) == 1
        assert str(folder.relative_to(tmp_path) / "loc_net-0") in error
        assert "scoring.normality_weight=0.5 instead of 0.6" in error


def test_in_sample_and_spread_are_shown(flags, capsys, monkeypatch):
    def found(config, *_):
        seed = config.training.seed
        scores = {
            "paper": results.ScoreResult(micro_auc=0.8 + seed / 100),
            "online": results.ScoreResult(micro_auc=0.7),
        }
        stand = Provenance(holdout=0, in_sample=True, seed=seed)
        return results.Results(stand, scores, {}, {}, (), 44, 9, 0, None)

    monkeypatch.setattr(ablation, "_one", found)
    monkeypatch.setenv("COLUMNS", "200")
    few = [*flags, "--holdout", "0", "--variants", "glo_net"]
    assert ablation.main([*few, "--seeds", "1", "3"]) == 0
    printed = capsys.readouterr().out
    assert "K = 0 training clips held out" in printed
    assert "online AUC, in-sample" in printed
    assert "online score: in-sample" in printed
    assert "82.0 +- 1.4 (81.0 to 83.0, 2 seeds)" in printed
    assert json.loads(printed.splitlines()[-1]) == {
        "holdout": 0,
        "in_sample": True,
        "seeds": [1, 3],
        "paper": {"glo_net": [81.0, 83.0]},
        "online": {"glo_net": [70.0, 70.0]},
    }


@pytest.mark.parametrize(
    "refused",
    [
        ["--seed", "1"],
        ["--seed=0"],
        ["--variant", "glo_net"],
        ["--resume", "runs/mine"],
        ["--overwrite"],
    ],
)
def test_flags_that_mean_nothing_are_refused(
    flags, refused, capsys, monkeypatch
):
    monkeypatch.setattr(train, "train", never)
    assert ablation.main([*flags, *refused]) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert f"`{refused[0].partition('=')[0]}` is not taken" in error


def test_a_seed_in_a_file_is_refused(flags, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(train, "train", never)
    (tmp_path / "mine.toml").write_text("[training]\nseed = 3\n")
    assert ablation.main([*flags, "--config", "mine.toml"]) == 2
    assert "`--seed` is not taken" in capsys.readouterr().err


@pytest.mark.parametrize("left", ["no labels", "labels of one class"])
def test_data_without_an_area_are_refused(
    flags, root, left, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(train, "train", never)
    copy = tmp_path / "unlabelled"
    shutil.copytree(root, copy)
    for path in [*copy.rglob("*.m"), *copy.rglob("*_gt")]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    given = [str(copy) if flag == str(root) else flag for flag in flags]
    if left != "no labels":
        np.save(tmp_path / "normal.npy", np.zeros(48, np.uint8))
        given += ["--labels", str(tmp_path / "normal.npy")]
    assert ablation.main(given) == 2
    error = capsys.readouterr().err
    assert f"Found there: {left}" in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_a_stopped_table_is_one_line(flags, capsys, monkeypatch):
    def stop(config, run_dir, **_):
        directory.create(run_dir, config)
        raise callbacks.Interrupted("stopped in epoch 1 after 2 steps")

    monkeypatch.setattr(train, "train", stop)
    assert ablation.main(flags) == main.INTERRUPTED
    error = capsys.readouterr().err
    assert error == (
        "ablation: stopped in epoch 1 after 2 steps; the same command goes on\n"
    )
    asked = []
    monkeypatch.setattr(
        train, "train", lambda *_, resume, **__: asked.append(resume)
    )
    # It goes on with that run; there are no weights of it here.
    assert ablation.main(flags) == 2
    assert asked == [True]
    assert "is missing" in capsys.readouterr().err
