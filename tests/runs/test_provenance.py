"""Where gamma and lambda come from."""

import dataclasses
from typing import ClassVar

import pytest

from lgn_tf.config.schema import Config, DataConfig, ModelConfig, ScoringConfig
from lgn_tf.runs import provenance


def test_gamma_auto_needs_a_calibration():
    config = Config(scoring=ScoringConfig(update_threshold="auto"))
    with pytest.raises(ValueError, match="must be a number where there is no"):
        provenance.threshold(config, None, None)
    assert provenance.threshold(config, None, 0.25) == 0.25
    with pytest.raises(ValueError, match="must be a number where there is no"):
        provenance.threshold(Config(), None, "auto")


@pytest.mark.parametrize(
    ("scoring", "gamma", "origin"),
    [
        (ScoringConfig(0.6, 0.009), 0.009, provenance.AS_PUBLISHED),
        (ScoringConfig(0.6, 0.02), 0.02, "as configured"),
        (ScoringConfig(0.6, 0.0), 0.0, "no update"),
    ],
)
def test_results_say_where_gamma_and_lambda_come_from(scoring, gamma, origin):
    config = Config(scoring=scoring, data=DataConfig("ped2"))
    stand = provenance.describe(config, None, gamma)
    assert stand.threshold_origin == origin
    assert stand.weight_origin == provenance.AS_PUBLISHED
    assert stand.in_sample is None and stand.cue_weights == {}
    own = dataclasses.replace(config, data=DataConfig("folder"))
    found = provenance.describe(own, None, gamma)
    assert found.weight_origin == "as configured"


def test_a_quantile_of_fitted_clips_is_marked(monkeypatch):
    class Fitted:
        in_sample = True
        cue_weights: ClassVar = {"error": 1.0, "motion": 0.5, "distance": 0.0}

        def update_threshold(self, level):
            return level / 100

    config = Config(scoring=ScoringConfig(update_quantile=0.5))
    stand = provenance.describe(config, Fitted(), 0.005)
    assert stand.threshold_origin.startswith("a quantile")
    assert stand.threshold_origin.endswith(", in-sample")
    assert stand.cue_weights == Fitted.cue_weights
    monkeypatch.setattr(Fitted, "in_sample", False)
    stand = provenance.describe(config, Fitted(), 0.005)
    assert stand.threshold_origin.endswith("normal clips")


def test_without_memory_lambda_is_1_and_gamma_0():
    config = Config(
        model=ModelConfig(variant="loc_net"), scoring=ScoringConfig(0.6, 0.009)
    )
    gamma = provenance.threshold(config, None, None)
    stand = provenance.describe(config, None, gamma)
    assert (gamma, stand.normality_weight) == (0.0, 1.0)
    assert "no memory" in stand.weight_origin
