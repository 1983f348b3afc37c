"""The table of a run, and the warning that its gains give."""

import numpy as np
import pytest

from lgn_tf.runs import directory
from lgn_tf.training import epoch_log


def test_the_log_has_a_line_an_epoch(run_dir):
    rows = epoch_log.read_log(run_dir)
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert {"loss", "intensity", "psnr", "compactness"} <= set(rows[0])
    assert float(rows[0]["learning_rate"]) == np.float32(2e-4)
    assert rows[0]["seconds"] == "12.3"


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ("", None),
        ("epoch,loss\n1,0.5\n", None),
        ("epoch,gain\n1,-1.0\n2,0.01\n", None),
        ("epoch,gain\n1,1.0\n2,0.0\n", "predicts training video no better"),
        ("epoch,gain,val_gain\n1,1.0,-0.25\n", "held-out video no better"),
        ("epoch,gain,val_gain\n1,-1.0,0.25\n", None),
        ("epoch,gain,val_gain\n1,0.1,0.01\n2,0.2,0\n", "held-out video no"),
    ],
)
def test_a_model_that_copies_is_called_by_its_name(tmp_path, rows, sentence):
    if rows:
        (tmp_path / directory.LOG).write_text(rows)
    found = epoch_log.copying_warning(tmp_path)
    if sentence is None:
        assert found is None
    else:
        assert sentence in found and "--residual" in found
    if "-0.25" in rows:
        assert "(gain -0.25 dB)" in found


def test_a_model_that_was_better_before_is_told_to_train_shorter(tmp_path):
    rows = "epoch,gain,val_gain\n1,0.2,0.3\n2,0.9,0.7\n3,3.7,-0.14\n"
    (tmp_path / directory.LOG).write_text(rows)
    found = epoch_log.copying_warning(tmp_path)
    assert "held-out video no better than copying" in found
    assert "(gain -0.14 dB)" in found
    assert "(+0.70 dB after epoch 2): train shorter" in found
    assert "train longer" not in found


def test_lines_of_epochs_that_are_trained_again_are_dropped(
    run_dir, model, tmp_path
):
    source = run_dir / directory.LOG
    (tmp_path / directory.LOG).write_bytes(source.read_bytes())
    log = epoch_log.EpochLog(tmp_path, 1, lambda: 99.0)
    log.set_model(model)
    log.on_epoch_end(1, {"loss": 0.5})
    rows = epoch_log.read_log(tmp_path)
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert rows[1]["seconds"] == "99.0"
    assert rows[1]["loss"] == "0.5"


def test_no_log_has_no_lines(tmp_path):
    assert epoch_log.read_log(tmp_path) == []
