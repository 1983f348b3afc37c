"""The training step on a GPU: losses, gradients, Adam, the memory."""

import itertools
from typing import Any

import jax
import torch

from benchmarks.gpu.bench import EAGER, OURS, TRAINING_FACTOR, Bench, release
from benchmarks.gpu.peers import FORMATS, channels_first
from benchmarks.gpu.precision import PRECISIONS, computing, require_close
from benchmarks.gpu.timing import (
    Contestant,
    faster,
    race,
    repeated,
    wait_for_torch,
)
from benchmarks.peers.training import TrainingPeer


def train(bench: Bench, name: str) -> None:
    """Measures training steps: losses, gradients, Adam, the memory."""
    for batch in bench.options.training_batches:
        row = {"part": "training", "precision": name, "batch": batch}
        clips, targets = bench.clips(batch)
        with computing(PRECISIONS["float32"]):
            peer = TrainingPeer(bench.source, bench.items, device=bench.device)
            expected = peer.loss(
                channels_first(clips, bench), channels_first(targets, bench)
            )
            del peer
        given, contestants = (bench, clips, targets, expected, name), []
        for by, build in ((OURS, fitted), (EAGER, stepping)):
            found = bench.attempt(
                lambda build=build, given=given: build(*given), **row, by=by
            )
            if found is not None:
                contestants.append(found)
        amount = TRAINING_FACTOR * bench.least
        race(bench, row, contestants, batch, amount, least=10)
        del contestants, found
        release()


def fitted(
    bench: Bench, clips: Any, targets: Any, expected: float, precision: str
) -> Contestant:
    """Returns our training step through `fit`, compiled and compared."""
    model = bench.network(PRECISIONS[precision].policy)
    model.compile()
    batch = jax.device_put(clips), jax.device_put(targets)

    def run(count: int) -> float:
        batches = (batch for _ in itertools.count())
        found = model.fit(
            batches, steps_per_epoch=count, shuffle=False, verbose=0
        )
        jax.block_until_ready([v.value for v in model.trainable_variables])
        return found.history["loss"][0]

    facts = require_close(run(1), expected, f"{OURS}, loss", precision)
    run(2)
    return Contestant(OURS, run, facts)


def stepping(
    bench: Bench, clips: Any, targets: Any, expected: float, precision: str
) -> Contestant:
    """Returns the peer's training step, in the format it is faster in."""
    dtype, found = PRECISIONS[precision].dtype, []
    batch = channels_first(clips, bench), channels_first(targets, bench)
    for key, memory_format in FORMATS.items():
        peer = TrainingPeer(
            bench.source,
            bench.items,
            device=bench.device,
            memory_format=memory_format,
            half=None if dtype == torch.float32 else dtype,
        )
        facts = require_close(
            peer.loss(*batch), expected, f"{EAGER}, loss", precision
        )
        run = repeated(lambda peer=peer: peer.advance(*batch), wait_for_torch)
        run(2)
        found.append(Contestant(EAGER, run, facts | {"format": key}))
    return faster(found)
