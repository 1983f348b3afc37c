"""What an exported version says of the evaluation of its run."""

import dataclasses
import json
import re

import numpy as np
import pytest

from lgn_tf.config.schema import Config
from lgn_tf.evaluation import notes, results
from lgn_tf.evaluation.evaluate import evaluate_scores
from lgn_tf.exporting import model_card
from lgn_tf.runs.provenance import Provenance
from lgn_tf.runs.run import Run
from lgn_tf.scores import fitting
from tests.helpers.drawn_scores import draw, opposition

LABELS = {
    name: np.repeat(np.array([0, 1, 0], np.uint8), (9, 10, 5))
    for name in ("01", "02")
}


def describe(run_dir):
    return model_card.make_card(Run(run_dir), Config(), (), {}, {})


@pytest.fixture
def evaluated(tmp_path):
    found = evaluate_scores(
        [draw(name, marks) for name, marks in LABELS.items()],
        LABELS,
        Provenance(dataset="ped2", normality_weight=0.5),
        baselines={name: opposition(20, copying=50.0) for name in LABELS},
    )
    folder = tmp_path / "run" / "evaluation"
    folder.mkdir(parents=True)
    results.write_results(found, folder)
    return found


def test_the_results_stand_on_the_card(evaluated, tmp_path):
    model_card.write_card(describe(tmp_path / "run"), tmp_path)
    card = json.loads((tmp_path / model_card.JSON).read_text())
    path = tmp_path / "run" / "evaluation" / "results.json"
    assert card["results"] == json.loads(path.read_text())
    assert card["verdicts"] == notes.verdicts(evaluated)
    text = (tmp_path / model_card.TEXT).read_text()
    verdicts = notes.verdicts(evaluated)
    assert len(verdicts) == 2
    for sentence in verdicts:
        assert f"- {sentence}\n" in text
    assert "- the model predicts no better than copying the last" in text


@pytest.mark.parametrize("weight", [1.0, 2.5])
def test_results_of_other_weights_are_marked(evaluated, tmp_path, weight):
    theirs = {"error": 1.0, "motion": 1.0}
    stand = dataclasses.replace(evaluated.provenance, cue_weights=theirs)
    results.write_results(
        dataclasses.replace(evaluated, provenance=stand),
        tmp_path / "run" / "evaluation",
    )
    known = fitting.fit_calibration(
        [draw("clip", np.zeros(14), memory=False)],
        in_sample=False,
        weights={"error": 1.0, "motion": weight},
        motion=[np.ones((10, 3, 4), np.float32)],
    )
    run = Run(tmp_path / "run")
    run.__dict__["calibration"] = known
    card = model_card.make_card(run, Config(), (), {}, {})
    marks = [line for line in card["notes"] if "weigh the cues" in line]
    assert marks == (
        []
        if weight == 1
        else [
            "the online scores below weigh the cues otherwise than this "
            "version: error 1, motion 1"
        ]
    )
    assert set(notes.notes(evaluated)) <= set(card["notes"])


def test_a_run_that_was_not_evaluated(tmp_path):
    card = describe(tmp_path)
    assert card["results"] is card["verdicts"] is card["notes"] is None
    model_card.write_card(card, tmp_path)
    text = (tmp_path / model_card.TEXT).read_text()
    assert text.endswith("## Results\n\n\n```json\nnull\n```\n")


@pytest.mark.parametrize("text", ["{", '{"micro_auc": 0.9}'])
def test_results_that_cannot_be_read(tmp_path, text):
    path = tmp_path / "run" / "evaluation" / "results.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(ValueError, match=r"results\.json: not the results"):
        describe(tmp_path / "run")


HOSTILE = "x](http://evil.example) | <b>`*_\n# head ~~ &amp; \x1b[2J"


def test_names_are_text_in_markdown():
    text = model_card.escaped(HOSTILE)
    assert "\n" not in text and "\x1b" not in text
    assert not re.search(r"(?<!\\)([\]\[|<>`*_#&]|://)", text)
    assert model_card.escaped("walks at 3.5 m/s, 12:30") == (
        "walks at 3.5 m/s, 12:30"
    )


@pytest.mark.usefixtures("evaluated")
def test_a_hostile_run_has_a_card_of_the_same_lines(tmp_path):
    model_card.write_card(describe(tmp_path / "run"), tmp_path)
    usual = (tmp_path / model_card.TEXT).read_text()
    card = describe(tmp_path / "run")
    card |= {"run": HOSTILE, "dataset": HOSTILE}
    card["notes"] = [HOSTILE for _ in card["notes"]]
    model_card.write_card(card, tmp_path)
    text = (tmp_path / model_card.TEXT).read_text()
    head, fence, _ = text.partition("```json")
    assert fence and not re.search(r"(?<!\\)(\]\(|://|<b)", head)
    assert len(head.splitlines()) == len(
        usual.partition("```json")[0].splitlines()
    )
    for row in re.findall(r"^\|.*$", head, re.MULTILINE):
        assert len(re.findall(r"(?<!\\)\|", row)) in (3, 6)
