"""Files that version 0.1.0 wrote, before modules and classes were renamed.

The archive holds drawn videos; a run that ended, one that was stopped in its
second epoch, both with the frame store they trained from; the evaluation, the
scores and the export of the first, and its model in Keras' own format.
"""

import dataclasses
import tarfile
from pathlib import Path

import keras
import numpy as np
import pytest

from lgn_tf.cli import main
from lgn_tf.data.store import store
from lgn_tf.evaluation import results
from lgn_tf.runs import model_files
from lgn_tf.scores import video_scores

ARCHIVE = Path(__file__).with_name("files_of_0_1_0.tar.xz")
RUN, STOPPED = Path("runs/whole"), Path("runs/stopped")


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    """Unpacks the archive into the working directory of the test."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def series(scores):
    names = ("psnr", "distance", "regular_score", "online", "online_motion")
    return {name: getattr(scores, name) for name in names}


def test_a_run_scores_as_it_did():
    assert main.main(["score", str(RUN), "videos/Test/Test001"]) == 0
    before = series(video_scores.read_scores(Path("scores"), "Test001"))
    found = series(video_scores.read_scores(RUN / "scores", "Test001"))
    for name, values in before.items():
        assert np.isfinite(values).all()
        np.testing.assert_allclose(
            found[name], values, 1e-3, 1e-5, err_msg=name
        )


def test_an_evaluation_makes_a_report():
    assert main.main(["report", str(RUN)]) == 0
    assert "Test002" in (RUN / "report.html").read_text()


def test_a_run_is_evaluated_anew():
    argv = ["evaluate", str(RUN), "--gamma", "0.01", "--out", "again"]
    assert main.main(argv) == 0
    before, found = map(
        results.read_results, (RUN / "evaluation", Path("again"))
    )
    # A setting that is new since then is in the hash.
    hashed = dataclasses.replace(
        found.provenance, config_hash=before.provenance.config_hash
    )
    assert hashed == before.provenance
    for name, score in before.scores.items():
        area = found.scores[name].micro_auc
        assert area == pytest.approx(score.micro_auc, abs=0.01), name


@pytest.mark.slow
def test_a_stopped_run_goes_on_to_the_same_end():
    assert main.main(["train", "--resume", str(STOPPED)]) == 0
    _, expected = model_files.load(RUN)
    _, found = model_files.load(STOPPED)
    for one, two in zip(found.weights, expected.weights, strict=True):
        np.testing.assert_allclose(one, two, 1e-2, 1e-3, err_msg=one.path)


def test_keras_own_format_loads():
    loaded = keras.models.load_model("whole.keras")
    _, model = model_files.load(RUN)
    for one, two in zip(loaded.weights, model.weights, strict=True):
        np.testing.assert_array_equal(one, two, one.path)


@pytest.mark.slow
def test_an_export_is_served_and_checked():
    assert main.main(["evaluate", str(RUN)]) == 0
    assert main.main(["check-served", str(RUN), "saved_models/lgn_net"]) == 0


def test_a_frame_store_is_read():
    (folder,) = Path("stores").iterdir()
    found = store.Store(folder).split("test")
    assert found.names == ["Test001", "Test002"]
    assert found.read(0, 0, 5).shape == (5, 16, 24, 1)
