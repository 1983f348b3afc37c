"""How time and memory grow: frames, resolution, width, batch, items.

    python -m benchmarks.memory.growth

Each point is measured in a process of its own, everything else held still.
Printed and stored are seconds, the peak of the anonymous memory above what the
process held before it built a model, and the exponents of a power law through
the points: 1 is linear, 0 is flat. The chart goes to
`benchmarks/memory/growth.svg`.
"""

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from benchmarks import sections
from benchmarks.memory.pipeline_memory import Watch, anonymous_bytes

ROOT = Path(__file__).parents[2]
CHART = Path(__file__).with_suffix(".svg")


@dataclasses.dataclass(frozen=True)
class Setting:
    """The settings that one point is measured with.

    Attributes:
        frames: of a video that is scored; 0 for a batch of windows.
        side: of a frame in pixels.
        width: multiplier of every channel count.
        batch: windows at once.
        items: of the memory.
        updated: whether every frame of a video updates the memory.
    """

    frames: int = 0
    side: int = 64
    width: float = 0.25
    batch: int = 1
    items: int = 10
    updated: bool = False


AXES = {
    "frames": (Setting(), (128, 512, 2048)),
    "side": (Setting(), (64, 128, 256, 384)),
    "width": (Setting(side=128), (0.25, 0.5, 1.0, 2.0)),
    "batch": (Setting(), (1, 4, 16, 32)),
    "items": (
        Setting(side=128, frames=20, updated=True),
        (10, 100, 500, 2000),
    ),
}
WORDS = {
    "frames": "frames of a video",
    "side": "side of a frame in pixels",
    "width": "width of the network",
    "batch": "windows at once",
    "items": "items of a memory that is updated",
}


def main():
    """Measures, prints, draws and stores."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--axes", nargs="+", choices=AXES, default=list(AXES))
    parser.add_argument("--runs", type=int, default=1, help="counted")
    parser.add_argument("--no-store", action="store_true")
    parser.add_argument(
        "--child",
        nargs=2,
        metavar=("AXIS", "PLACE"),
        help="used by the benchmark itself",
    )
    options = parser.parse_args()
    if options.child:
        axis, place = options.child
        print(json.dumps(measure(axis, int(place), options.runs)))
        return
    start = time.perf_counter()
    found = {}
    for axis in options.axes:
        found[axis] = []
        for place in range(len(AXES[axis][1])):
            point = _in_a_process(axis, place, options.runs)
            found[axis].append(point)
            print(
                f"{WORDS[axis]}: {point['value']:g}, {point['seconds']:.3f} s, "
                f"{point['mebibytes']:.0f} MiB",
                flush=True,
            )
    text = _section(found, (time.perf_counter() - start) / 60)
    print(text)
    if not options.no_store and options.axes == list(AXES):
        draw(found, CHART)
        sections.store("growth", text)


def _in_a_process(axis, place, runs):
    output = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.memory.growth"),
            *("--child", axis, str(place), "--runs", str(runs)),
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return json.loads(output.splitlines()[-1])


def measure(axis, place, runs):
    """Returns value, seconds and mebibytes of a point of an axis."""
    # Imported before the first look at the memory: it is not the model's.
    import lgn_tf.inference

    del lgn_tf.inference
    base, values = AXES[axis]
    seconds = []
    before, watch = anonymous_bytes(), Watch()
    step = _step(dataclasses.replace(base, **{axis: values[place]}))
    step()
    for _ in range(runs):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return {
        "value": values[place],
        "seconds": statistics.median(seconds),
        "mebibytes": (watch.stop() - before) / 2**20,
    }


def _step(setting):
    """Returns a function that does the work of a point once."""
    import tensorflow as tf

    from lgn_tf.inference.video_scorer import VideoScorer
    from lgn_tf.model.lgn_net import LGNNet

    model = LGNNet(
        image_size=(setting.side, setting.side),
        channels=1,
        width=setting.width,
        memory_items=setting.items,
    )
    model.build()
    random = np.random.default_rng(0)
    shape = (setting.side, setting.side, 1)
    if setting.frames:
        # Every frame lies below this gamma.
        gammas = (1e9,) if setting.updated else (0.0,)
        scorer = VideoScorer(model, gammas=gammas)
        piece = random.integers(0, 256, (16, *shape), np.uint8)

        def pieces():
            for start in range(0, setting.frames, len(piece)):
                yield piece[: setting.frames - start]

        return lambda: scorer.score("video", pieces())
    clips = random.uniform(-1, 1, (setting.batch, 4, *shape))
    clips = tf.constant(clips, tf.float32)
    graph = tf.function(
        lambda x: model(x, training=False).prediction, jit_compile=False
    )
    return lambda: graph(clips).numpy()


def exponent(points, key):
    """Fits key = c value^e by least squares of the logarithms; returns e."""
    value, found = (
        np.log([point[name] for point in points]) for name in ("value", key)
    )
    return float(np.polyfit(value, found, 1)[0])


def _section(found, minutes):
    lines = []
    for axis, points in found.items():
        lines.append(
            [
                WORDS[axis],
                ", ".join(f"{point['value']:g}" for point in points),
                ", ".join(f"{point['seconds']:.3f}" for point in points),
                f"{exponent(points, 'seconds'):.2f}",
                ", ".join(f"{point['mebibytes']:.0f}" for point in points),
                f"{exponent(points, 'mebibytes'):.2f}",
            ]
        )
    heads = ("what grows", "values", "seconds", "exponent", "MiB", "exponent")
    return "\n".join(
        [
            "## How the cost grows",
            "",
            f"`python -m benchmarks.memory.growth` in {minutes:.1f} minutes on "
            f"{sections.machine()} All else is held: one window of 64 x 64, "
            "one channel, width 0.25, 10 items; 128 x 128 where width or items "
            "grow. MiB is the peak of anonymous memory above an empty "
            "process.",
            "",
            sections.table(heads, lines),
            "",
            "![Time and memory, by what grows](memory/growth.svg)",
        ]
    )


def draw(found, path):
    """Draws seconds and mebibytes over each axis, both scales logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.5 * len(found), 4.6), layout="constrained")
    panels = figure.subplots(2, len(found), squeeze=False)
    for column, (axis, points) in enumerate(found.items()):
        values = [point["value"] for point in points]
        for row, (key, unit) in enumerate(
            (("seconds", "seconds"), ("mebibytes", "MiB"))
        ):
            panel = panels[row][column]
            panel.loglog(
                values, [point[key] for point in points], "o-", color="#0072b2"
            )
            panel.set_title(f"exponent {exponent(points, key):.2f}", fontsize=9)
            panel.grid(which="both", color="#d9dee5", linewidth=0.5)
            panel.set_xticks(values, [f"{value:g}" for value in values])
            panel.minorticks_off()
            # A flat line fills no decade: show one.
            low, high = panel.get_ylim()
            middle = (low * high) ** 0.5
            panel.set_ylim(min(low, middle / 3.2), max(high, middle * 3.2))
            if column == 0:
                panel.set_ylabel(unit)
            if row == 1:
                panel.set_xlabel(WORDS[axis], fontsize=9)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
