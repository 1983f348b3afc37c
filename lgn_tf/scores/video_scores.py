"""The scores of one video, and their files.

An evaluation folder holds, for each video NAME:
  frames/NAME.csv   one row a scored frame: its place, its label, every measure
  maps/NAME.npz     where in the frame the error and the distance are
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lgn_tf.files import atomic, frame_tables, listings, ownership
from lgn_tf.scores import stored_scores

Series = NDArray[np.float64]
Maps = NDArray[np.float32]

FRAMES = "frames"
MAPS = "maps"
_ONLINE = ("online", "online_motion")
_SERIES = ("psnr", "distance", "regular_score", *_ONLINE)
_MAPS = stored_scores.MAPS
_OPTIONAL = ("distance", *_ONLINE, "distance_map", "online_map")
_ROWS = 1024


def claim(folder: Path) -> None:
    """Takes a folder for the scores of videos, which are added one by one.

    Raises:
        FileExistsError: naming it, where it holds anything else.
        ValueError: where a link leads out of it.
        OSError: where it cannot be written.
    """
    ownership.claim(folder, "scores")
    require_inside(folder)


def require_inside(folder: Path) -> None:
    """Refuses a folder of scores in which a link leads out of it.

    Raises:
        ValueError: naming the link.
    """
    for name in (FRAMES, MAPS):
        listings.require_inside(folder, folder / name)


@dataclasses.dataclass(frozen=True, eq=False)
class VideoScores:
    """The scores and maps of one video, for every scored frame.

    Arrays are converted to the types below. Letters: h, w of each map its own.

    Attributes:
        name: of the video; also the name of its files.
        first: place in the video of the first scored frame, n.
        psnr: float64 (frames,) in dB.
        distance: float64 (frames,), D of Eq. 14; None for a model without
            memory.
        regular_score: float64 (frames,), R of Eq. 8.
        updated: bool (frames,), whether the frame updated the memory.
        online: float64 (frames,) in [0, 1], the anomaly score: high means
            abnormal. Calibrated, from past frames only; None for a run without
            calibration.
        error_map: float32 (frames, h, w), absolute error on [0, 1].
        distance_map: float32 (frames, h, w), to the nearest item; or None.
        online_map: float32 (frames, h, w), the anomaly map: the evidence of
            `online` by place; or None.
        online_motion: float64 (frames,) like `online`, of all cues, with the
            motion, which no graph computes; or None.

    Raises:
        ValueError: for a name that is no file name, for arrays of unequal
            length or another shape, and for numbers that are not finite,
            naming the video.

    Example:
        >>> import lgn_tf
        >>> run = lgn_tf.load("runs/demo")
        >>> [scores] = run.score("videos/Test/Test001")
        >>> scores.name, scores.first, len(scores)
        ('Test001', 4, 20)
        >>> scores.online.shape, scores.error_map.shape, scores.online_map.shape
        ((20,), (20, 16, 24), (20, 2, 3))
        >>> bool(scores.online.min() >= 0 and scores.online.max() <= 1)
        True
    """

    name: str
    first: int
    psnr: Series
    distance: Series | None
    regular_score: Series
    updated: NDArray[np.bool_]
    online: Series | None
    error_map: Maps
    distance_map: Maps | None = None
    online_map: Maps | None = None
    online_motion: Series | None = None

    def __post_init__(self) -> None:
        """Converts and validates."""
        if not listings.is_plain_name(self.name):
            raise ValueError(
                "The name of a video must be a printable file name. "
                f"Received: name={self.name!r}"
            )
        if self.first < 0:
            raise ValueError(
                f"{self.name}: `first` must not be negative. "
                f"Received: first={self.first}"
            )
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name in ("name", "first"):
                continue
            if value is not None or field.name not in _OPTIONAL:
                value = self._checked(field.name, value)
                object.__setattr__(self, field.name, value)
        for name in _ONLINE:
            series = getattr(self, name)
            if series is not None and (series.min() < 0 or series.max() > 1):
                raise ValueError(
                    f"{self.name}: `{name}` must lie in [0, 1]. "
                    f"Received: {series.min():g} to {series.max():g}"
                )

    def _checked(self, field: str, value: ArrayLike | None) -> NDArray[Any]:
        rank, kind = (3, np.float32) if field in _MAPS else (1, np.float64)
        array = np.asarray(value, np.bool_ if field == "updated" else kind)
        frames = np.shape(self.psnr)[:1]
        if array.ndim != rank or array.shape[:1] != frames or not array.size:
            wanted = "(frames, h, w)" if rank == 3 else "(frames,)"
            raise ValueError(
                f"{self.name}: `{field}` must be {wanted}, of as many frames "
                f"as `psnr`, and not empty. Received: {array.shape}, "
                f"`psnr` {np.shape(self.psnr)}"
            )
        # A few rows at a time: maps may lie in a file that is larger than
        # memory.
        bad = sum(
            np.count_nonzero(~np.isfinite(array[start : start + _ROWS]))
            for start in range(0, len(array), _ROWS)
        )
        if bad:
            raise ValueError(
                f"{self.name}: `{field}` must be finite. "
                f"Received: {bad} of {array.size} numbers are not"
            )
        return array

    def __len__(self) -> int:
        """Returns the number of scored frames."""
        return len(self.psnr)


def write_scores(
    scores: VideoScores,
    folder: Path,
    labels: ArrayLike | None = None,
    normality: ArrayLike | None = None,
) -> None:
    """Writes both files of a video; each appears whole or not at all.

    Args:
        scores: of one video.
        folder: an evaluation folder; made where it is not there.
        labels: (frames,) of the scored frames, 0 or 1; or None.
        normality: (frames,), the paper's, of Eq. 17; or None. For readers of
            the table: it follows from the other columns.

    Raises:
        ValueError: where there is not one label a scored frame.
        OSError: naming the file that could not be written.
    """
    columns: dict[str, list[Any]] = {
        "frame": list(range(scores.first, scores.first + len(scores)))
    }
    if labels is not None:
        marks = np.asarray(labels)
        if marks.shape != (len(scores),):
            raise ValueError(
                f"{scores.name}: `labels` must hold one label for each of the "
                f"{len(scores)} scored frames. Received: shape {marks.shape}"
            )
        columns["label"] = [int(mark) for mark in marks]
    for name in _SERIES:
        series = getattr(scores, name)
        if series is not None:
            columns[name] = frame_tables.texts(series)
    if normality is not None:
        columns["normality"] = frame_tables.texts(normality)
    columns["updated"] = [int(mark) for mark in scores.updated]
    maps = {name: getattr(scores, name) for name in _MAPS}
    found = {name: one for name, one in maps.items() if one is not None}
    frame_tables.write_table(folder / FRAMES / f"{scores.name}.csv", columns)
    # Array by array: those of a long video do not fit into memory.
    with atomic.opened(folder / MAPS / f"{scores.name}.npz") as file:
        atomic.write_arrays(file, found)


def add_online_motion(folder: Path, name: str, series: ArrayLike) -> None:
    """Adds `online_motion` to the table of a video that was written without.

    Args:
        folder: an evaluation folder that holds the video.
        name: of the video.
        series: (frames,) of the scored frames; see `VideoScores`.

    Raises:
        FileNotFoundError: where there is no table of the video.
        ValueError: naming the file, where it has no online score or not as
            many frames.
        OSError: naming the file, where it cannot be written.
    """
    path = folder / FRAMES / f"{name}.csv"
    frame_tables.insert_column(path, "online_motion", series, after="online")


def read_scores(folder: Path, name: str) -> VideoScores:
    """Reads both files of a video.

    Args:
        folder: an evaluation folder.
        name: of the video.

    Raises:
        FileNotFoundError: naming the file that is missing.
        ValueError: naming the file that is damaged.
    """
    path = folder / FRAMES / f"{name}.csv"
    table = stored_scores.read_rows(path)
    maps = stored_scores.read_maps(folder / MAPS / f"{name}.npz")
    try:
        return VideoScores(
            name=name,
            first=int(table["frame"][0]),
            psnr=table["psnr"],
            distance=table.get("distance"),
            regular_score=table["regular_score"],
            updated=table["updated"] != 0,
            online=table.get("online"),
            error_map=maps["error_map"],
            distance_map=maps.get("distance_map"),
            online_map=maps.get("online_map"),
            online_motion=table.get("online_motion"),
        )
    except ValueError as error:
        raise ValueError(
            f"{path}: does not fit {folder / MAPS / name}.npz. "
            f"Found there: {error}"
        ) from error


def read_labels(folder: Path, name: str) -> NDArray[np.uint8] | None:
    """Reads the labels (frames,) of the scored frames, or None.

    Raises:
        FileNotFoundError: where there is no table of the video.
        ValueError: naming the file, where it is damaged.
    """
    path = folder / FRAMES / f"{name}.csv"
    labels = stored_scores.read_rows(path).get("label")
    return None if labels is None else labels.astype(np.uint8)


class ScoreFolder(Sequence[VideoScores]):
    """The scores of all videos of an evaluation folder, each read when asked.

    Args:
        folder: an evaluation folder.

    Raises:
        FileNotFoundError: where it holds the scores of no video.
    """

    def __init__(self, folder: Path) -> None:
        """Lists the videos in natural order; reads none."""
        self._folder = folder
        files = listings.children(folder / FRAMES)
        self.names = [file.stem for file in files if file.suffix == ".csv"]
        if not self.names:
            raise FileNotFoundError(
                f"{folder / FRAMES} holds no scores: run `lgn evaluate` first"
            )

    def __len__(self) -> int:
        """Returns the number of videos."""
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> VideoScores: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[VideoScores]: ...
    def __getitem__(
        self, index: int | slice
    ) -> VideoScores | Sequence[VideoScores]:
        """Reads one video, or several."""
        if isinstance(index, slice):
            return [
                read_scores(self._folder, name) for name in self.names[index]
            ]
        return read_scores(self._folder, self.names[index])
