"""Abnormal regions in pixel masks, linked to tracks, on the grid of a map.

Data sets give masks; the region and track criteria want regions and tracks. A
region is a connected component of one frame's mask. A region continues the
track of the region before it that it overlaps most; numbers that stand on such
tracks are marked as derived.
"""

import dataclasses
import functools

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Masks = NDArray[np.bool_]
Components = NDArray[np.int32]


@dataclasses.dataclass(frozen=True, eq=False)
class Region:
    """An abnormal region of one frame, on the grid of a map.

    Attributes:
        cells: int64 (n,), numbers of the cells that it touches, row by row.
        shares: float64 (n,), the share of each cell that it covers.
        track: number of its track within the video.
    """

    cells: NDArray[np.int64]
    shares: NDArray[np.float64]
    track: int

    @functools.cached_property
    def area(self) -> float:
        """Its area in cells."""
        return float(self.shares.sum())


@dataclasses.dataclass(frozen=True, eq=False)
class Tracked:
    """The regions of one video.

    Attributes:
        components: int32 (height, width) of each frame, 0 outside of regions;
            None for a frame without any.
        tracks: of each frame, the track of each of its regions.
        count: number of tracks.
    """

    components: tuple[Components | None, ...]
    tracks: tuple[tuple[int, ...], ...]
    count: int


def find_tracks(masks: Masks) -> Tracked:
    """Finds the regions of a video and links them.

    A track goes on where regions of neighbouring frames overlap. Where several
    overlap, each continues at most one track, so that the sum of
    intersections over unions is largest; others begin a new track.

    Args:
        masks: bool (frames, height, width).
    """
    components: list[Components | None] = []
    tracks: list[tuple[int, ...]] = []
    count = 0
    before: Components | None = None
    for mask in masks:
        found = None
        here: list[int] = []
        if mask.any():
            regions, found = cv2.connectedComponents(
                mask.astype(np.uint8), connectivity=8
            )
            links = {} if before is None else _links(before, found)
            for number in range(regions - 1):
                if number in links:
                    here.append(tracks[-1][links[number]])
                else:
                    here.append(count)
                    count += 1
        components.append(found)
        tracks.append(tuple(here))
        before = found
    return Tracked(tuple(components), tuple(tracks), count)


def _links(before: Components, after: Components) -> dict[int, int]:
    """Returns which region of the frame before each region continues."""
    rows, columns = int(before.max()) + 1, int(after.max()) + 1
    pairs = before.ravel().astype(np.int64) * columns + after.ravel()
    table = np.bincount(pairs, minlength=rows * columns)
    table = table.reshape(rows, columns)
    shared = table[1:, 1:].astype(np.float64)
    union = table[1:].sum(1)[:, None] + table[:, 1:].sum(0)[None] - shared
    chosen = linear_sum_assignment(shared / union, maximize=True)
    return {
        int(new): int(old)
        for old, new in zip(*chosen, strict=True)
        if shared[old, new]
    }


def on_grid(tracked: Tracked, size: tuple[int, int]) -> list[list[Region]]:
    """Puts the regions of each frame on the grid of a map.

    A region keeps its exact area: each cell knows which share of it is covered.

    Args:
        tracked: from `find_tracks`.
        size: (h, w) of the map.
    """
    frames = []
    for components, tracks in zip(
        tracked.components, tracked.tracks, strict=True
    ):
        regions = []
        if components is not None:
            for number, track in enumerate(tracks, start=1):
                shares = coverage(components == number, size).ravel()
                cells = np.flatnonzero(shares)
                region = Region(cells, shares[cells].astype(float), track)
                regions.append(region)
        frames.append(regions)
    return frames


def coverage(mask: Masks, size: tuple[int, int]) -> NDArray[np.float32]:
    """Returns the share of each cell of a map that a mask covers.

    Args:
        mask: bool (height, width).
        size: (h, w) of the map.

    Returns:
        float32 (h, w) in [0, 1].
    """
    shares = cv2.resize(
        mask.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA
    )
    # Sums of areas may leave the bounds by a hair.
    result: NDArray[np.float32] = np.clip(shares, 0, 1)
    return result
