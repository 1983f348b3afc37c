"""The main job on embedded data: fit a few epochs, score videos, print.

People walk over a drawn walkway. The model learns that; then it scores videos
in which one runs, cycles, stands about or goes the wrong way.
"""

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from lgn_tf import scoring
from lgn_tf.config import Config, ModelConfig, TrainingConfig
from lgn_tf.data import baselines, clips, frames, labels, synthetic
from lgn_tf.model.lgn_net import build_model
from lgn_tf.normality import normality

CONFIG = Config(
    ModelConfig(image_size=(48, 64), channels=1, width=0.125),
    TrainingConfig(epochs=6, batch_size=8, learning_rate=2e-3),
)
SHOWN = 4
"""Every how many frames the table has a line."""


def draw() -> synthetic.Walkway:
    """Draws the videos of the demo; the same each time."""
    return synthetic.draw(
        CONFIG.training.seed,
        train=6,
        test=len(synthetic.KINDS),
        frames=60,
        size=CONFIG.model.image_size,
        channels=CONFIG.model.channels,
    )


def fit(videos: tuple[synthetic.Clip, ...]) -> keras.Model:
    """Returns a model that has seen the normal videos."""
    # Imported here: `pipeline` brings TensorFlow along.
    from lgn_tf.data import pipeline
    from lgn_tf.data.footage import InMemory

    model = build_model(CONFIG)
    model.compile(
        keras.optimizers.Adam(CONFIG.training.learning_rate, epsilon=1e-8)
    )
    print(f"LGN-Net of {model.count_params():,} numbers, drawn walkways")
    footage = InMemory(
        [video.name for video in videos], [video.frames for video in videos]
    )
    table = clips.ClipTable(footage.frame_counts, CONFIG.model.frames)
    dataset = pipeline.training_clips(
        footage,
        inputs=CONFIG.model.frames,
        channels=CONFIG.model.channels,
        batch_size=CONFIG.training.batch_size,
        seed=CONFIG.training.seed,
    )
    model.fit(
        dataset,
        steps_per_epoch=clips.steps(len(table), CONFIG.training.batch_size),
        epochs=CONFIG.training.epochs,
        # The dataset shuffles, by seed.
        shuffle=False,
        verbose=2,
    )
    return model


def score(model: keras.Model, video: synthetic.Clip) -> dict[str, NDArray]:
    """Returns every measure of the video's scored frames, by name."""
    pictures = frames.to_float(video.frames)
    encoding = model.encode_video(pictures[:-1])
    readout = model.read(encoding)
    target = pictures[CONFIG.model.frames :]
    prediction = model.decode(encoding, readout)
    measures = {
        "PSNR / dB": scoring.psnr(target, prediction),
        "distance": scoring.feature_distance(readout.distance),
        "regular score": scoring.regular_score(target, prediction),
    }
    columns = {
        name: ops.convert_to_numpy(values) for name, values in measures.items()
    }
    columns["normality"] = normality(
        columns["PSNR / dB"],
        columns["distance"],
        CONFIG.scoring.normality_weight,
    )
    return columns


def print_table(video: synthetic.Clip, columns: dict[str, NDArray]) -> None:
    """Prints some lines of a video; its abnormal frames are marked."""
    print(f"\nvideo {video.name}: {', '.join(video.kinds)}")
    print("frame  " + "  ".join(f"{name:>13}" for name in columns))
    rows = list(zip(*columns.values(), strict=True))
    for index in range(0, len(rows), SHOWN):
        frame = CONFIG.model.frames + index
        mark = "  <- abnormal" if video.labels[frame] else ""
        row = "  ".join(f"{value:13.5g}" for value in rows[index])
        print(f"{frame:5}  {row}{mark}")


def run() -> None:
    """Draws, fits, scores, and prints."""
    keras.utils.set_random_seed(CONFIG.training.seed)
    walkway = draw()
    model = fit(walkway.train)
    scores = [score(model, video) for video in walkway.test]
    print_table(walkway.test[0], scores[0])
    truth = [
        labels.align(video.labels, CONFIG.model.frames)
        for video in walkway.test
    ]
    wanted = np.concatenate(truth)
    print(
        f"\n{len(walkway.test)} videos, {len(wanted)} scored frames, "
        f"{int(wanted.sum())} abnormal: frame AUC of"
    )
    normal = np.concatenate([columns["normality"] for columns in scores])
    rows = {"normality": roc_auc_score(wanted, -normal)} | {
        f"no model: {name}": value
        for name, value in baselines.evaluate(
            [video.frames for video in walkway.test],
            [video.labels for video in walkway.test],
            CONFIG.model.frames,
        ).items()
    }
    for name, value in rows.items():
        print(f"  {name:34} {value:.3f}")
