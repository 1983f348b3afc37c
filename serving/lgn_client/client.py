"""The command `lgn-client`: scores videos and pictures on a server.

    lgn-client VIDEO_OR_FOLDER ... --server http://127.0.0.1:8501
    python -m lgn_client 1.jpg 2.jpg 3.jpg 4.jpg 5.jpg

It prints one line of CSV for each scored frame: the video, the position of the
frame, and every score. `lgn_client.scoring` does the same in a program.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lgn_client import output
from lgn_client.texts import one_line

_INTERRUPTED = 130
"""The exit status of a program that Ctrl-C stopped."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
        arguments: the words after the command's name; default `sys.argv`.

    Returns:
        0; 2 where something was wrong, with one line on stderr; or 130 where
        the user stopped it.
    """
    try:
        with output.flushed():
            _run(_parser().parse_args(arguments))
    except ImportError as error:
        print(
            f"lgn_client: {error.name} is missing. It comes along with pip "
            "install 'lgn-tf[client]'",
            file=sys.stderr,
        )
        return 2
    except (ValueError, OSError) as error:
        print(f"lgn_client: {one_line(error)}", file=sys.stderr)
        return 2
    except MemoryError:
        print("lgn_client: the memory is used up", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("lgn_client: stopped", file=sys.stderr)
        return _INTERRUPTED
    return 0


def _run(options: argparse.Namespace) -> None:
    from lgn_client import score_table, transport

    target = transport.Target(
        options.model,
        version=options.version,
        label=options.label,
        token=os.environ.get("LGN_TOKEN") or None,
        ca_file=options.ca_file,
        timeout=options.timeout,
        # The scores of 256 frames take some 20 KB.
        answer_bytes=4 * 2**20,
    )
    with transport.connect(options.server, target) as server:
        score_table.write(
            server,
            options.sources,
            encoding=options.encoding,
            window=options.window,
            piece=options.piece,
            with_motion=options.motion,
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lgn-client",
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
        help="measure the optical flow and send it along, for the online "
        "score with motion; measured in the frames before --encoding",
    )
    _add_numbers(parser)
    return parser


def _add_numbers(parser: argparse.ArgumentParser) -> None:
    from lgn_client.scoring import PIECE, WINDOW

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
