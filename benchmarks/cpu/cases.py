"""The cases of `benchmarks.cpu`: each returns rows of times.

A case names its candidates, compares what they compute, and runs them in turns.
The first candidate is the one that ratios are held to.
"""

import dataclasses
import tempfile
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf
import torch

from benchmarks import operations
from benchmarks.cpu import timing
from benchmarks.cpu.subjects import COMPILED, PEER, Subjects
from benchmarks.peers.training import TrainingPeer
from lgn_tf.config.schema import Config, DataConfig, ModelConfig
from lgn_tf.data.datasets import layouts
from lgn_tf.data.video import footage
from lgn_tf.data.video.footage import InMemory
from lgn_tf.exporting import saved_model
from lgn_tf.inference import video_scorer
from lgn_tf.inference.video_scorer import VideoScorer
from lgn_tf.runs import model_files
from lgn_tf.runs.run import Run

ALL = (
    "one window",
    "batch",
    "video",
    "training",
    "files",
    "saved model",
    "lite",
)
ALLOWED_PSNR = 0.05
"""Decibels that half precision may move the PSNR of a frame by."""

ALWAYS = 1e9
"""A gamma that every frame lies below: each one updates the memory."""


def run(name, subjects, rates, options):
    """Runs a case; returns its rows."""
    return {
        "one window": _one_window,
        "batch": _batch,
        "video": _video,
        "training": _training,
        "files": _files,
        "saved model": _saved_model,
        "lite": _lite,
    }[name](subjects, rates, options)


def _limits(subjects, rates, names, count, video=False):
    """Returns least operations and rate for each of our candidates."""
    least = (operations.video if video else operations.window)(
        subjects.size, subjects.channels, width=subjects.width
    )
    return {
        name: (count * least, rates[dtype])
        for name in names
        for dtype in rates
        if name.startswith(f"LGNNet, {dtype}")
    }


def _inference(case, subjects, rates, count, runs, skip=()):
    candidates = {
        name: step
        for name, step in subjects.candidates(count).items()
        if name not in skip
    }
    # The comparison is the warm round.
    subjects.compare(candidates)
    times = timing.in_turns(candidates, runs, warm=0)
    limits = _limits(subjects, rates, candidates, count)
    return timing.rows(case, times, count, limits)


def _one_window(subjects, rates, options):
    return _inference("one window", subjects, rates, 1, options.runs)


