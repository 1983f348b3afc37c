"""Region-based and track-based detection: RBDC and TBDC.

A map is cut at a threshold; each connected component of what lies above it is
a detected region.

- An abnormal region is found if its intersection over union with a detected
  region of its frame is at least beta.
- A detected region is false if that holds for no abnormal region of its frame.
- A track is found if at least the share alpha of its regions are found.

RBDC is the area under the share of regions found, TBDC under the share of
tracks found, over the false regions a frame from 0 to 1, as the threshold
falls.

Reference:
    Ramachandra and Jones, Street Scene: a new dataset and evaluation protocol
    for video anomaly detection, WACV 2020.
"""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lgn_tf.evaluation import roc
from lgn_tf.evaluation.roc import Curve
from lgn_tf.evaluation.tracks import Region
from lgn_tf.scores.video_scores import Maps

ALPHA = 0.1
"""Share of a track's regions that must be found."""

BETA = 0.1
"""Least intersection over union."""

EXACT = 4096
"""Up to so many cells, every value is a threshold."""

_STEP = 1.05  # Local maxima above a threshold, by those above the one before.
_PASS = 12  # Thresholds for which the maps are gone through once.

GroundTruth = Sequence[Sequence[Region]]


@dataclasses.dataclass(frozen=True, eq=False)
class Sweep:
    """Counts at falling thresholds, up to one false region a frame or beyond.

    Attributes:
        thresholds: (n,), falling.
        false: (n,), false regions a frame.
        regions: (n,), share of the abnormal regions found.
        tracks: (n,), share of the tracks found.
    """

    thresholds: NDArray[np.float64]
    false: NDArray[np.float64]
    regions: NDArray[np.float64]
    tracks: NDArray[np.float64]


@dataclasses.dataclass
class _Counts:
    false: NDArray[np.int64]  # (thresholds,)
    found: NDArray[np.int64]  # (thresholds, tracks): their regions.

    def add(
        self,
        maps: Maps,
        ground_truth: GroundTruth,
        cuts: NDArray[np.float64],
        first: int,
    ) -> None:
        """Adds a video whose tracks are numbered from `first`."""
        for frame, regions in zip(maps, ground_truth, strict=True):
            numbers = [first + region.track for region in regions]
            for place in np.flatnonzero(cuts <= frame.max()):
                false, hits = match_regions(frame, float(cuts[place]), regions)
                self.false[place] += false
                if regions:
                    # A track has one region a frame.
                    self.found[place, numbers] += hits


def match_regions(
    frame: NDArray[np.float32], threshold: float, regions: Sequence[Region]
) -> tuple[int, list[bool]]:
    """Compares one frame's map with its abnormal regions.

    Args:
        frame: (h, w).
        threshold: cells of at least this value are detected.
        regions: the abnormal regions of the frame, on the same grid.

    Returns:
        The number of false regions, and for each abnormal region whether it is
        found. One detected region may find several.
    """
    count, components = cv2.connectedComponents(
        (frame >= threshold).view(np.uint8), connectivity=8
    )
    if not regions:
        return count - 1, []
    flat = components.ravel()
    sizes = np.bincount(flat, minlength=count)
    overlaps = np.empty((len(regions), count))
    for overlap, region in zip(overlaps, regions, strict=True):
        shared = np.bincount(flat[region.cells], region.shares, count)
        overlap[:] = shared / (sizes + region.area - shared)
    # Component 0 is the rest of the frame, no region.
    good = overlaps[:, 1:] >= BETA
    return count - 1 - int(good.any(0).sum()), good.any(1).tolist()


