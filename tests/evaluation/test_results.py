"""Results to and from JSON."""

import dataclasses
import json

import pytest

from lgn_tf.evaluation import results
from lgn_tf.evaluation.roc import Curve
from lgn_tf.runs.provenance import Provenance

WHOLE = results.Results(
    provenance=Provenance(
        dataset="ped2",
        label_version="ucsd",
        weight_origin="the paper's <b>",
        in_sample=True,
        holdout=2,
        cue_weights={"error": 1.0, "motion": 0.5},
    ),
    scores={
        "paper": results.ScoreResult(
            0.8125, 0.75, 0.2, 0.1, Curve((0.0, 0.1, 1.0), (0.0, 0.9, 1.0))
        ),
        "online": results.ScoreResult(),
    },
    baselines={
        "local difference": results.Opponent(
            1 / 3, interval=(0.25, 0.5), online=True, milliseconds=0.4
        )
    },
    maps={"error": results.MapResult(0.9, 0.1, None)},
    videos=(results.VideoResult("<script>", 46, None, 3, 0.1, None),),
    scored_frames=46,
    abnormal_frames=None,
    one_class_videos=1,
    gain=-0.25,
    comparisons={
        "paper": results.Comparison("local difference", 0.48, (0.1, 0.7), True),
        "online": results.Comparison("local difference", -0.5, None, False),
    },
    draws=1000,
    skipped_draws=3,
    lambda_sweep=((0.0, 0.5), (0.1, 0.625)),
    gamma_sweep=((0.009, 0.75),),
    kinds={
        "cart": results.KindResult(
            12, 2, {"paper": results.KindArea(0.75, (0.5, 0.875), False)}
        ),
        "fall": results.KindResult(
            0, 0, {"paper": results.KindArea(None, None, None)}
        ),
    },
)


def test_round_trip(tmp_path):
    results.write_results(WHOLE, tmp_path)
    assert results.read_results(tmp_path) == WHOLE
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def test_the_file_is_plain_json(tmp_path):
    results.write_results(WHOLE, tmp_path)
    values = json.loads((tmp_path / "results.json").read_text())
    assert values["scores"]["paper"]["micro_auc"] == 0.8125
    assert values["provenance"]["in_sample"] is True
    assert values["baselines"]["local difference"]["interval"] == [0.25, 0.5]
    assert values["comparisons"]["paper"]["beaten"] is True
    assert values["lambda_sweep"] == [[0.0, 0.5], [0.1, 0.625]]
    assert values["kinds"]["cart"]["areas"]["paper"]["found"] is False
    assert set(values) == {f.name for f in dataclasses.fields(WHOLE)}


def test_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"results\.json is missing"):
        results.read_results(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", '{"scores": 3}', "\xff"])
def test_damaged(tmp_path, text):
    (tmp_path / "results.json").write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=r"results\.json: not the results"):
        results.read_results(tmp_path)


def test_results_without_kinds_and_weights_of_cues(tmp_path):
    results.write_results(WHOLE, tmp_path)
    path = tmp_path / "results.json"
    values = json.loads(path.read_text())
    del values["kinds"], values["provenance"]["cue_weights"]
    path.write_text(json.dumps(values))
    found = results.read_results(tmp_path)
    stand = dataclasses.replace(WHOLE.provenance, cue_weights={})
    assert found == dataclasses.replace(WHOLE, kinds={}, provenance=stand)


def test_results_of_an_older_version(tmp_path):
    results.write_results(WHOLE, tmp_path)
    path = tmp_path / "results.json"
    values = json.loads(path.read_text())
    del values["gain"]
    path.write_text(json.dumps(values))
    with pytest.raises(
        ValueError, match="of this version; `lgn evaluate` makes them anew"
    ):
        results.read_results(tmp_path)
    values["gain"] = None
    values["baselines"] = {"difference": 0.5}
    path.write_text(json.dumps(values))
    with pytest.raises(ValueError, match=r"results\.json: not the results"):
        results.read_results(tmp_path)
