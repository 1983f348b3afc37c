"""Which gamma and lambda a run is scored with, and where they come from."""

import dataclasses
import hashlib
import json

from lgn_tf.config import schema
from lgn_tf.config.schema import Config
from lgn_tf.data.datasets.registry import DATASETS
from lgn_tf.scores.calibration import Calibration

LAST = "last epoch"
BEST = "epoch with the least loss on held-out clips"

AS_PUBLISHED = "as published for the full size, chosen on the test set"

IN_SAMPLE = ", in-sample"
"""Stands behind all that a calibration on fitted clips had a part in."""


@dataclasses.dataclass(frozen=True)
class Provenance:
    """The origin of the numbers of an evaluation.

    Attributes:
        dataset: its name.
        label_version: of the frame labels; empty where there are none.
        normality_weight: lambda of Eq. 17.
        weight_origin: how lambda was chosen, in words.
        update_threshold: gamma.
        threshold_origin: how gamma was chosen, in words.
        holdout: K, the training clips that were not fitted on.
        in_sample: whether the calibration saw clips that were fitted on; None
            for a run without calibration.
        seed: of the training run.
        epochs: that the weights were trained for.
        steps: instead of epochs; 0 where epochs were counted.
        config_hash: SHA-256 of the configuration.
        weights: which weights, such as `last epoch`.
        memory_reset: whether each video began with the trained items.
        cue_weights: of each cue that the calibration knows, in the sum behind
            the online score; empty for a run without calibration.
    """

    dataset: str = ""
    label_version: str = ""
    normality_weight: float = 0.6
    weight_origin: str = ""
    update_threshold: float = 0.0
    threshold_origin: str = ""
    holdout: int = 0
    in_sample: bool | None = None
    seed: int = 0
    epochs: int = 0
    steps: int = 0
    config_hash: str = ""
    weights: str = ""
    memory_reset: bool = False
    cue_weights: dict[str, float] = dataclasses.field(default_factory=dict)


def threshold(
    config: Config,
    calibration: Calibration | None,
    given: float | str | None,
) -> float:
    """Returns gamma: the one given, or that of the configuration.

    Args:
        config: of the run.
        calibration: what `auto` is taken from.
        given: a number, `auto`, or None for the configuration's.

    Raises:
        ValueError: for `auto` without a calibration to take it from.
    """
    if config.model.variant == "loc_net":
        return 0.0  # There is nothing to update.
    wanted = config.scoring.update_threshold if given is None else given
    if wanted != schema.AUTO:
        return float(wanted)
    if calibration is None:
        raise ValueError(
            "`update_threshold` must be a number where there is no "
            f"calibration. Received: update_threshold={wanted!r}"
        )
    return calibration.update_threshold(config.scoring.update_quantile)


def describe(
    config: Config,
    calibration: Calibration | None,
    gamma: float,
    *,
    weights: str = LAST,
    memory_reset: bool = False,
) -> Provenance:
    """Says what the results of a run stand on.

    Args:
        config: of the run.
        calibration: of the online score, or None.
        gamma: the update threshold.
        weights: which were scored with, `LAST` or `BEST`.
        memory_reset: whether each video begins with the trained items.
    """
    name = config.data.dataset
    spec = DATASETS.get(name)
    # The paper's numbers, where the paper has the data set.
    paper = spec.preset.scoring if spec and spec.paper_auc else None
    weight = config.scoring.normality_weight
    weight_origin = gamma_origin = "as configured"
    if paper and weight == paper.normality_weight:
        weight_origin = AS_PUBLISHED
    if paper and gamma == paper.update_threshold:
        gamma_origin = AS_PUBLISHED
    if config.model.variant == "loc_net":
        weight, weight_origin = 1.0, "there is no memory, so no distance"
    if gamma == 0:
        gamma_origin = "no update"
    elif calibration is not None and gamma == threshold(
        config, calibration, schema.AUTO
    ):
        gamma_origin = "a quantile of the regular score on normal clips"
        if calibration.in_sample:
            gamma_origin += IN_SAMPLE
    text = json.dumps(schema.to_dict(config), sort_keys=True)
    return Provenance(
        dataset=name,
        normality_weight=weight,
        weight_origin=weight_origin,
        update_threshold=gamma,
        threshold_origin=gamma_origin,
        holdout=config.data.holdout,
        in_sample=None if calibration is None else calibration.in_sample,
        seed=config.training.seed,
        epochs=config.training.epochs,
        steps=config.training.steps,
        config_hash=hashlib.sha256(text.encode()).hexdigest(),
        weights=weights,
        memory_reset=memory_reset,
        cue_weights={} if calibration is None else calibration.cue_weights,
    )
