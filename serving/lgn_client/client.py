"""Scores pictures, folders and videos on a server; needs no TensorFlow.

    python -m lgn_client VIDEO_OR_FOLDER ... --server http://127.0.0.1:8501
    python -m lgn_client 1.jpg 2.jpg 3.jpg 4.jpg 5.jpg

Prints one line of CSV a scored frame: the video, the position of the frame,
and every score. In a program:

    target = transport.Target("lgn_net")
    with transport.connect("grpc://127.0.0.1:8500", target) as server:
        for score in client.score(server, frames):
            print(score.frame, score.values["anomaly_score"])
"""

import argparse
import csv
import itertools
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rich.console
import rich.progress
from numpy.typing import NDArray

from lgn_client import footage, optical_flow, transport
from lgn_client.transport import Server

WINDOW = 5
"""Frames of a window: 4 that the model sees, and the one that it scores."""

PIECE = 32
"""Frames of a request."""


_Cells = NDArray[np.float32]
_Frame = tuple[bytes, _Cells]
# A file, and the motion in it.


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
    motion: Iterable[_Cells] | None = None,
) -> Iterator[Score]:
    """Scores a video as it comes, each frame sent once but for the overlaps.

    Args:
        server: from `transport.connect`.
        frames: JPEG or PNG files, in order; read as far as they are needed.
        window: frames of a window of the model.
        piece: frames of a request.
        parallel: requests under way at the same time.
        motion: in each frame, from the frame before: the cells of what
            `lgn_client.optical_flow` measures; read along with the frames.
            The online score is then that with motion.

    Yields:
        A `Score` for each frame from number `window` - 1 on, in order.

    Raises:
        ServingError: where the server refuses.
        ValueError: for fewer frames than a window, pieces smaller than one, or
            fewer maps of `motion` than frames.
    """
    if piece < window or parallel < 1:
        raise ValueError(
            f"`piece` must be at least a window, {window}, and `parallel` 1. "
            f"Received: piece={piece}, parallel={parallel}"
        )

    def ask(part: tuple[int, list[_Frame]]) -> list[Score]:
        start, held = part
        name = "score_video_encoded"
        inputs = {"encoded_frames": np.array([[f for f, _ in held]], object)}
        if motion is not None:
            name = "score_video_with_motion_encoded"
            # Each window is asked about its last frame.
            moved = [cells for _, cells in held[window - 1 :]]
            inputs["motion"] = np.array([moved], np.float32)
        found = server.predict(name, inputs)
        valid = found.pop("valid")[0]
        return [
            Score(
                start + window - 1 + place,
                bool(valid[place]),
                {name: float(found[name][0, place]) for name in sorted(found)},
            )
            for place in range(len(valid))
        ]

    with ThreadPoolExecutor(parallel) as threads:
        waiting = []
        for part in _pieces(_paired(frames, motion), window, piece):
            waiting.append(threads.submit(ask, part))
            if len(waiting) > parallel:
                yield from waiting.pop(0).result()
        for each in waiting:
            yield from each.result()


def _paired(
    frames: Iterable[bytes], motion: Iterable[_Cells] | None
) -> Iterator[_Frame]:
    """Yields (file, motion); an empty map where there is none to tell."""
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
        arguments: what follows the command's name; default `sys.argv`.

    Returns:
        0, or 2 where something was wrong, with one line on stderr.
    """
    options = _parser().parse_args(arguments)
    try:
        target = transport.Target(
            options.model,
            version=options.version,
            label=options.label,
            token=os.environ.get("LGN_TOKEN"),
            ca_file=options.ca_file,
            timeout=options.timeout,
        )
        with transport.connect(options.server, target) as server:
            _score_all(server, options)
    except (ValueError, OSError) as error:
        print(f"lgn_client: {error}", file=sys.stderr)
        return 2
    return 0


def _score_all(server: Server, options: argparse.Namespace) -> None:
    writer = None
    pictures = [each for each in options.sources if footage.is_picture(each)]
    columns = (
        *rich.progress.Progress.get_default_columns(),
        rich.progress.MofNCompleteColumn(),
    )
    console = rich.console.Console(stderr=True)
    with rich.progress.Progress(*columns, console=console) as bar:
        # Single pictures are the frames of one video.
        rest = [each for each in options.sources if each not in pictures]
        for source in rest + ([None] if pictures else []):
            frames: Iterable[bytes]
            total: int | None
            if source is None:
                name, total = str(pictures[0].parent), len(pictures)
                frames = map(footage.read_picture, pictures)
            else:
                name = str(source)
                frames, total = footage.open_footage(source, options.encoding)
            task = bar.add_task(name, total=total)
            for each in score(
                server,
                bar.track(frames, task_id=task),
                window=options.window,
                piece=options.piece,
                motion=_moved(source, pictures) if options.motion else None,
            ):
                if writer is None:
                    writer = csv.writer(sys.stdout)
                    writer.writerow(["video", "frame", "valid", *each.values])
                writer.writerow(
                    [name, each.frame, int(each.valid), *each.values.values()]
                )


def _moved(source: Path | None, pictures: Sequence[Path]) -> Iterator[_Cells]:
    if source is None:
        frames: Iterator[footage.Frame] = map(footage.decode_picture, pictures)
    else:
        frames = footage.decoded(source)
    return (each.cells for each in optical_flow.measured(frames))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lgn_client",
        description="Scores videos, folders of pictures or single pictures "
        "on a server. A token for its proxy is read from LGN_TOKEN.",
    )
    parser.add_argument("sources", type=Path, nargs="+")
    parser.add_argument(
        "--server",
        default="http://127.0.0.1:8501",
        help="http(s):// or grpc(s)://host:port (default: %(default)s)",
    )
    parser.add_argument("--model", default="lgn_net")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--version", type=int, help="default: the newest")
    which.add_argument("--label", help="such as stable or canary")
    parser.add_argument("--ca-file", type=Path, help="certificates to trust")
    parser.add_argument(
        "--encoding",
        choices=(".png", ".jpg"),
        default=".png",
        help="how frames of a video travel (default: .png, without loss)",
    )
    parser.add_argument(
        "--motion",
        action="store_true",
        help="measure the optical flow and tell it to the server, for the "
        "online score with motion; in frames as they are before --encoding",
    )
    for name, kind, default, text in (
        ("timeout", float, 60.0, "seconds for a request with all its tries"),
        ("window", int, WINDOW, "frames of a window of the model"),
        ("piece", int, PIECE, "frames of a request"),
    ):
        parser.add_argument(
            f"--{name}",
            type=kind,
            default=default,
            help=f"{text} (default: {default})",
        )
    return parser
