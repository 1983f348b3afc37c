"""Scores a video on a server, piece by piece.

Example:
    target = transport.Target("lgn_net")
    with transport.connect("grpc://127.0.0.1:8500", target) as server:
        for score in scoring.score(server, frames):
            print(score.frame, score.values["anomaly_score"])
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lgn_client.transport import Arrays, Server

WINDOW = 5
"""Frames of a window: 4 that the model sees, and the one that it scores."""

PIECE = 32
"""Frames of a request."""

Cells = NDArray[np.float32]
"""The motion in one frame: the `cells` that `optical_flow` measures."""

# An encoded frame, and the motion in it.
_Frame = tuple[bytes, Cells]


class Score(NamedTuple):
    """The scores of one frame.

    Attributes:
        frame: its position in the video, from 0.
        valid: false where a picture of its window could not be used.
        values: each score, by name.
    """

    frame: int
    valid: bool
    values: dict[str, float]


def score(
    server: Server,
    frames: Iterable[bytes],
    *,
    window: int = WINDOW,
    piece: int = PIECE,
    parallel: int = 2,
    motion: Iterable[Cells] | None = None,
) -> Iterator[Score]:
    """Scores a video as it comes.

    Each frame is sent once, except where two requests overlap by `window` - 1.

    Args:
        server: from `transport.connect`.
        frames: JPEG or PNG files, in order; read as far as they are needed.
        window: frames of a window of the model.
        piece: frames of a request.
        parallel: requests under way at the same time.
        motion: for each frame the `cells` of `lgn_client.optical_flow`; read
            along with the frames, for the online score with motion.

    Returns:
        An iterator over the `Score` of each frame from number `window` - 1 on.

    Raises:
        ValueError: for pieces smaller than a window or no request at a time;
            while scoring, for fewer frames than a window or maps than frames.
        ServingError: while scoring, where the server refuses, or does not
            send a finite number of each score for each valid window.
    """
    if piece < window or parallel < 1:
        raise ValueError(
            f"`piece` must be at least a window, {window}, and `parallel` 1. "
            f"Received: piece={piece}, parallel={parallel}"
        )
    requests = (
        partial(_ask, server, start + window - 1, held, window, motion is None)
        for start, held in _pieces(_paired(frames, motion), window, piece)
    )
    return _in_order(requests, parallel)


def _in_order(
    requests: Iterable[Callable[[], list[Score]]], parallel: int
) -> Iterator[Score]:
    """Yields the scores of all requests, a few of which run ahead."""
    with ThreadPoolExecutor(parallel) as threads:
        waiting = []
        for request in requests:
            waiting.append(threads.submit(request))
            if len(waiting) > parallel:
                yield from waiting.pop(0).result()
        for each in waiting:
            yield from each.result()


def _ask(
    server: Server, first: int, held: list[_Frame], window: int, still: bool
) -> list[Score]:
    """Sends one request.

    Args:
        server: from `transport.connect`.
        first: the position in its video of the first frame that is scored.
        held: the frames of the request.
        window: frames of a window of the model.
        still: leaves the motion out.
    """
    name = "score_video_encoded"
    inputs = {"encoded_frames": np.array([[f for f, _ in held]], object)}
    if not still:
        name = "score_video_with_motion_encoded"
        # A window is sent the motion of its last frame.
        cells = [each for _, each in held[window - 1 :]]
        inputs["motion"] = np.array([cells], np.float32)
    found = server.predict(name, inputs)
    windows = len(held) - window + 1
    try:
        _check(found, windows)
    except ValueError as error:
        raise server.unusable(
            f"{error}, to {len(held)} frames in windows of {window}"
        ) from None
    valid = found.pop("valid")[0]
    return [
        Score(
            first + place,
            bool(valid[place]),
            {name: float(found[name][0, place]) for name in sorted(found)},
        )
        for place in range(windows)
    ]


def _check(found: Arrays, windows: int) -> None:
    """Raises a `ValueError` where outputs are not the scores of windows."""
    if "valid" not in found or len(found) < 2:
        raise ValueError("no scores")
    for name, array in found.items():
        kind = "b" if name == "valid" else "fiu"
        if array.dtype.kind not in kind or array.shape != (1, windows):
            raise ValueError(f"`{name}` is {array.dtype} {array.shape}")
    for name, array in found.items():
        # What cannot be scored may have no number.
        scores = array[found["valid"]]
        if not name.isidentifier() or not np.isfinite(scores).all():
            raise ValueError(f"`{name}` is no score")


def _paired(
    frames: Iterable[bytes], motion: Iterable[Cells] | None
) -> Iterator[_Frame]:
    """Yields (file, motion); the motion is an empty map where none is given."""
    if motion is None:
        motion = itertools.repeat(np.zeros((0, 0), np.float32))
    maps = iter(motion)
    for place, frame in enumerate(frames):
        cells = next(maps, None)
        if cells is None:
            raise ValueError(
                "`motion` must be one map a frame. "
                f"Received: {place} for more frames"
            )
        yield frame, cells


def _pieces(
    frames: Iterable[_Frame], window: int, piece: int
) -> Iterator[tuple[int, list[_Frame]]]:
    """Yields (first frame, frames), with window - 1 frames of overlap."""
    held: list[_Frame] = []
    start = 0
    for frame in frames:
        held.append(frame)
        if len(held) == piece:
            yield start, held
            start += piece - window + 1
            held = held[piece - window + 1 :]
    if len(held) >= window:
        yield start, held
    elif not start:
        raise ValueError(
            f"a video must have at least {window} frames. "
            f"Received: {len(held)} frames"
        )
