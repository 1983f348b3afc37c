"""The gain of runs over copying, by the processor time of their steps.

    python -m experiments.gain_over_time RUN [RUN ...] --out CHART.svg

Of each evaluated run stand its steps, their time, the gain over copying on
held-out and on test video, and the areas. The chart has the gain on held-out
video after each epoch. The time of a step is measured here, as processor time
of all threads, whatever machine the run was trained on and whatever ran beside
it: a minute is a minute of one core.
"""

import argparse
import os
import statistics
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from lgn_tf.data import sources
from lgn_tf.evaluation import results
from lgn_tf.report import charts
from lgn_tf.runs import directory
from lgn_tf.training import epoch_log, feed, train

STEPS = 12
"""Steps that are timed, after the first three."""

HEAD = (
    "pixels",
    "width",
    "steps",
    "minutes",
    "gain, held out",
    "gain, test",
    "error alone",
    "with flow",
    "smoothed",
    "paper",
)

SCORES = ("online", "online motion", "online motion smoothed", "paper")
"""Whose areas stand in the table."""


def main():
    """Prints the table and writes the chart."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--out", type=Path, required=True, metavar="CHART.svg")
    options = parser.parse_args()
    curves = []
    print(*HEAD, sep=" | ")
    for run_dir in options.runs:
        config = directory.read_config(run_dir)
        minutes, gains = curve(run_dir, config, seconds_a_step(config))
        curves.append((title(config), minutes, gains))
        row = numbers(results.read_results(run_dir / "evaluation"))
        print(
            title(config),
            config.model.width,
            config.training.steps,
            f"{minutes[-1]:.1f}",
            f"{gains[-1]:.2f} dB",
            *row,
            sep=" | ",
        )
    draw(curves, options.out)


def title(config):
    """Returns what a run is called."""
    return "{} x {}".format(*config.model.image_size)


def seconds_a_step(config):
    """Measures the processor time of a training step, on noise.

    Args:
        config: of the run.

    Returns:
        The median, in seconds.
    """
    model = train.compiled(config, config.training.steps)
    size = config.training.batch_size
    shape = (*config.model.image_size, config.model.channels)
    noise = np.random.default_rng(0).uniform(
        -1, 1, (size, config.model.frames + 1, *shape)
    )
    clips, following = np.split(noise.astype(np.float32), [-1], axis=1)
    taken = []
    for _ in range(3 + STEPS):
        start = time.process_time()
        model.train_on_batch(clips, following[:, 0])
        taken.append(time.process_time() - start)
    return statistics.median(taken[3:])


def curve(run_dir, config, seconds):
    """Reads the gain on held-out video after each epoch.

    Args:
        run_dir: of a run of steps.
        config: of the run.
        seconds: that a step takes.

    Returns:
        Minutes and gains in dB, two lists.
    """
    fitted, _ = sources.open_source(config).training(
        config.data.holdout, config.training.seed
    )
    epoch = feed.steps_per_epoch(fitted, config)
    gains = [float(row["val_gain"]) for row in epoch_log.read_log(run_dir)]
    # The last epoch is cut short.
    steps = [epoch * place for place in range(1, len(gains))]
    steps.append(config.training.steps)
    return [count * seconds / 60 for count in steps], gains


def numbers(found):
    """Returns the cells of the results of a run."""
    areas = [found.scores[name].micro_auc for name in SCORES]
    return [f"{found.gain:.2f} dB", *(f"{100 * area:.1f}" for area in areas)]


def draw(curves, path):
    """Draws (name, minutes, gains) of each run into an SVG file."""
    with charts.chart(charts.HIGH) as chart:
        for place, (name, minutes, gains) in enumerate(curves):
            chart.line(minutes, gains, name, place, dots=True)
        chart.label("minutes of one core", "gain over copying, dB")
        chart.legend(above=True)
        words = "Gain over copying on held-out video by minutes of training"
        path.write_text(charts.standalone(chart.svg("gain", words)))


if __name__ == "__main__":
    main()
