"""Inference on a GPU: batches of windows, single ones, whole videos."""

from typing import Any

import jax
import numpy as np

from benchmarks import operations
from benchmarks.gpu.bench import COMPILED, EAGER, OURS, Bench, release
from benchmarks.gpu.peers import compiled, eager, expected_frames
from benchmarks.gpu.precision import PRECISIONS, require_close
from benchmarks.gpu.timing import Contestant, latency, race, repeated
from lgn_tf.data.video import preprocessing
from lgn_tf.inference import video_scorer
from lgn_tf.model.lgn_net import LGNNet

UPDATE_BELOW = 0.01
"""Gamma of the scoring that updates; the time does not depend on it."""


def forward(bench: Bench, name: str) -> None:
    """Measures windows a second, and the latency of one."""
    precision, options = PRECISIONS[name], bench.options
    model = bench.network(precision.policy)
    clips, _ = bench.clips(max(options.batches))
    expected = expected_frames(bench, clips)
    for batch in options.batches:
        forward_of(bench, name, model, clips[:batch], expected[:batch])
        release()


def forward_of(
    bench: Bench, name: str, model: LGNNet, clips: Any, expected: Any
) -> None:
    """Measures one batch; what it took of the card is free afterwards."""
    batch = len(clips)
    row = {"part": "forward", "precision": name, "batch": batch}
    given, contestants = (clips, expected, name), []
    for by, build in (
        (OURS, lambda: jitted(model, *given)),
        (EAGER, lambda: eager(bench, *given)),
        (COMPILED, lambda: compiled(bench, *given)),
    ):
        if by == COMPILED and bench.options.no_compile:
            continue
        found = bench.attempt(build, **row, by=by)
        if found is not None:
            contestants.append(found)
    race(bench, row, contestants, batch, bench.least)
    if batch == 1:
        for contestant in contestants:
            latency(bench, contestant, name)


def jitted(
    model: LGNNet, clips: Any, expected: Any, precision: str
) -> Contestant:
    """Returns our inference step, compiled and compared."""

    @jax.jit
    def predict(trained, others, clips):
        output, _ = model.stateless_call(trained, others, clips, training=False)
        return output.prediction

    clips = jax.device_put(clips)
    trained = [variable.value for variable in model.trainable_variables]
    others = [variable.value for variable in model.non_trainable_variables]
    found = predict(trained, others, clips)
    facts = require_close(found, expected, OURS, precision)
    run = repeated(
        lambda: predict(trained, others, clips), jax.block_until_ready
    )
    run(2)
    return Contestant(OURS, run, facts)


def score(bench: Bench, name: str) -> None:
    """Measures the scoring of a whole video, from its frames to its scores."""
    options, side = bench.options, bench.options.size
    model = bench.network(PRECISIONS[name].policy)
    video = np.random.default_rng(3).integers(
        0, 256, (options.frames, side, side, 3), np.uint8
    )
    few = np.empty((model.frames + 2, *video.shape[1:]), np.float32)
    preprocessing.fill(few, video[: len(few)])
    clips = np.stack([few[:-2], few[1:-1]])
    errors = (expected_frames(bench, clips) - few[-2:]) / 2
    psnr = -10 * np.log10((errors**2).mean(axis=(1, 2, 3)))
    for kind, gamma in (("as trained", 0.0), ("updated", UPDATE_BELOW)):
        row = {"part": "scoring", "precision": name, "memory": kind}
        scorer = bench.attempt(
            lambda gamma=gamma: scoring(bench, model, gamma, video, psnr, name),
            **row,
            by=OURS,
        )
        if scorer is not None:
            # Each frame is encoded once here, not once a window.
            least = operations.video(
                (side, side), frames=model.frames, width=options.width
            )
            race(bench, row, [scorer], len(video) - model.frames, least)
        del scorer
        release()


def scoring(
    bench: Bench,
    model: LGNNet,
    gamma: float,
    video: Any,
    psnr: Any,
    precision: str,
) -> Contestant:
    """Returns a scorer, compiled, whose first scores are the peer's."""
    chunk = bench.options.chunk
    scorer = video_scorer.VideoScorer(model, gammas=(gamma,), chunk=chunk)

    def run(count: int) -> Any:
        for _ in range(count):
            scorer.reset()
            pieces = (
                video[start : start + chunk]
                for start in range(0, len(video), chunk)
            )
            (scores,) = scorer.score("video", pieces)
        return scores

    # An update changes what the second window reads.
    known = len(psnr) if gamma == 0 else 1
    facts = require_close(
        run(1).psnr[:known], psnr[:known], "VideoScorer", precision
    )
    return Contestant(OURS, run, facts | {"chunk": chunk})