def _batch(subjects, rates, options):
    # Compiling anew for another shape takes longer than the case.
    skip = (COMPILED, "LGNNet, float32, direct")
    runs = max(1, options.runs // 3)
    return _inference("batch of 8", subjects, rates, 8, runs, skip)


def _video(subjects, rates, options, windows=None):
    windows = windows or options.windows
    runs = max(1, options.runs // 3)
    found = []
    for case, gamma, count in (
        ("video, frozen memory", 0.0, windows),
        ("video, memory updated", ALWAYS, max(1, windows // 2)),
    ):
        shape = (count + 4, *subjects.size, subjects.channels)
        frames = np.random.default_rng(2).integers(0, 256, shape, np.uint8)
        candidates = _scorers(subjects, frames, gamma)
        psnr = {}

        def kept(name, step, psnr=psnr):
            return lambda: psnr.update({name: step()})

        for name in list(candidates)[1:]:
            candidates[name]()  # Traces; the peer has nothing to trace.
        times = timing.in_turns(
            {name: kept(name, step) for name, step in candidates.items()},
            runs,
            warm=0,
        )
        for name in list(candidates)[1:]:
            deviation = float(np.abs(psnr[name] - psnr[PEER]).max())
            subjects.deviations[f"PSNR in dB, {case}, {name}"] = deviation
            if not deviation < ALLOWED_PSNR:
                raise ValueError(
                    f"{case}, {name}: PSNR must be the peer's within "
                    f"{ALLOWED_PSNR} dB. Found: {deviation:.3f}"
                )
        limits = _limits(subjects, rates, candidates, count, video=True)
        found += timing.rows(case, times, count, limits)
    return found


def _scorers(subjects, frames, gamma):
    """Returns what scores a video, by name; each returns PSNR (frames,)."""
    source = InMemory(["video"], [frames])

    def scores(scorer):
        pieces = footage.pieces(source, 0, video_scorer.CHUNK)
        return scorer.score("video", pieces)[0].psnr

    found = {PEER: lambda: _peer_video(subjects, frames, gamma)}
    for dtype, model in subjects.models.items():
        scorer = VideoScorer(model, gammas=(gamma,), reset_memory=True)
        found[f"LGNNet, {dtype}"] = lambda scorer=scorer: scores(scorer)
    return found


def _peer_video(subjects, frames, gamma):
    """Scores a video window by window, as the authors' script does.

    Returns:
        The PSNR of each predicted frame, (frames,).
    """
    peer, start = subjects.peer, subjects.peer.items
    video = torch.from_numpy(
        np.moveaxis(frames, -1, 1).astype(np.float32) / 127.5 - 1
    )
    found = []
    with torch.inference_mode():
        for place in range(4, len(video)):
            prediction, queries = peer.predict(video[None, place - 4 : place])
            error = ((prediction[0] - video[place]) / 2) ** 2
            found.append(-10 * torch.log10(error.mean()))
            peer.distance(queries)
            weight = 1 - torch.exp(-error)
            if (weight * error).sum() / weight.sum() < gamma:
                peer.update(queries)
    peer.items = start
    return torch.stack(found).numpy()


def _training(subjects, rates, options, count=4):
    shape = (count, 4, *subjects.size, subjects.channels)
    random = np.random.default_rng(3)
    clips = random.uniform(-1, 1, shape).astype(np.float32)
    targets = random.uniform(-1, 1, (count, *shape[2:])).astype(np.float32)
    theirs = [
        torch.from_numpy(np.ascontiguousarray(np.moveaxis(one, -1, -3)))
        for one in (clips, targets)
    ]
    peer = TrainingPeer(subjects.source, subjects.items)
    # A copy: the others go on with the weights as they are.
    model = subjects.build("float32")
    model.compile()
    ours = [tf.constant(one) for one in (clips, targets)]
    candidates = {
        PEER: lambda: peer.step(*theirs),
        "LGNNet, float32": lambda: float(
            model.train_on_batch(*ours, return_dict=True)["loss"]
        ),
    }
    losses = [step() for step in candidates.values()]
    subjects.deviations["loss of the first step"] = abs(losses[1] - losses[0])
    if not np.isclose(*losses, rtol=1e-3):
        raise ValueError(
            "Both first steps must have one loss. "
            f"Found: {losses[0]:.6f} and {losses[1]:.6f}"
        )
    runs = max(1, options.runs // 3)
    times = timing.in_turns(candidates, runs, warm=0)
    # Backwards, each convolution is done twice: for inputs and for kernels.
    limits = _limits(subjects, rates, candidates, 3 * count)
    case = f"training step, batch {count}"
    return timing.rows(case, times, count, limits)


def _files(subjects, rates, options, windows=None):
    """Arrays in memory against JPEG files that are decoded on the way."""
    del rates
    case = "from JPEG files to scores"
    model = subjects.models["float32"]
    windows = windows or max(2, options.windows // 2)
    count = windows + 4
    with tempfile.TemporaryDirectory() as folder:
        _draw_files(Path(folder), count, subjects.channels)
        (video,) = layouts.recognise(Path(folder)).videos
        encoded = footage.Encoded([video], subjects.size)
        decoded = InMemory(["video"], [encoded.read(0, 0, count)])
        scorer = VideoScorer(model)
        candidates = {
            f"{name}, float32": lambda source=source: scorer.score(
                "video", source.stream(0, video_scorer.CHUNK)
            )
            for name, source in (("arrays", decoded), ("files", encoded))
        }
        times = timing.in_turns(candidates, max(2, options.runs // 2))
    return timing.rows(case, times, windows)


def _draw_files(folder, count, channels, size=(240, 360)):
    """Writes frames of noise on a gradient, as large as Ped2's."""
    random = np.random.default_rng(4)
    shape = size if channels == 1 else (*size, 3)
    slope = np.linspace(40, 200, size[1])
    slope = slope[None] if channels == 1 else slope[None, :, None]
    for place in range(count):
        frame = np.clip(slope + random.normal(0, 12, shape), 0, 255)
        path = folder / f"{place:04}.jpg"
        cv2.imwrite(str(path), frame.astype(np.uint8))


def _saved_model(subjects, rates, options):
    """The default signature of an export against the model in process."""
    del rates
    model = subjects.models["float32"]
    config = Config(
        ModelConfig(
            image_size=subjects.size,
            channels=subjects.channels,
            width=subjects.width,
        ),
        data=DataConfig(dataset="synthetic"),
    )
    shape = (1, 5, *subjects.size, subjects.channels)
    frames = np.random.default_rng(5).integers(0, 256, shape, np.uint8)
    frames = tf.constant(frames)
    clips = tf.cast(frames[:, :4], tf.float32) / 127.5 - 1
    step = tf.function(
        lambda x: model(x, training=False).prediction, jit_compile=False
    )
    with tempfile.TemporaryDirectory() as folder:
        run_dir = Path(folder) / "run"
        model_files.save(run_dir, config, model)
        out = Path(folder) / "versions"
        version = saved_model.export(Run(run_dir), out, warm_up_batches=())
        loaded = tf.saved_model.load(str(version.path))
        signature = loaded.signatures["serving_default"]
        name = next(iter(signature.structured_input_signature[1]))
        times = timing.in_turns(
            {
                "the model alone, float32": lambda: step(clips).numpy(),
                "serving_default, float32": lambda: signature(**{name: frames})[
                    "psnr"
                ].numpy(),
            },
            options.runs,
        )
    return timing.rows("SavedModel signature, one window", times, 1)


def _lite(subjects, rates, options):
    """The small form: 64 x 64, one channel, a quarter of the width."""
    del subjects
    small = Subjects((64, 64), width=0.25, channels=1, compiled=False)
    found = _inference("lite, one window", small, rates, 1, 4 * options.runs)
    found += _inference("lite, batch of 8", small, rates, 8, 4 * options.runs)
    found += [
        dataclasses.replace(row, case=f"lite, {row.case}")
        for row in _video(small, rates, options, windows=64)
        + _training(small, rates, options, count=8)
        # Several pieces, so that decoding has something to overlap with.
        + _files(small, rates, options, windows=128)
    ]
    return found
