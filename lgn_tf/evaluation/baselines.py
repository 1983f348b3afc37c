"""Baselines: scores that need no model, which any detector has to beat."""

import contextlib
import dataclasses
import itertools
import time
import types
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from lgn_tf.data.datasets.labels import align
from lgn_tf.data.video import optical_flow
from lgn_tf.evaluation import roc
from lgn_tf.scores.normality import min_max

Frame = NDArray[np.uint8]
Series = NDArray[np.float64]

POSITION = "position in the clip"
MIDDLE = "closeness to its middle"
COPYING = "copying the last frame"
GLOBAL = "global difference"
LOCAL = "local difference"
FLOW = "local optical flow"

SIDE = 128
"""Height and width, in pixels, of the frames of the local difference: the same
for every data set and model."""

BOX = 13
"""Pixels of them on each side of the box: a tenth of the frame's sides."""

MINIMAL_ERROR = 1e-10
"""Least mean squared error: of equal frames the PSNR is 100 dB, as a model's
is."""


@dataclasses.dataclass(frozen=True)
class Baseline:
    """One score that needs no model.

    Attributes:
        online: whether it uses past frames only, as a camera has them.
        floor: the smallest value; `floor` + 1 is the largest. None for a score
            without bounds.
    """

    online: bool
    floor: float | None


BASELINES: Mapping[str, Baseline] = types.MappingProxyType(
    {
        POSITION: Baseline(online=False, floor=0.0),
        MIDDLE: Baseline(online=False, floor=0.0),
        COPYING: Baseline(online=False, floor=-1.0),
        GLOBAL: Baseline(online=True, floor=None),
        LOCAL: Baseline(online=True, floor=None),
        FLOW: Baseline(online=True, floor=None),
    }
)
"""Every score, by name, in the order of a table."""


@dataclasses.dataclass(frozen=True, eq=False)
class BaselineScores:
    """The scores of one video without a model.

    Attributes:
        series: float64 (scored frames,) for each name of `BASELINES`; high
            means abnormal.
        copying: float64 (scored frames,), the PSNR in dB of the frame before,
            taken as the prediction.
        frames: number of frames of the video, scored or not.
        seconds: time of each score over all frames, without decoding.
        moved: float64 (scored frames,), the motion cue by `strength`; the score
            `FLOW` where no `strength` was given.
        cells: `optical_flow.Motion.cells` of the `pictured` frames, by their
            places in the video.
    """

    series: Mapping[str, Series]
    copying: Series
    frames: int
    seconds: Mapping[str, float]
    moved: Series
    cells: Mapping[int, optical_flow.Field] = dataclasses.field(
        default_factory=dict
    )


def score_without_model(
    name: str,
    pieces: Iterable[Frame],
    originals: Iterable[Frame],
    *,
    inputs: int = 4,
    channels: int = 3,
    pictured: Collection[int] = (),
    strength: Callable[[optical_flow.Field], float] | None = None,
) -> BaselineScores:
    """Scores a video of any length; one piece of it is in memory at a time.

    Args:
        name: of the video, for errors.
        pieces: its frames as the model sees them, uint8 (any number, height,
            width, 1 or 3), in order.
        originals: the same frames in their own size, uint8 (height, width, 1
            or 3), in order.
        inputs: n; the first n frames are left out, as for a model.
        channels: of the model; 1 takes `pieces` in gray.
        pictured: places in the video of the frames whose cells are kept. The
            flow is measured in every frame; the cells of a long video would
            fill the memory.
        strength: returns the motion cue of a frame from
            `optical_flow.Motion.cells`; or None.

    Raises:
        ValueError: where originals are more or fewer than frames, or no frame
            is scored.
    """
    watch = _Watch()
    errors, means = _compare(pieces, channels, watch)
    moves = _move(originals, pictured, strength, watch)
    local, flow, moved = map(np.array, (moves.local, moves.flow, moves.moved))
    count = len(errors)
    if len(flow) != count or count <= inputs:
        raise ValueError(
            f"{name}: there must be more than {inputs} frames, and as many in "
            "their own size as in the model's. "
            f"Received: {len(flow)} and {count}"
        )
    scored = slice(inputs, None)
    # Counted from both ends, so that frames equally far are exactly equal.
    places = np.arange(count)
    middle = np.minimum(places, places[::-1]) / max(1.0, (count - 1) / 2)
    copying = -10 * np.log10(np.maximum(errors, MINIMAL_ERROR))[scored]
    return BaselineScores(
        {
            POSITION: np.linspace(0.0, 1.0, count)[scored],
            MIDDLE: middle[scored],
            COPYING: -min_max(copying, constant=1.0),
            GLOBAL: means[scored],
            LOCAL: local[scored],
            FLOW: flow[scored],
        },
        copying,
        count,
        watch.seconds,
        moved[scored],
        moves.cells,
    )


