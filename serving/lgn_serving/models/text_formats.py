"""Reads protocol buffers that are written as text, such as `models.config`.

`tensorflow-serving-api` defines the message of `models.config`. The messages
of the batching and monitoring files are defined in `text_formats.proto`, from
which `make protos` generates `text_formats_pb2`.
"""

from pathlib import Path
from typing import Any

from google.protobuf import text_format

MOST_BYTES = 2**20
"""Of a file of settings."""


def read(path: Path, message: Any) -> Any:
    """Reads a file into a message.

    Args:
        path: the file.
        message: an empty message of the definition that the file follows.

    Returns:
        The same message, filled.

    Raises:
        ValueError: naming the file, and the line and field where the parser
            stopped.
        OSError: where the file cannot be read.
    """
    contents = _read_bytes(path)
    try:
        return text_format.Parse(contents.decode(), message)
    except (
        text_format.ParseError,
        UnicodeDecodeError,
        RecursionError,
    ) as error:
        raise ValueError(
            f"{path}: not a readable {message.DESCRIPTOR.name}: {error}"
        ) from error


def _read_bytes(path: Path) -> bytes:
    # A pipe in the place of the file would block for ever.
    if path.exists() and not path.is_file():
        raise ValueError(f"{path}: must be a file. Found there: none")
    with path.open("rb") as file:
        contents = file.read(MOST_BYTES + 1)
    if len(contents) > MOST_BYTES:
        raise ValueError(
            f"{path}: must hold at most {MOST_BYTES:,} bytes. "
            f"Found there: {path.stat().st_size:,}"
        )
    return contents
