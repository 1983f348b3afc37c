"""`lgn report`."""

import numpy as np

from lgn_tf.cli import main
from lgn_tf.evaluation import results
from lgn_tf.evaluation.evaluate import evaluate_scores
from lgn_tf.runs.provenance import Provenance
from lgn_tf.scores import video_scores
from tests.helpers.drawn_scores import draw


def test_report(tmp_path, capsys):
    labels = np.arange(20) // 10
    folder = tmp_path / "evaluation"
    video_scores.write_scores(draw("01", labels), folder, labels[4:])
    found = evaluate_scores(
        video_scores.ScoreFolder(folder), {"01": labels}, Provenance()
    )
    results.write_results(found, folder)
    assert main.main(["report", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/report.html: 0.1 MB\n"
    other = tmp_path / "other.html"
    assert main.main(["report", str(tmp_path), "--out", str(other)]) == 0
    assert other.read_bytes() == (tmp_path / "report.html").read_bytes()


def test_a_run_that_was_not_evaluated(tmp_path, capsys):
    assert main.main(["report", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("lgn report: ") and error.count("\n") == 1
    assert "results.json is missing" in error
