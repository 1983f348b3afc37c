"""The main job on embedded data: fit a few steps, score a clip.

A small bright block walks over a textured floor. The model learns that; then
it scores a clip in which the block suddenly runs.
"""

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from lgn_tf import scoring
from lgn_tf.config import Config, ModelConfig, TrainingConfig
from lgn_tf.model.lgn_net import build_model
from lgn_tf.normality import normality

CONFIG = Config(
    ModelConfig(image_size=(32, 48), channels=1, width=0.125),
    TrainingConfig(epochs=12, batch_size=8, learning_rate=2e-3),
)
RUNS_FROM, RUNS_TO = 14, 19


def draw_video(
    length: int, seed: int, run: tuple[int, int] | None = None
) -> NDArray[np.float32]:
    """Draws a walking block of 7 x 4 pixels.

    Args:
        length: number of frames.
        seed: of the floor's texture, the start and the noise.
        run: (first, last + 1) frame in which it moves five times as fast.

    Returns:
        float32 frames (length, height, width, 1) in [-1, 1].
    """
    random = np.random.default_rng(seed)
    height, width = CONFIG.model.image_size
    floor = random.uniform(-0.6, -0.2, (height, width))
    row, column = random.integers(4, height - 12), random.integers(0, width)
    frames = np.empty((length, height, width, 1), np.float32)
    for time in range(length):
        frame = floor + random.normal(0, 0.01, floor.shape)
        columns = (column + np.arange(4)) % width
        frame[row : row + 7, columns] = 0.8
        frames[time, ..., 0] = frame
        running = run is not None and run[0] <= time < run[1]
        column += 5 if running else 1
    return np.clip(frames, -1, 1)


def cut(video: NDArray[np.float32], frames: int) -> tuple[NDArray, NDArray]:
    """Cuts a video into clips (clips, frames, ...) and the frames after."""
    count = len(video) - frames
    clips = np.stack([video[i : i + frames] for i in range(count)])
    return clips, video[frames:]


def run() -> None:
    """Builds, fits, scores, and prints a table."""
    keras.utils.set_random_seed(CONFIG.training.seed)
    frames = CONFIG.model.frames
    model = build_model(CONFIG)
    model.compile(
        keras.optimizers.Adam(CONFIG.training.learning_rate, epsilon=1e-8)
    )
    print(f"LGN-Net of {model.count_params():,} numbers on walking blocks")
    videos = [cut(draw_video(20, seed), frames) for seed in range(3)]
    clips, targets = (
        np.concatenate(part) for part in zip(*videos, strict=True)
    )
    model.fit(
        clips,
        targets,
        batch_size=CONFIG.training.batch_size,
        epochs=CONFIG.training.epochs,
        verbose=2,
    )
    video = draw_video(26, seed=99, run=(RUNS_FROM, RUNS_TO))
    clips, targets = cut(video, frames)
    output = model.predict(clips, verbose=0)
    measures = {
        "PSNR / dB": scoring.psnr(targets, output.prediction),
        "distance": scoring.feature_distance(output.readout.distance),
        "regular score": scoring.regular_score(targets, output.prediction),
    }
    columns = {
        name: ops.convert_to_numpy(values) for name, values in measures.items()
    }
    columns["normality"] = normality(
        columns["PSNR / dB"],
        columns["distance"],
        CONFIG.scoring.normality_weight,
    )
    print_table(columns, frames)


def print_table(columns: dict[str, NDArray], first: int) -> None:
    """Prints one line a frame; the frames of the run are marked."""
    print(
        f"\na clip in which the block runs in frames {RUNS_FROM + 1} to "
        f"{RUNS_TO}; normality is 1 for the most normal frame"
    )
    print("frame  " + "  ".join(f"{name:>13}" for name in columns))
    for index, values in enumerate(zip(*columns.values(), strict=True)):
        frame = first + index
        mark = "  <- runs" if RUNS_FROM < frame <= RUNS_TO else ""
        row = "  ".join(f"{value:13.5g}" for value in values)
        print(f"{frame:5}  {row}{mark}")
