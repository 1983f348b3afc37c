"""LGN-Net for video anomaly detection, in Keras 3 on TensorFlow.

A model is trained on normal video only. It predicts the next frame from four;
a frame that it predicts badly, or that is far from every prototype in its
memory, is abnormal. In five lines:

    import lgn_tf

    run = lgn_tf.load("runs/demo")
    for scores in run.score("videos/"):
        print(scores.name, scores.online.max())
    print(run.evaluate().scores["online"].micro_auc)
    run.export("saved_models/lgn_net")

Runs
    load            opens a run directory
    Run             a run directory: model, calibration, results, and all that
                    is done with them
    train           trains a configuration, and returns the run
    score           scores videos with a run; as `Run.score`
    evaluate        evaluates a run on test videos; as `Run.evaluate`
    export          writes a run as a SavedModel; as `Run.export`

Configuration and data
    Config          all settings of a run
    preset          the settings for a data set, at full size or lite
    register_dataset  adds a data set of one's own, by name
    TestSet         test videos with their labels and masks

Parts
    LGNNet          the model, in Keras
    PrototypeMemory its memory of prototype features, a Keras layer
    VideoScorer     scores whole videos with a model
    VideoScores     the scores of one video
    Calibration     the statistics of normal video behind the online score

`import lgn_tf` is quick: Keras and TensorFlow are loaded when a name is first
used that needs them. The command line is `lgn --help`.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lgn_tf.config.schema import Config as Config
    from lgn_tf.data.datasets.presets import preset as preset
    from lgn_tf.data.datasets.registry import (
        register_dataset as register_dataset,
    )
    from lgn_tf.data.test_set import TestSet as TestSet
    from lgn_tf.inference.video_scorer import VideoScorer as VideoScorer
    from lgn_tf.model.lgn_net import LGNNet as LGNNet
    from lgn_tf.model.memory import PrototypeMemory as PrototypeMemory
    from lgn_tf.runs.run import Run as Run
    from lgn_tf.runs.run import load as load
    from lgn_tf.scores.calibration import Calibration as Calibration
    from lgn_tf.scores.video_scores import VideoScores as VideoScores
    from lgn_tf.training.train import train as train

    score = Run.score
    evaluate = Run.evaluate
    export = Run.export

__version__ = "0.1.0"

# A small file can name a large picture. OpenCV reads this when it is imported;
# 8192 x 8192 pixels take 200 MB.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**26))
# What a damaged file is refused for is said once, in our words.
os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

_PLACES = {
    "Calibration": "lgn_tf.scores.calibration",
    "Config": "lgn_tf.config.schema",
    "LGNNet": "lgn_tf.model.lgn_net",
    "PrototypeMemory": "lgn_tf.model.memory",
    "Run": "lgn_tf.runs.run",
    "TestSet": "lgn_tf.data.test_set",
    "VideoScorer": "lgn_tf.inference.video_scorer",
    "VideoScores": "lgn_tf.scores.video_scores",
    "load": "lgn_tf.runs.run",
    "preset": "lgn_tf.data.datasets.presets",
    "register_dataset": "lgn_tf.data.datasets.registry",
    "train": "lgn_tf.training.train",
}
_OF_RUN = ("evaluate", "export", "score")


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used (PEP 562)."""
    if name in _OF_RUN:
        return getattr(__getattr__("Run"), name)
    if name not in _PLACES:
        raise AttributeError(f"module 'lgn_tf' has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    """Lists the public names, for completion."""
    return sorted(["__version__", *_OF_RUN, *_PLACES])
