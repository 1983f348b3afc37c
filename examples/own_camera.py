"""Watches your own camera: learns its normal video, then reports the unusual.

    python examples/own_camera.py normal_days tonight.mp4 yesterday.mp4

`normal_days` is a folder with at least three videos in which nothing unusual
happens. Each is a video file or a folder of frames, all from one fixed camera.
The more they show of what is usual, the fewer false alarms there are.
"""

import argparse
import dataclasses
import math
import os
import sys
from pathlib import Path

import lgn_tf
from lgn_tf.alarms import alarms, thresholds

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow starts quietly

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
)
parser.add_argument("normal", type=Path, help="folder of normal videos")
parser.add_argument(
    "videos", type=Path, nargs="+", help="videos to look through"
)
for flag, kind, default, text in (
    ("--steps", int, 3200, "of training; 3200 take some 20 minutes"),
    ("--fps", float, 25.0, "frames a second of the camera"),
    ("--rate", float, 6.0, "false alarms an hour that you accept"),
    ("--out", Path, Path("own_camera"), "folder for all that is written"),
):
    parser.add_argument(
        flag, type=kind, default=default, help=f"{text} (default: {default})"
    )
options = parser.parse_args()

# 1. Train on the normal videos. `lite` is a small model for machines without a
#    GPU. It keeps two of the videos back: the model never learns them.
config = lgn_tf.preset("folder", lite=True)
config = dataclasses.replace(
    config,
    training=dataclasses.replace(config.training, steps=options.steps),
    data=dataclasses.replace(
        config.data,
        data_root=str(options.normal),
        stores=str(options.out / "stores"),
    ),
)
folder = options.out / "run"
# Called again, this goes on with what is trained already.
run = lgn_tf.train(config, folder, resume=folder.exists())

# 2. Calibrate: the two videos that were kept back say how high the scores of
#    normal video become. Training has measured that; here it is read.
calibration = run.calibrate()
normal = calibration.by_clip(
    calibration.score(calibration.cues, tuple(calibration.cues))
)

# 3. Choose the threshold by the false alarms an hour that you accept. Ten
#    minutes of video cannot tell one alarm an hour from none, so a rate has to
#    fit the length of the video.
hours = calibration.frames / options.fps / 3600
rate = max(options.rate, math.ceil(1 / hours))
if rate > options.rate:
    print(
        f"{60 * hours:.1f} minutes of normal video were kept back. They are "
        f"too short for {options.rate:g} false alarms an hour; the threshold "
        f"is that of {rate}."
    )
threshold = thresholds.threshold_for(normal, options.fps, rate)
if threshold is None:
    sys.exit("Normal video scores too high too often: add more normal videos.")
# An alarm is raised when scores stay high for 0.3 seconds; see `alarms.Timing`.
rule = alarms.TIMING.rule(threshold, options.fps)

# 4. Score the other videos, and print the moments that are unusual.
for scores in run.score(*options.videos):
    found = alarms.find_alarms(scores.online_motion, rule)
    for alarm in found:
        # The first frames of a video have no score: the model needs a past.
        first, last = (
            (scores.first + frame) / options.fps
            for frame in (alarm.first, alarm.last)
        )
        peak = scores.online_motion[alarm.first : alarm.last + 1].max()
        print(
            f"{scores.name}: {first // 60:.0f}:{first % 60:04.1f} to "
            f"{last // 60:.0f}:{last % 60:04.1f}, score {peak:.2f}"
        )
    if not found:
        print(f"{scores.name}: nothing unusual")
