"""Results of an evaluation, made by hand."""

import dataclasses
import io

import rich.console

from lgn_tf.evaluation.results import (
    Comparison,
    KindArea,
    KindResult,
    MapResult,
    Opponent,
    Provenance,
    Results,
    ScoreResult,
)

RESULTS = Results(
    provenance=Provenance(
        dataset="ped2",
        label_version="ucsd",
        weight_origin="as configured",
        threshold_origin="no update",
        holdout=2,
        in_sample=False,
    ),
    scores={
        "paper": ScoreResult(0.8123, 0.7, 0.25, 0.125, None, (0.75, 0.9)),
        "online": ScoreResult(0.79, None, 0.3, 0.1),
    },
    baselines={
        "copying the last frame": Opponent(0.612, 0.58, milliseconds=0.04),
        "local optical flow": Opponent(
            0.9, interval=(0.85, 0.951), online=True, milliseconds=10.26
        ),
    },
    maps={"error": MapResult(0.5, 0.25, None)},
    videos=(),
    scored_frames=30,
    abnormal_frames=12,
    one_class_videos=0,
    gain=1.234,
    comparisons={
        "paper": Comparison("copying the last frame", 0.2, (0.1, 0.3), True),
        "online": Comparison("local optical flow", -0.11, (-0.2, 0.01), False),
    },
    draws=1000,
    skipped=("09",),
)


def printed(table):
    console = rich.console.Console(file=io.StringIO(), width=120)
    console.print(table)
    return console.file.getvalue()


KINDS = {
    "cart": KindResult(
        87,
        3,
        {
            "paper": KindArea(0.8123, (0.636, 0.881), True),
            "local optical flow": KindArea(0.661, (0.337, 0.801), False),
        },
    ),
    "[red]fall": KindResult(
        12,
        1,
        {
            "paper": KindArea(0.59, None, False),
            "local optical flow": KindArea(0.55, None, False),
        },
    ),
    "jump": KindResult(
        0,
        0,
        {
            "paper": KindArea(None, None, None),
            "local optical flow": KindArea(None, None, None),
        },
    ),
}


def changed(**fields):
    stand = dataclasses.replace(RESULTS.provenance, **fields)
    return dataclasses.replace(RESULTS, provenance=stand)