class _Watch:
    """Adds up the time that each score takes."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(BASELINES, 0.0)

    @contextlib.contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] += time.perf_counter() - start


def _compare(
    pieces: Iterable[Frame], channels: int, watch: _Watch
) -> tuple[Series, Series]:
    """Returns mean squared and absolute differences of neighbouring frames.

    Squared on [0, 1], absolute in gray levels; 0 of the first frame.
    """
    errors, means = [], []
    before = None
    for frame in itertools.chain.from_iterable(pieces):
        if channels == 1:
            frame = optical_flow.to_gray(frame)
        before = frame if before is None else before
        with watch(COPYING):
            squares = cv2.norm(frame, before, cv2.NORM_L2SQR)
            errors.append(squares / frame.size / 255**2)
        with watch(GLOBAL):
            total = cv2.norm(frame, before, cv2.NORM_L1)
            means.append(total / frame.size)
        before = frame
    return np.array(errors), np.array(means)


class _Moves(NamedTuple):
    """The local scores and the motion of the frames of a video."""

    local: list[float]
    flow: list[float]
    moved: list[float]
    cells: dict[int, optical_flow.Field]


def _move(
    originals: Iterable[Frame],
    pictured: Collection[int],
    strength: Callable[[optical_flow.Field], float] | None,
    watch: _Watch,
) -> _Moves:
    """Returns local difference, in gray levels, and local flow of frames."""
    found = _Moves([], [], [], {})
    flow, before = optical_flow.LocalFlow(), None
    for place, frame in enumerate(originals):
        gray = optical_flow.to_gray(frame)
        with watch(LOCAL):
            small = cv2.resize(
                gray, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR
            )
            before = small if before is None else before
            off = cv2.absdiff(small, before).astype(np.float32)
            found.local.append(
                float(optical_flow.box_means(off, (BOX, BOX)).max())
            )
        before = small
        with watch(FLOW):
            cells, value = flow.update(gray)
        found.flow.append(value)
        found.moved.append(value if strength is None else strength(cells))
        if place in pictured:
            found.cells[place] = cells
    return found


def baseline_aucs(
    videos: Sequence[Frame], labels: Sequence[Frame], inputs: int = 4
) -> dict[str, float]:
    """Returns the frame AUC of each score over all videos (micro).

    Args:
        videos: for each, uint8 (frames, height, width, channels).
        labels: for each, its labels (frames,).
        inputs: n; the first n frames of a video are left out, as for a model.

    Raises:
        ValueError: where the labels hold one class only.
    """
    wanted = np.concatenate([align(one, inputs) for one in labels])
    if len(np.unique(wanted)) != 2:
        raise ValueError(
            "An AUC takes normal and abnormal frames. "
            f"Received: {len(wanted)} frames, {int(wanted.sum())} abnormal"
        )
    found = [
        score_without_model(
            f"video {place}", [video], video, inputs=inputs
        ).series
        for place, video in enumerate(videos)
    ]
    areas = {
        name: roc.area(wanted, np.concatenate([one[name] for one in found]))
        for name in BASELINES
    }
    return {name: area for name, area in areas.items() if area is not None}
