"""The pictures of a report: frame, prediction and a map for each cue."""

import base64
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lgn_tf.evaluation import keyframes
from lgn_tf.report import heat_maps
from lgn_tf.report.heat_maps import Map, Picture
from lgn_tf.scores.cue_values import CUES, DISTANCE, ERROR, MOTION
from lgn_tf.scores.video_scores import VideoScores

ONLINE = "online map"
"""The map behind the online score."""


@dataclasses.dataclass(frozen=True, eq=False)
class Moment:
    """The frame of a video that is shown, and its maps.

    Attributes:
        name: of the video.
        place: of the frame in the video, from 0.
        strength: its online score; minus the PSNR without one.
        caption: its scores and its label.
        frame: as the model saw it.
        prediction: of it.
        maps: `ONLINE`, and each of `CUES` that there is, by name; float32
            (rows, columns), each of its own size.
    """

    name: str
    place: int
    strength: float
    caption: str
    frame: Picture
    prediction: Picture
    maps: dict[str, Map]


def moment(
    folder: Path, scores: VideoScores, labels: NDArray[np.uint8] | None
) -> Moment | None:
    """Returns the most abnormal frame of a video that has a picture.

    Args:
        folder: an evaluation folder.
        scores: of the video.
        labels: (frames,) of the scored frames, or None.

    Returns:
        None where the video has no picture.
    """
    series = -scores.psnr if scores.online is None else scores.online
    places = [
        place
        for place in keyframes.places(folder, scores.name)
        if 0 <= place - scores.first < len(scores)
    ]
    if not places:
        return None
    place = max(places, key=lambda one: series[one - scores.first])
    index = place - scores.first
    frame, prediction, motion = keyframes.read_keyframe(
        folder, scores.name, place
    )
    parts = [f"PSNR {scores.psnr[index]:.1f} dB"]
    if scores.online is not None:
        parts.append(f"online score {scores.online[index]:.2f}")
    if labels is not None:
        parts.append("abnormal" if labels[index] else "normal")
    maps = {
        ONLINE: scores.online_map,
        ERROR: scores.error_map,
        DISTANCE: scores.distance_map,
    }
    # A copy: a view would keep the maps of the whole video in memory.
    found = {
        name: one[index].copy() for name, one in maps.items() if one is not None
    }
    if motion is not None:
        found[MOTION] = motion
    return Moment(
        name=scores.name,
        place=place,
        strength=float(series[index]),
        caption=" · ".join(parts),
        frame=frame,
        prediction=prediction,
        maps=found,
    )


def draw_gallery(
    moments: Sequence[Moment], weights: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Draws the panels of each moment; a map has one range for all of them.

    Args:
        moments: that are shown.
        weights: of the cues in the online score; a cue without one is named
            without it.

    Returns:
        For each its `name`, `frame`, `caption` and `panels`, each with `title`
        and `source`.
    """
    # The root shows small errors, too.
    shown = [one.maps | {ERROR: np.sqrt(one.maps[ERROR])} for one in moments]
    ranges = {
        name: heat_maps.common_range(
            [maps[name] for maps in shown if name in maps]
        )
        for name in {name for maps in shown for name in maps}
    }
    gallery = []
    for one, maps in zip(moments, shown, strict=True):
        drawn = heat_maps.draw_panels(
            one.frame,
            one.prediction,
            maps,
            ranges,
            one.maps.get(ONLINE, one.maps[ERROR]),
        )
        panels = {"frame": drawn.frame, "prediction": drawn.prediction}
        for name, contents in drawn.maps.items():
            panels[_title(name, weights)] = contents
        gallery.append(
            {
                "name": one.name,
                "frame": one.place,
                "caption": one.caption,
                "panels": [
                    {"title": title, "source": _inline(contents)}
                    for title, contents in panels.items()
                ],
            }
        )
    return gallery


def _title(name: str, weights: Mapping[str, float]) -> str:
    if name in CUES and name in weights:
        return f"{name}, weight {weights[name]:g}"
    return name


def _inline(contents: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(contents).decode()
