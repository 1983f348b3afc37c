"""Checks a data set on disk: counts, frames, sizes, labels, masks."""

import dataclasses
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from lgn_tf.data import sliding_windows
from lgn_tf.data.datasets import labels, masks
from lgn_tf.data.datasets.dataset import Dataset, Labels, Video
from lgn_tf.data.datasets.registry import DATASETS, PublishedNumbers
from lgn_tf.data.video import footage
from lgn_tf.files import listings

CLIP_INPUTS = 4
"""Frames that predict the next one, in the paper."""

_MOST_FRAMES = 5  # So many frame numbers are printed of a long list.


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        check: what was looked at.
        found: what was there.
        expected: what should be; empty where nothing is known.
        good: whether they agree.
    """

    check: str
    found: str
    expected: str = ""
    good: bool = True


@dataclasses.dataclass
class Report:
    """The table and the problems that `verify` found.

    Attributes:
        rows: of the table, in order.
        problems: everything that is off, each naming its file.
    """

    rows: list[Row] = dataclasses.field(default_factory=list)
    problems: list[str] = dataclasses.field(default_factory=list)

    def compare(self, check: str, found: object, expected: object) -> None:
        """Adds a row; `expected` None means that nothing is known."""
        good = expected is None or found == expected
        shown = "" if expected is None else str(expected)
        self.rows.append(Row(check, str(found), shown, good))
        if not good:
            self.problems.append(
                f"{check}: must be {expected}. Found there: {found}"
            )

    def judge(self, check: str, total: str, found: list[str]) -> None:
        """Adds a row that is good where no problem was found."""
        text = f"{len(found)} off" if found else total
        self.rows.append(Row(check, text, "", not found))
        self.problems += found


@dataclasses.dataclass(frozen=True)
class _Decoded:
    frames: int
    size: tuple[int, int]
    problem: str = ""


def datasets_with_numbers() -> dict[str, PublishedNumbers]:
    """Returns the numbers of each data set that has some, by its name."""
    return {
        name: spec.published
        for name, spec in DATASETS.items()
        if spec.published is not None
    }


def verify(
    dataset: Dataset, name: str | None = None, *, workers: int | None = None
) -> Report:
    """Decodes every frame and checks all there is.

    Args:
        dataset: from `layouts.recognise`.
        name: one of `datasets_with_numbers`, whose numbers must be met; None
            for data without published numbers.
        workers: threads; default one for each core this process may use.

    Raises:
        ValueError: for another name.
    """
    accepted = datasets_with_numbers()
    if name is not None and name not in accepted:
        raise ValueError(
            f"`dataset` must be one of {', '.join(accepted)}. "
            f"Received: dataset={name!r}"
        )
    numbers = accepted[name] if name else None
    report = Report()
    with ThreadPoolExecutor(workers or len(os.sched_getaffinity(0))) as pool:
        found = list(pool.map(_decode, dataset.videos))
    decoded = dict(zip(dataset.videos, found, strict=True))
    _check_counts(report, dataset, decoded, numbers)
    _check_videos(report, dataset, decoded)
    _check_strays(report, dataset, numbers)
    if dataset.split("test"):
        _check_ground_truths(report, dataset, decoded, numbers)
    return report


def _decode(video: Video) -> _Decoded:
    count, size = 0, (0, 0)
    try:
        for frame in footage.read_frames(video):
            size = (frame.shape[0], frame.shape[1])
            count += 1
    except (ValueError, OSError) as error:
        return _Decoded(count, size, str(error))
    return _Decoded(count, size)


def _check_counts(
    report: Report,
    dataset: Dataset,
    decoded: dict[Video, _Decoded],
    numbers: PublishedNumbers | None,
) -> None:
    for split, word in (("train", "training"), ("test", "test")):
        videos = dataset.split(split)
        frames = sum(decoded[video].frames for video in videos)
        for what, found in (("videos", len(videos)), ("frames", frames)):
            expected = numbers and getattr(numbers, f"{split}_{what}")
            report.compare(f"{word} {what}", found, expected)
    test = dataset.split("test")
    counts = tuple(decoded[video].frames for video in test)
    if numbers and numbers.test_counts and len(test) == numbers.test_videos:
        wrong = [
            f"{video.source}: must hold {expected} frames. Found there: {found}"
            for video, found, expected in zip(
                test, counts, numbers.test_counts, strict=True
            )
            if found != expected
        ]
        report.judge("frames of each test video", "as published", wrong)
    scored = sum(
        len(sliding_windows.scored(count, CLIP_INPUTS)) for count in counts
    )
    report.compare("scored frames", scored, numbers and numbers.scored)


def _check_videos(
    report: Report, dataset: Dataset, decoded: dict[Video, _Decoded]
) -> None:
    bad = [one.problem for one in decoded.values() if one.problem]
    report.judge("every frame decodes", f"{len(decoded)} videos", bad)
    sizes = sorted({one.size for one in decoded.values() if one.frames})
    shown = ", ".join(f"{height} x {width}" for height, width in sizes)
    report.rows.append(Row("frame size", shown or "none"))
    holes, short = [], []
    for video, one in decoded.items():
        if one.frames <= CLIP_INPUTS and not one.problem:
            short.append(
                f"{video.source}: a clip takes {CLIP_INPUTS + 1} frames. "
                f"Found there: {one.frames}"
            )
        if not video.is_file and not one.problem:
            missing = listings.gaps(video.frame_files())
            if missing:
                holes.append(f"{video.source}: no frame {_some(missing)}")
    report.judge("frame numbers without gaps", "all", holes)
    report.judge("long enough for a clip", "all", short)
    if not dataset.videos:
        report.problems.append(f"{dataset.root}: no videos are there")


def _check_strays(
    report: Report, dataset: Dataset, numbers: PublishedNumbers | None
) -> None:
    for video in dataset.strays:
        count: object
        try:
            count = len(masks.read_masks(video))
        except ValueError as error:
            count = str(error)
        expected = None
        if numbers and 0 < int(video.name) <= len(numbers.test_counts):
            expected = numbers.test_counts[int(video.name) - 1]
        path = video.mask or video.source
        report.compare(f"masks of {path.name}, no video", count, expected)


def _check_ground_truths(
    report: Report,
    dataset: Dataset,
    decoded: dict[Video, _Decoded],
    numbers: PublishedNumbers | None,
) -> None:
    counts = {v.name: decoded[v].frames for v in dataset.split("test")}
    versions: dict[str, dict[str, Labels]] = {}
    for one in dataset.ground_truths:
        check = f"abnormal frames, labels {one.version}"
        try:
            found = labels.read_ground_truth(dataset, counts, one.version)
        except (ValueError, OSError) as error:
            report.judge(check, "", [str(error)])
            continue
        versions[one.version] = found
        total = sum(int(marks.sum()) for marks in found.values())
        expected = numbers and numbers.abnormal.get(one.version)
        report.compare(check, total, expected)
    first = next(iter(versions), "")
    for other in list(versions)[1:]:
        differ = sum(
            int((versions[first][name] != versions[other][name]).sum())
            for name in counts
        )
        # Two ground truths of one set may differ: that is worth knowing, and
        # no mistake of the copy.
        report.compare(f"frames where {first} and {other} differ", differ, None)
    _check_masks(report, dataset, decoded, versions)


def _check_masks(
    report: Report,
    dataset: Dataset,
    decoded: dict[Video, _Decoded],
    versions: dict[str, dict[str, Labels]],
) -> None:
    test = dataset.split("test")
    masked = [video for video in test if video.mask]
    if not masked:
        return
    official = [
        one.version
        for one in dataset.ground_truths
        if one.official and one.version in versions
    ]
    version = (official + list(versions) + [""])[0]
    wrong = []
    for video in masked:
        marks = versions.get(version, {}).get(video.name)
        wrong += _mask_problems(video, decoded[video], marks)
    of_all = f" of {len(test)}" if len(masked) < len(test) else ""
    report.judge("masks", f"{len(masked)}{of_all} videos", wrong)


def _mask_problems(
    video: Video, decoded: _Decoded, marks: Labels | None
) -> list[str]:
    try:
        found = masks.read_masks(video)
    except (ValueError, OSError) as error:
        return [str(error)]
    problems = []
    if len(found) != decoded.frames:
        problems.append(
            f"{video.mask}: must hold {decoded.frames} masks, one a frame. "
            f"Found there: {len(found)}"
        )
    if found.shape[1:] != decoded.size:
        problems.append(
            f"{video.mask}: masks must be of the frames' size, {decoded.size}. "
            f"Found there: {found.shape[1:]}"
        )
    if marks is not None and len(found) == len(marks):
        differ = np.flatnonzero(found.any(axis=(1, 2)) != marks.astype(bool))
        if len(differ):
            problems.append(
                f"{video.mask}: masks and labels must agree. They differ on "
                f"{len(differ)} frames: {_some((differ + 1).tolist())}"
            )
    return problems


def _some(numbers: list[int]) -> str:
    text = ", ".join(str(number) for number in numbers[:_MOST_FRAMES])
    return text + (" ..." if len(numbers) > _MOST_FRAMES else "")
