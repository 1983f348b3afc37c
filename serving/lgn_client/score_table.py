"""A table of the scores of videos: CSV, one line for each scored frame."""

import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import rich.console
import rich.markup
import rich.progress

from lgn_client import footage, optical_flow, scoring
from lgn_client.footage import Frame
from lgn_client.scoring import Cells, Score
from lgn_client.texts import one_line
from lgn_client.transport import Server


def write(
    server: Server,
    sources: Sequence[Path],
    *,
    encoding: str,
    window: int,
    piece: int,
    with_motion: bool,
) -> None:
    """Scores videos; the table goes to stdout, the progress to stderr.

    Args:
        server: from `transport.connect`.
        sources: videos, folders of pictures, and pictures; the pictures are
            the frames of one video.
        encoding: ".png" or ".jpg"; the encoding of the frames of a video.
        window: frames of a window of the model.
        piece: frames of a request.
        with_motion: measures the optical flow and sends it along.

    Raises:
        ServingError: where the server refuses.
        ValueError: for a source that cannot be read or is too short, or
            where the server's scores change their names.
    """
    table = _Table()
    with _progress() as bar:
        for source, pictures in _videos(sources):
            name, frames, total = _opened(source, pictures, encoding)
            shown = rich.markup.escape(one_line(name))
            task = bar.add_task(shown, total=total)
            for score in scoring.score(
                server,
                bar.track(frames, task_id=task),
                window=window,
                piece=piece,
                motion=_moved(source, pictures) if with_motion else None,
            ):
                table.add(name, score)


class _Table:
    """Lines of CSV; the first score says which columns there are."""

    def __init__(self) -> None:
        self._writer = csv.writer(sys.stdout)
        self._names: list[str] = []

    def add(self, name: str, score: Score) -> None:
        names = list(score.values)
        if not self._names:
            self._writer.writerow(["video", "frame", "valid", *names])
            self._names = names
        elif names != self._names:
            raise ValueError(
                f"{name}: from frame {score.frame} on the server sends other "
                f"scores: {', '.join(names)}"
            )
        self._writer.writerow(
            [name, score.frame, int(score.valid), *score.values.values()]
        )


def _progress() -> rich.progress.Progress:
    columns = (
        *rich.progress.Progress.get_default_columns(),
        rich.progress.MofNCompleteColumn(),
    )
    console = rich.console.Console(stderr=True)
    return rich.progress.Progress(*columns, console=console)


def _videos(
    sources: Sequence[Path],
) -> Iterator[tuple[Path | None, list[Path]]]:
    """Yields a video or folder and no pictures, or None and the pictures.

    Single pictures are the frames of one video, which comes last.
    """
    pictures = [each for each in sources if footage.is_picture(each)]
    for source in sources:
        if source not in pictures:
            yield source, []
    if pictures:
        yield None, pictures


def _opened(
    source: Path | None, pictures: Sequence[Path], encoding: str
) -> tuple[str, Iterable[bytes], int | None]:
    """Returns the name of a video, its frames, and how many there are."""
    if source is not None:
        return str(source), *footage.open_footage(source, encoding)
    frames = map(footage.read_picture, pictures)
    return str(pictures[0].parent), frames, len(pictures)


def _moved(source: Path | None, pictures: Sequence[Path]) -> Iterator[Cells]:
    if source is None:
        frames: Iterator[Frame] = map(footage.decode_picture, pictures)
    else:
        frames = footage.decoded(source)
    return (each.cells for each in optical_flow.measured(frames))
