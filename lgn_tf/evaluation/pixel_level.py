"""Pixel-level results: anomaly maps and error maps against masks."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from lgn_tf.evaluation import regions, roc, tracks
from lgn_tf.evaluation.results import MapResult
from lgn_tf.scores.video_scores import Maps, VideoScores

Masks = NDArray[np.bool_]

MAPS = {"error": "error_map", "online": "online_map"}
"""The maps that are compared, and the attribute that holds each."""


@dataclasses.dataclass(frozen=True)
class Localisation:
    """Results of all maps.

    Attributes:
        maps: by the name of the map.
        regions: abnormal regions in the masks.
        tracks: into which they were linked.
    """

    maps: dict[str, MapResult] = dataclasses.field(default_factory=dict)
    regions: int = 0
    tracks: int = 0


class _Column(Sequence[Maps]):
    """One kind of map of several videos, each taken when it is asked for."""

    def __init__(
        self, videos: Sequence[VideoScores], places: list[int], name: str
    ) -> None:
        self._videos, self._places, self._name = videos, places, name

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Maps: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Maps]: ...
    def __getitem__(self, index: int | slice) -> Maps | Sequence[Maps]:
        if isinstance(index, slice):
            return _Column(self._videos, self._places[index], self._name)
        maps: Maps = getattr(self._videos[self._places[index]], self._name)
        return maps


def evaluate_maps(
    videos: Sequence[VideoScores], masks: Callable[[str], Masks | None]
) -> Localisation:
    """Compares error maps and anomaly maps with masks.

    Videos without masks are left out. A map that not all others have is, too.

    Args:
        videos: asked for one at a time, several times.
        masks: of all frames of a video, bool (frames, height, width), or None.

    Raises:
        ValueError: where there is not one mask for each frame, naming the
            video.
    """
    places: list[int] = []
    counted = tracked = 0
    areas = {name: roc.StreamedRoc() for name in MAPS}
    ground_truth: dict[str, list[regions.GroundTruth]] = {
        name: [] for name in MAPS
    }
    for place, scores in enumerate(videos):
        given = masks(scores.name)
        if given is None:
            continue
        places.append(place)
        found = tracks.find_tracks(_scored(given, scores))
        counted += sum(len(one) for one in found.tracks)
        tracked += found.count
        for name, attribute in MAPS.items():
            maps: Maps | None = getattr(scores, attribute)
            if maps is not None:
                frames = tracks.on_grid(found, (maps.shape[1], maps.shape[2]))
                ground_truth[name].append(frames)
                _add(areas[name], maps, frames)
    results = {}
    for name, attribute in MAPS.items():
        if places and len(ground_truth[name]) == len(places):
            column = _Column(videos, places, attribute)
            results[name] = _result(
                areas[name], column, ground_truth[name], counted
            )
    return Localisation(results, counted, tracked)


def _scored(masks: Masks, scores: VideoScores) -> Masks:
    frames = scores.first + len(scores)
    if masks.ndim != 3 or len(masks) != frames or not masks.size:
        raise ValueError(
            f"{scores.name}: masks must be (frames, height, width) of the "
            f"{frames} frames of the video. Received: {masks.shape}"
        )
    return masks[scores.first :]


def _add(
    area: roc.StreamedRoc, maps: Maps, ground_truth: regions.GroundTruth
) -> None:
    """Adds a video's cells to both classes, by the share that is abnormal.

    A map enlarged to the size of the masks gives all pixels of a cell the same
    score. So the area over pixels needs no enlarged map.
    """
    abnormal = np.zeros((len(maps), maps[0].size), np.float32)
    for frame, found in zip(abnormal, ground_truth, strict=True):
        for region in found:
            frame[region.cells] += region.shares.astype(np.float32)
    # Sums of shares may pass 1 by a hair.
    abnormal = np.minimum(abnormal, 1).reshape(maps.shape)
    area.add(maps, abnormal, 1 - abnormal)


def _result(
    area: roc.StreamedRoc,
    maps: Sequence[Maps],
    ground_truth: list[regions.GroundTruth],
    counted: int,
) -> MapResult:
    if not counted:
        return MapResult(area.area(), None, None)
    found = regions.evaluate_regions(maps, ground_truth)
    return MapResult(
        area.area(),
        found.rbdc,
        found.tbdc,
        found.region_curve,
        found.track_curve,
    )