def sweep(
    maps: Sequence[Maps],
    ground_truth: Sequence[GroundTruth],
    thresholds: NDArray[np.float64],
) -> Sweep:
    """Lowers the threshold until there is more than one false region a frame.

    Args:
        maps: of each video, (frames, h, w); each is asked for several times.
        ground_truth: of each video, the abnormal regions of its frames.
        thresholds: (n,), falling.

    Raises:
        ValueError: where there is no abnormal region.
    """
    lengths = [_track_lengths(video) for video in ground_truth]
    total = np.concatenate([np.zeros(0, int), *lengths])
    if not total.size:
        raise ValueError(
            "RBDC and TBDC take at least one abnormal region. Received: none "
            f"in {len(ground_truth)} videos"
        )
    frames = sum(len(video) for video in ground_truth)
    firsts = np.cumsum([0, *(len(length) for length in lengths)])
    parts = []
    for start in range(0, len(thresholds), _PASS):
        cuts = thresholds[start : start + _PASS]
        counts = _Counts(
            np.zeros(len(cuts), np.int64),
            np.zeros((len(cuts), len(total)), np.int64),
        )
        for place, video in enumerate(ground_truth):
            counts.add(maps[place], video, cuts, int(firsts[place]))
        parts.append(counts)
        if counts.false.max() > frames:
            break
    false = np.concatenate([part.false for part in parts]) / frames
    found = np.concatenate([part.found for part in parts])
    return Sweep(
        thresholds[: len(false)],
        false,
        found.sum(1) / total.sum(),
        # Against rounding: a tenth of ten regions is one.
        (found >= ALPHA * total - 1e-9).mean(1),
    )


def _track_lengths(video: GroundTruth) -> NDArray[np.int64]:
    tracks = [region.track for regions in video for region in regions]
    return np.bincount(np.array(tracks, np.int64))


def thresholds(maps: Sequence[Maps]) -> NDArray[np.float64]:
    """Chooses where to cut: few enough to be quick, close where it matters.

    Every detected region begins at a local maximum. So the local maxima of all
    maps are ranked, and ranks taken that grow by a twentieth. Of small maps
    every value is a threshold.

    Args:
        maps: of each video, (frames, h, w).

    Returns:
        (n,), falling.
    """
    if sum(video.size for video in maps) <= EXACT:
        values = np.concatenate([video.ravel() for video in maps])
        return _falling(values)
    peaks = np.concatenate(
        [
            frame[frame == cv2.dilate(frame, np.ones((3, 3), np.uint8))]
            for video in maps
            for frame in video
        ]
    )
    peaks = np.sort(peaks)[::-1]
    steps = int(np.log(len(peaks)) / np.log(_STEP)) + 2
    ranks = np.unique(np.geomspace(1, len(peaks), steps).astype(int)) - 1
    return _falling(peaks[ranks])


def _falling(values: Maps) -> NDArray[np.float64]:
    result: NDArray[np.float64] = np.unique(values)[::-1].astype(np.float64)
    return result


def limited(false: NDArray[np.float64], found: NDArray[np.float64]) -> Curve:
    """Returns the curve of one share over false regions a frame, from 0 to 1.

    For each rate of false regions it holds the most that a threshold found at
    that rate or a lower one, up to the first threshold that passes 1; it is
    straight between these points, starts at (0, 0), and goes on level where no
    threshold reaches 1.

    Args:
        false: (n,), false regions a frame, in the order of falling thresholds.
        found: (n,), the share found.
    """
    beyond = np.flatnonzero(false > 1)
    end = beyond[0] + 1 if beyond.size else len(false)
    order = np.argsort(false[:end], kind="stable")
    x = np.concatenate(([0.0], false[:end][order]))
    y = np.maximum.accumulate(np.concatenate(([0.0], found[:end][order])))
    last = float(np.interp(1.0, x, y))
    inside = x <= 1
    return Curve(
        (*x[inside].tolist(), 1.0),
        (*y[inside].tolist(), max(last, float(y[inside][-1]))),
    )


@dataclasses.dataclass(frozen=True)
class Detection:
    """RBDC, TBDC and their curves, thinned."""

    rbdc: float
    tbdc: float
    region_curve: Curve
    track_curve: Curve


def evaluate_regions(
    maps: Sequence[Maps], ground_truth: Sequence[GroundTruth]
) -> Detection:
    """Computes RBDC and TBDC of one kind of map.

    Args:
        maps: of each video, (frames, h, w); each is asked for several times.
        ground_truth: of each video, the abnormal regions of its frames, on the
            grid.

    Raises:
        ValueError: where there is no abnormal region.
    """
    found = sweep(maps, ground_truth, thresholds(maps))
    regions = limited(found.false, found.regions)
    tracks = limited(found.false, found.tracks)
    return Detection(
        _area(regions), _area(tracks), _thin(regions), _thin(tracks)
    )


def _area(curve: Curve) -> float:
    x, y = np.array(curve.x), np.array(curve.y)
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))


def _thin(curve: Curve) -> Curve:
    return roc.thin(np.array(curve.x), np.array(curve.y))
